"""Rows and examples that hold what the task's shots or held-out examples ask: nothing of them may be trained on."""

from hubexpert.leaks.guard import Guard, guard, leaks
from hubexpert.leaks.vectors import near

__all__ = ["Guard", "guard", "leaks", "near"]
