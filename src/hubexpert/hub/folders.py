"""Folders kept in a private dataset repository: what travels between this machine and a job."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import TIMEOUT, call, endpoint
from hubexpert.hub.rights import CREATE, WRITE, writing
from hubexpert.records import Source

KIND = "dataset"
# Of a part of a file's path: nothing hidden, nothing that climbs.
PART = re.compile(r"[\w+=@-][\w .+=@,()-]*")


@dataclass(frozen=True)
class Kept:
    """What a folder of a repository holds at a commit: the sizes of its files in bytes, by their paths from there."""

    source: Source
    prefix: str
    sizes: Mapping[str, int]


def is_safe(name: str) -> bool:
    """Whether a file of that path stays below the folder that it is written to, hides nowhere, and can be shown."""
    return len(name) <= 500 and all(PART.fullmatch(part) for part in name.split("/"))


def kept_folder(repo: str, prefix: str) -> Kept | None:
    """What lies in the folder now; None where there is no such folder or repository.

    Raises:
        HubExpertError: the repository is not private, or the Hub cannot be reached.
    """
    api = HfApi()
    try:
        found = call(lambda: api.dataset_info(repo, timeout=TIMEOUT), repo)
        if not found.private:
            raise _public(repo)
        tree = call(
            lambda: list(api.list_repo_tree(repo, prefix, recursive=True, revision=found.sha, repo_type=KIND)),
            repo,
        )
    except HubExpertError as error:
        if isinstance(error.__cause__, EntryNotFoundError | RepositoryNotFoundError):
            return None
        raise
    sizes = {entry.path.removeprefix(f"{prefix}/"): entry.size for entry in tree if isinstance(entry, RepoFile)}
    return Kept(Source(repo=repo, revision=str(found.sha), repo_type=KIND), prefix, sizes)


def keep_folder(repo: str, prefix: str, folder: Path, *, message: str) -> None:
    """Let the folder of the repository, which is made private if it is missing, hold these files alone; one commit.

    Raises:
        HubExpertError: the repository is not private, the token may not, or the Hub cannot be reached.
    """
    api = HfApi()
    writing(lambda: api.create_repo(repo, repo_type=KIND, private=True, exist_ok=True), repo, CREATE)
    if not call(lambda: api.dataset_info(repo, timeout=TIMEOUT), repo).private:
        raise _public(repo)
    writing(
        lambda: api.upload_folder(
            repo_id=repo,
            repo_type=KIND,
            folder_path=folder,
            path_in_repo=prefix,
            commit_message=message,
            delete_patterns=["*"],
        ),
        repo,
        WRITE,
    )


def kept_file(kept: Kept, name: str) -> Path:
    """A file of the folder, in the Hub's cache; of the size that was told.

    Raises:
        HubExpertError: its path is not safe, its size is another, or the Hub cannot be reached.
    """
    repo = kept.source.repo
    if not is_safe(name) or name not in kept.sizes:
        raise HubExpertError(f"{repo} holds no usable file {name!r}.", fix=f"delete {kept.prefix} there, and run again")
    path = Path(
        call(
            lambda: hf_hub_download(repo, f"{kept.prefix}/{name}", repo_type=KIND, revision=kept.source.revision),
            repo,
        )
    )
    if path.stat().st_size != kept.sizes[name]:
        raise HubExpertError(f"{name} of {repo} has another size than the Hub tells.", fix="run it again")
    return path


def _public(repo: str) -> HubExpertError:
    return HubExpertError(
        f"{repo} is public, so your examples could be read there by everyone; nothing was sent.",
        fix=f"make it private: {endpoint()}/datasets/{repo}/settings",
    )
