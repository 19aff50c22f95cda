"""What speaks against examples before anything is learned from them: found in their texts alone."""

from hubexpert.vetting.check import check, state
from hubexpert.vetting.finding import Finding

__all__ = ["Finding", "check", "state"]
