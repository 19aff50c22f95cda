"""The records of the local Hub: files, edits, commits, repositories, tokens, and the one refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hubexpert.errors import HubExpertError
from hubexpert.localhub.names import is_namespace

RepoType = Literal["model", "dataset"]
Scope = Literal["read", "write"]

MAIN = "refs/heads/main"
LOCAL_AUTHOR = "local"  # who commits when no server, and so no token, is involved

_FORM = "Give it as TOKEN:USER:read or TOKEN:USER:write, with a user like 'me'."


class Refusal(Exception):
    """A request the Hub turns down.

    Attributes:
        status: the HTTP status.
        message: one sentence, sent as `X-Error-Message`.
        code: sent as `X-Error-Code` (`RepoNotFound`, `RevisionNotFound`, …); empty where the Hub sends none.
        body: further members of the JSON answer.
    """

    def __init__(self, status: int, message: str, *, code: str = "", body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.body = dict(body or {})


@dataclass(frozen=True)
class Token:
    """An access token of one user; its value is never shown.

    Raises:
        HubExpertError: on an empty value, an unusable user name or an unknown scope.
    """

    value: str = field(repr=False)
    user: str
    scope: Scope

    def __post_init__(self) -> None:
        if not self.value or any(c.isspace() for c in self.value):
            raise HubExpertError("An access token is empty or holds white space.", fix=_FORM)
        # Nothing is quoted: where the parts were given in another order, any of them is the secret.
        if not is_namespace(self.user):
            raise HubExpertError("The user of an access token is no user name.", fix=_FORM)
        if self.scope not in ("read", "write"):
            raise HubExpertError("The scope of an access token is neither 'read' nor 'write'.", fix=_FORM)


@dataclass(frozen=True)
class FileEntry:
    """One file of a commit: its git blob id (of the pointer when `lfs`), and the size and sha256 of its content."""

    oid: str
    size: int
    sha256: str
    lfs: bool


Files = Mapping[str, FileEntry]


@dataclass(frozen=True)
class Edit:
    """One change of a commit: put `entry` at `path`, or delete the file, or the folder, when `entry` is None."""

    path: str
    entry: FileEntry | None = None
    folder: bool = False


@dataclass(frozen=True)
class Commit:
    """A commit without its files (`commits.load_files` yields those); `summary` is what was computed from them."""

    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Repo:
    """A repository; `head` is the commit of its main branch, `gated` is empty, `auto` or `manual`."""

    key: int
    type: RepoType
    id: str
    private: bool
    gated: str
    created: str
    modified: str
    head: str
    downloads: int

    @property
    def author(self) -> str:
        """The user or organisation the repository belongs to."""
        return self.id.split("/")[0]


def timestamp() -> str:
    """The present moment as the Hub writes it: ISO 8601, UTC, milliseconds, `Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
