"""Where a workflow runs: what it is heard of, as whom it speaks to the Hub, which repository is meant, its lock."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hubexpert.lock import DEFAULT_LOCK
from hubexpert.recipe import read_recipe
from hubexpert.workspace import write_atomically

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # variables that the client takes a token from


@contextmanager
def unheard(environment: Mapping[str, str]) -> Iterator[None]:
    """Let GitHub take no line for a command while the block lasts: names and errors of strangers are told in it.

    Nor after it where it ends in an error, which is told then.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        yield
        return
    mark = secrets.token_hex(16)
    print(f"::stop-commands::{mark}", file=sys.stderr, flush=True)  # noqa: T201  for GitHub, not for people
    yield
    print(f"::{mark}::", file=sys.stderr, flush=True)  # noqa: T201


def with_identity(environment: Mapping[str, str], repo: str | None) -> dict[str, str]:
    """What to add to the environment so that the Hub is spoken to without a secret, where the workflow allows that.

    A token that is given is used. Otherwise, where GitHub lets the job ask for its identity (`id-token: write`), the
    client exchanges it for a token that may write to `repo` alone.
    """
    given = any(environment.get(name) for name in (*TOKENS, "HF_OIDC_RESOURCE"))
    if given or repo is None or not environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return {}
    return {"HF_OIDC_RESOURCE": repo}


def without_secrets() -> dict[str, str]:
    """What to change in the environment so that no token is sent, whatever the machine holds."""
    names = (*TOKENS, "HF_OIDC_RESOURCE", "HF_OIDC_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    return {**dict.fromkeys(names, ""), "HF_TOKEN_PATH": os.devnull}


@contextmanager
def at_repo(recipe: Path, repo: str | None) -> Iterator[Path]:
    """A recipe that publishes to `repo`, for as long as the block lasts; the recipe itself where that is None."""
    if repo is None:
        yield recipe
        return
    import yaml

    read_recipe(recipe)  # what is wrong with it is told under its own name
    content = yaml.safe_load(recipe.read_text(encoding="utf-8-sig"))
    content["publish"] = {**(content.get("publish") or {}), "repo": repo}
    beside = recipe.with_name(f".{recipe.stem}-at-repo.yaml")  # beside it: paths are read from its folder
    write_atomically(beside, yaml.safe_dump(content, allow_unicode=True))
    try:
        yield beside
    finally:
        beside.unlink()


def fetch_lock(recipe: Path, *, replace: bool = False) -> bool:
    """Put the published lock beside the recipe: what is published is what a rebuild is for.

    Args:
        recipe: the recipe.
        replace: also where there is a lock already.

    Returns:
        Whether there is another lock now than before.

    Raises:
        HubExpertError: the recipe cannot be read, the Hub cannot be reached, or it does not let this token read it.
    """
    from hubexpert import hub

    repo, lock = read_recipe(recipe).publish.repo, recipe.parent / DEFAULT_LOCK
    if repo is None or (lock.is_file() and not replace):
        return False
    try:
        published = hub.download(hub.look(repo).source, [DEFAULT_LOCK]) / DEFAULT_LOCK
    except hub.SourceError as error:
        if error.kind != "missing":
            raise
        return False
    text = published.read_text(encoding="utf-8")
    if lock.is_file() and lock.read_text(encoding="utf-8") == text:
        return False
    write_atomically(lock, text)
    return True


def see_repository(recipe: Path) -> None:
    """See that the repository is there that a pull request is to be opened to; it makes none.

    Raises:
        HubExpertError: it is not, or the recipe names none.
    """
    from hubexpert import hub
    from hubexpert.publish import rival

    hub.look(rival(read_recipe(recipe)))
