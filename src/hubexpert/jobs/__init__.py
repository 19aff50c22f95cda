"""The whole run in a Hub Job: what goes there, what happens there, and what comes back."""

from hubexpert.jobs.elsewhere import Machine, cancel, run_elsewhere

__all__ = ["Machine", "cancel", "run_elsewhere"]
