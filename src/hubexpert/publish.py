"""Publishing: only what the lock describes, and only what the verdict allows."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from hubexpert import hub
from hubexpert.assemble import PUBLISHED_FILES, check_files, published_files, write_page
from hubexpert.errors import HubExpertError
from hubexpert.escape import REPO_ID, plain, shown_name
from hubexpert.licenses import check_licenses
from hubexpert.lock import DEFAULT_LOCK, Lock, digest_of, holds, titled
from hubexpert.preview import Preview, preview
from hubexpert.recipe import Recipe, is_folder, parse_recipe
from hubexpert.records import Compared, Published
from hubexpert.secrets import refuse_secrets

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx")
TARGET = "`publish.repo` in the recipe, or --repo"
OWN = f"name a repository of its own: {TARGET}"
COMPARED = "compared"  # the workspace's step that holds the comparison with what is published


@dataclass(frozen=True)
class Wish:
    """Where an expert is to be published, how, and what is overruled for it.

    Attributes:
        repo: `owner/name` on the Hub.
        create_pr: open a pull request instead of a commit on a branch.
        revision: the branch, or an open pull request `refs/pr/N`; by default main. Not with `create_pr`.
        tag: a name for the commit. Not with `create_pr`.
        force: publish even though the verdict is not `ship`, or the comparison says `worse`.
        allowed: names of findings that look like secrets and are none.
        compared: what a comparison with the published expert found, if one was made; only one of this lock counts.
    """

    repo: str
    create_pr: bool = False
    revision: str | None = None
    tag: str | None = None
    force: bool = False
    allowed: tuple[str, ...] = ()
    compared: Compared | None = None


def rival(recipe: Recipe) -> str:
    """The repository that a new expert would replace.

    Raises:
        HubExpertError: the recipe names none, or not by owner and name.
    """
    repo = recipe.publish.repo
    if repo is None:
        raise HubExpertError("The recipe names nothing published to compare with.", fix="set `publish.repo`")
    _check_named(repo)
    return repo


def publish(lock: Lock, folder: Path, wish: Wish, *, private: bool) -> Published:
    """Publish the assembled folder as one commit, with a card that names the repository; the folder is not touched.

    Args:
        lock: what the folder was assembled from.
        folder: the assembled folder, `.hubexpert/publish/`.
        wish: where to, and how.
        private: make a missing repository private.

    Raises:
        HubExpertError: the verdict, the comparison or a licence forbids it, the base is a folder, the repository has no
            owner, is a part of the mixture or holds another model, the assembled folder is not what the lock describes,
            a text holds what looks like a secret, there is no room for the page, or the Hub refuses.
    """
    with _page(lock, folder, wish) as page:
        return hub.publish(
            wish.repo,
            page,
            message=commit_message(lock),
            private=private,
            create_pr=wish.create_pr,
            revision=wish.revision,
            tag=wish.tag,
        )


def rehearse(lock: Lock, folder: Path, wish: Wish) -> Preview:
    """What `publish` with this wish would do. The Hub is read, and without a token what is public of it.

    Raises:
        HubExpertError: `publish` would be refused, as far as can be told without sending anything.
    """
    with _page(lock, folder, wish) as page:
        return preview(wish.repo, page, create_pr=wish.create_pr, revision=wish.revision, tag=wish.tag)


@contextmanager
def _page(lock: Lock, folder: Path, wish: Wish) -> Iterator[Path]:
    """What is sent, once nothing speaks against it: here is all that is checked before."""
    if not wish.force:
        _check_worth(lock, wish.compared)
    _check_permitted(lock)
    _check_target(lock, wish.repo)
    _check_folder(lock, folder)
    with _addressed(lock, folder, wish.repo) as page:
        refuse_secrets(page, hub.token(), wish.allowed)
        if not wish.create_pr and _holds_another_model(wish.repo):
            raise HubExpertError(
                f"{wish.repo} holds a model without a {DEFAULT_LOCK}, which would be written over.",
                fix=f"{OWN}, or propose it there: --create-pr",
            )
        yield page


def _check_worth(lock: Lock, compared: Compared | None) -> None:
    """See that the verdict is for it, and that it is not known to be worse than what it would replace."""
    if compared and compared.outcome == "worse" and compared.lock == digest_of(lock):
        raise HubExpertError(
            compared.sentence,
            fix="keep what is published, or change the recipe and `hubexpert run --compare published`; "
            "hubexpert publish --force publishes it nevertheless",
        )
    if lock.report.verdict != "ship":
        raise HubExpertError(
            f"The verdict is `{lock.report.verdict}`: {lock.report.sentence}",
            fix="hubexpert publish --force  (publishes it nevertheless; the card keeps the verdict)",
        )


def _check_permitted(lock: Lock) -> None:
    """See that the licences and the base permit that others get it; nothing overrules that."""
    check_licenses(lock)
    if is_folder(lock.base.repo):
        raise HubExpertError(
            "The base is a folder on this machine, which nobody else can load, and its path would be published.",
            fix="name the base by its Hub id in the recipe, then `hubexpert run`",
        )


def _check_named(repo: str) -> None:
    """See that it is the name of a repository, and an owner's."""
    if "/" not in repo or not REPO_ID.fullmatch(repo):
        raise HubExpertError(f"{repo!r} names no owner and repository.", fix=f"write it as owner/name: {TARGET}")


def _check_target(lock: Lock, repo: str) -> None:
    """See that the repository is named in full, and that no part of the mixture would be written over."""
    _check_named(repo)
    parts = (lock.base, *(expert.source for expert in lock.build.experts))
    if repo.casefold() in {part.repo.casefold() for part in parts}:
        raise HubExpertError(f"{repo} is a part of this mixture, which would be written over.", fix=OWN)


def _holds_another_model(repo: str) -> bool:
    """Whether there are weights in the repository that hubexpert did not publish; one request."""
    try:
        files = hub.look(repo).files
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        return False  # it is made, or the Hub says why it is not
    return DEFAULT_LOCK not in files and any(name.endswith(WEIGHTS) for name in files)


@contextmanager
def _addressed(lock: Lock, folder: Path, repo: str) -> Iterator[Path]:
    """A copy of the folder whose card names `repo`, for as long as the block lasts; weights are linked, not copied."""
    with ExitStack() as stack:
        try:
            page = Path(stack.enter_context(TemporaryDirectory(prefix="hubexpert-")))
            for file in published_files(lock):
                (page / file).parent.mkdir(parents=True, exist_ok=True)
                (page / file).symlink_to((folder / file).resolve())
            write_page(lock, page, repo=repo)
        except OSError as error:
            raise HubExpertError(
                f"Nothing was sent: the page cannot be written in {gettempdir()} ({error.strerror or error}).",
                fix="make room there, or set TMPDIR to a folder with room, then publish again",
            ) from error
        yield page


def commit_message(lock: Lock) -> str:
    """One line that is the same for equal locks."""
    task = plain(parse_recipe(lock.recipe, name="the recipe in the lock").task.name)
    return titled(f"{task}: {len(lock.build.experts)} experts on {plain(shown_name(lock.base.repo))}", lock)


def _check_folder(lock: Lock, folder: Path) -> None:
    """See that the folder was assembled from this lock and is whole."""
    kept = folder / DEFAULT_LOCK
    if not kept.is_file() or not (folder / "README.md").is_file():
        raise HubExpertError(f"There is nothing assembled in {folder}.", fix="hubexpert card")
    if not holds(kept, lock):
        raise HubExpertError(f"{folder} was assembled from another lock.", fix="hubexpert card")
    if missing := [name for name in PUBLISHED_FILES[:2] if name not in lock.build.files]:
        raise HubExpertError(f"The lock describes no {missing[0]}.", fix="hubexpert run")
    check_files(lock, folder)
