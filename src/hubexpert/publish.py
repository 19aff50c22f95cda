"""Publishing: only what the lock describes, and only what the verdict allows."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hubexpert import hub
from hubexpert.assemble import PUBLISHED_FILES, check_files, published_files, write_page
from hubexpert.errors import HubExpertError
from hubexpert.escape import plain, shown_name
from hubexpert.lock import DEFAULT_LOCK, Lock, render_lock
from hubexpert.recipe import is_folder, parse_recipe
from hubexpert.records import Published

DIGITS = 12  # of the lock's digest in a commit's message


def publish(
    lock: Lock, folder: Path, *, repo: str, private: bool, create_pr: bool, dry_run: bool, force: bool
) -> Published:
    """Publish the assembled folder as one commit, with a card that names the repository; the folder is not touched.

    Args:
        lock: what the folder was assembled from.
        folder: the assembled folder, `.hubexpert/publish/`.
        repo: `owner/name` on the Hub.
        private: make a missing repository private.
        create_pr: open a pull request instead of a commit on the main branch.
        dry_run: check everything and send nothing; the commit in the answer is then empty.
        force: publish even though the verdict is not `ship`.

    Raises:
        HubExpertError: the verdict forbids it, the base is a folder, the assembled folder is not what the lock
            describes, or the Hub refuses.
    """
    if lock.report.verdict != "ship" and not force:
        raise HubExpertError(
            f"The verdict is `{lock.report.verdict}`: {lock.report.sentence}",
            fix="hubexpert publish --force  (publishes it nevertheless; the card keeps the verdict)",
        )
    if is_folder(lock.base.repo):
        raise HubExpertError(
            "The base is a folder on this machine, which nobody else can load, and its path would be published.",
            fix="name the base by its Hub id in the recipe, then `hubexpert run`",
        )
    _check_folder(lock, folder)
    if dry_run:
        return Published(repo=repo, url=f"{hub.endpoint()}/{repo}", commit="", changed=False)
    with _addressed(lock, folder, repo) as page:
        return hub.publish(repo, page, message=commit_message(lock), private=private, create_pr=create_pr)


@contextmanager
def _addressed(lock: Lock, folder: Path, repo: str) -> Iterator[Path]:
    """A copy of the folder whose card names `repo`, for as long as the block lasts; weights are linked, not copied."""
    with TemporaryDirectory(prefix="hubexpert-") as name:
        for file in published_files(lock):
            link = Path(name, file)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / file).resolve())
        write_page(lock, Path(name), repo=repo)
        yield Path(name)


def contents(folder: Path) -> list[tuple[str, int]]:
    """The files of the folder and their sizes in bytes, in order of name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path.stat().st_size) for path in files)


def commit_message(lock: Lock) -> str:
    """One line that is the same for equal locks."""
    task = plain(parse_recipe(lock.recipe, name="the recipe in the lock").task.name)
    digest = hashlib.sha256(render_lock(lock).encode()).hexdigest()
    return f"{task}: {len(lock.build.experts)} experts on {plain(shown_name(lock.base.repo))} (lock {digest[:DIGITS]})"


def _check_folder(lock: Lock, folder: Path) -> None:
    """See that the folder was assembled from this lock and is whole."""
    kept = folder / DEFAULT_LOCK
    if not kept.is_file() or not (folder / "README.md").is_file():
        raise HubExpertError(f"There is nothing assembled in {folder}.", fix="hubexpert card")
    if kept.read_text(encoding="utf-8") != render_lock(lock):
        raise HubExpertError(f"{folder} was assembled from another lock.", fix="hubexpert card")
    if missing := [name for name in PUBLISHED_FILES[:2] if name not in lock.build.files]:
        raise HubExpertError(f"The lock describes no {missing[0]}.", fix="hubexpert run")
    check_files(lock, folder)
