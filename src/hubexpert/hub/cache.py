"""Where what is known of the Hub lies on this machine, and whose view of it that is."""

import hashlib
import os
from pathlib import Path

from huggingface_hub import constants, get_token

from hubexpert.hub.calls import endpoint


def cache_folder() -> Path:
    """The folder for what is kept between runs: beside the client's own cache, so `HF_HOME` moves both."""
    return Path(constants.HF_HOME) / "hubexpert"


def identity() -> str:
    """A name for this view of this Hub: another address or another token may see other repositories.

    It tells neither: it is a part of a digest. Where a workflow's identity is exchanged for a new token in every run,
    that identity counts, not the token.
    """
    who = os.environ.get("HF_OIDC_RESOURCE") or get_token() or ""
    return hashlib.sha256(f"{endpoint()}\n{who}".encode()).hexdigest()[:16]
