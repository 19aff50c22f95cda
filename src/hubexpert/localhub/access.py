"""Who may do what. A refusal looks as on the Hub, where a private repository and a missing one look alike.

A user writes to the namespace of that name, be it in upper or lower case, and to every namespace that is no user's:
those are organisations, and everyone with a token is a member. A workflow's token is for one repository.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hubexpert.localhub.grants import Grants
from hubexpert.localhub.records import Refusal, Repo, RepoType, Scope, Token


@dataclass(frozen=True)
class Caller:
    """Who sends a request.

    Attributes:
        user: None for someone without a token.
        scope: what the token is for; `gated` reads what is gated, as its user may, and nothing that is private.
        only: the one repository, by type and id, that the token is for; elsewhere it is as good as none.
    """

    user: str | None = None
    scope: Scope | Literal["gated"] | None = None
    only: tuple[RepoType, str] | None = None


@dataclass(frozen=True)
class Access:
    """The tokens of a Hub, by their sha256, so that comparing one takes the same time whatever it holds."""

    callers: Mapping[bytes, Caller]
    grants: Grants = field(default_factory=Grants)

    @property
    def users(self) -> frozenset[str]:
        """Everyone who has a token, in lower case: `Alice` is no namespace for others than `alice`."""
        return frozenset(caller.user.lower() for caller in self.callers.values() if caller.user)

    def caller(self, authorization: str | None) -> Caller:
        """Who sent this `Authorization` header.

        Raises:
            Refusal: 401 on a token that is not known.
        """
        if not authorization:
            return Caller()
        scheme, _, value = authorization.partition(" ")
        digest = _digest(value.strip()) if scheme.lower() == "bearer" else b""
        found = self.callers.get(digest) or self.grants.caller(digest)
        if found is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return found

    def is_member(self, caller: Caller, namespace: str) -> bool:
        """Whether `caller` belongs to `namespace`: it is theirs, or an organisation."""
        name = namespace.lower()
        known = caller.user is not None and caller.only is None
        return known and (name == str(caller.user).lower() or name not in self.users)

    def holds(self, caller: Caller, repo: Repo) -> bool:
        """Whether `caller` belongs to the repository's namespace, or has a token for it alone."""
        return caller.only == (repo.type, repo.id) or self.is_member(caller, repo.author)

    def sees_private(self, caller: Caller) -> bool:
        """Whether listings show `caller` what is private, of the namespaces that they belong to."""
        return caller.user is not None and caller.only is None and caller.scope != "gated"

    def readable(self, caller: Caller, repo: Repo | None) -> Repo:
        """`repo`, when the caller may know of it.

        Raises:
            Refusal: `RepoNotFound`, 401 for someone without a token and 404 for others.
        """
        if repo is not None and (not repo.private or (caller.scope != "gated" and self.holds(caller, repo))):
            return repo
        if caller.user is None:
            raise Refusal(401, "Invalid username or password.", code="RepoNotFound")
        raise Refusal(404, "Repository not found", code="RepoNotFound")

    def may_open(self, caller: Caller, repo: Repo) -> bool:
        """Whether the caller may read the files of a repository they know of."""
        return not repo.gated or self.holds(caller, repo)

    def opened(self, caller: Caller, repo: Repo) -> None:
        """Pass when the caller may read the files of a repository they know of.

        Raises:
            Refusal: `GatedRepo`, 401 for someone without a token and 403 for others.
        """
        if self.may_open(caller, repo):
            return
        if caller.user is None:
            raise Refusal(401, f"Access to {repo.type} {repo.id} is restricted. Please log in.", code="GatedRepo")
        message = f"Access to {repo.type} {repo.id} is restricted and you are not in the authorized list."
        raise Refusal(403, message, code="GatedRepo")

    def owner(self, caller: Caller, namespace: str) -> str:
        """The user's name, when the caller may make and remove what is under `namespace`.

        Raises:
            Refusal: 401 without a token, 403 with a token for reading only, of another user, or of a workflow.
        """
        return self._writing(caller, namespace, self.is_member(caller, namespace))

    def writer(self, caller: Caller, repo: Repo) -> str:
        """The user's name, when the caller may write to a repository they know of.

        Raises:
            Refusal: 401 without a token, 403 with a token for reading only, of another user or for another repository.
        """
        return self._writing(caller, repo.author, self.holds(caller, repo))

    def speaker(self, caller: Caller, repo: Repo) -> str:
        """The user's name, when the caller may comment on a repository they know of, and propose changes.

        Raises:
            Refusal: 401 without a token, 403 with one that is for reading what is gated, or for another repository.
        """
        user = self.user(caller)
        if caller.scope == "gated" or caller.only not in (None, (repo.type, repo.id)):
            raise Refusal(403, "This token is not for proposals to this repository.")
        return user

    def _writing(self, caller: Caller, namespace: str, may: bool) -> str:
        user = self.user(caller)
        if caller.scope != "write":
            raise Refusal(403, "This token can only read: a token of scope 'write' is needed.")
        if not may:
            raise Refusal(403, f"You don't have the rights to write under the namespace {namespace!r}.")
        return user

    def user(self, caller: Caller) -> str:
        """The caller's name.

        Raises:
            Refusal: 401 when there is none.
        """
        if caller.user is None:
            raise Refusal(401, "Invalid username or password.")
        return caller.user


def access(tokens: Iterable[Token]) -> Access:
    """The access that these tokens give."""
    return Access({_digest(token.value): Caller(token.user, token.scope) for token in tokens})


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
