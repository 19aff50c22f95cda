"""Rows and examples that hold what the task's shots or held-out examples ask: nothing of them may be trained on."""

from hubexpert.leaks.guard import Guard, Leak, guard, leaks
from hubexpert.leaks.vectors import NEAR, near

__all__ = ["NEAR", "Guard", "Leak", "guard", "leaks", "near"]
