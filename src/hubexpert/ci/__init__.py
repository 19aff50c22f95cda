"""What a workflow does with an expert: see whether it is fresh, check its shots, rebuild it, publish it, tell of it."""

from hubexpert.ci.line import Outcome, check, rebuild
from hubexpert.ci.place import at_repo, fetch_lock, with_identity, without_secrets
from hubexpert.ci.tell import outputs, tell, unheard

__all__ = [
    "Outcome",
    "at_repo",
    "check",
    "fetch_lock",
    "outputs",
    "rebuild",
    "tell",
    "unheard",
    "with_identity",
    "without_secrets",
]
