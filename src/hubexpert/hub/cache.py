"""Where what is known of the Hub lies on this machine, what the client's cache holds, and whose view that is."""

import hashlib
import os
from pathlib import Path

from huggingface_hub import constants, get_token, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import call, endpoint


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


def in_cache(repo: str, repo_type: str, revision: str | None, *names: str) -> Path | None:
    """The first of these files that is in the cache at that revision."""
    for name in names:
        try:
            path = try_to_load_from_cache(repo, name, revision=revision, repo_type=repo_type)
        except HFValidationError:  # no name of a repository; the Hub is asked and says so
            return None
        if isinstance(path, str):
            return Path(path)
    return None


def kept(repo: str, revision: str | None, filename: str) -> Path:
    """A model's file in the cache, in the folder that is named by its commit; asks nothing.

    Args:
        repo: the model.
        revision: by default the main branch, or, where it was never asked for by that name, what came last.
        filename: at the repository's root.

    Raises:
        HubExpertError: it is not there.
    """
    found = in_cache(repo, "model", revision, filename)
    if found is None and revision is None:
        call(lambda: validate_repo_id(repo), repo)
        snapshots = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="model"), "snapshots")
        found = max(snapshots.glob(f"*/{filename}"), key=lambda path: path.lstat().st_mtime, default=None)
    if found is None:
        raise HubExpertError(f"{filename} of {repo} is not in the cache.", fix="run once online to fill the cache")
    return found
