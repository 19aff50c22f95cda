"""Who may do what. A refusal looks as on the Hub, where a private repository and a missing one look alike.

A user writes to the namespace of that name, be it in upper or lower case, and to every namespace that is no user's:
those are organisations, and everyone with a token is a member.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hubexpert.localhub.records import Refusal, Repo, Scope, Token


@dataclass(frozen=True)
class Caller:
    """Who sends a request; `user` is None for someone without a token."""

    user: str | None = None
    scope: Scope | None = None


@dataclass(frozen=True)
class Access:
    """The tokens of a Hub, by their sha256, so that comparing one takes the same time whatever it holds."""

    callers: Mapping[bytes, Caller]

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
        found = self.callers.get(_digest(value.strip())) if scheme.lower() == "bearer" else None
        if found is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return found

    def is_member(self, caller: Caller, namespace: str) -> bool:
        """Whether `caller` belongs to `namespace`: it is theirs, or an organisation."""
        name = namespace.lower()
        return caller.user is not None and (name == caller.user.lower() or name not in self.users)

    def readable(self, caller: Caller, repo: Repo | None) -> Repo:
        """`repo`, when the caller may know of it.

        Raises:
            Refusal: `RepoNotFound`, 401 for someone without a token and 404 for others.
        """
        if repo is not None and (not repo.private or self.is_member(caller, repo.author)):
            return repo
        if caller.user is None:
            raise Refusal(401, "Invalid username or password.", code="RepoNotFound")
        raise Refusal(404, "Repository not found", code="RepoNotFound")

    def may_open(self, caller: Caller, repo: Repo) -> bool:
        """Whether the caller may read the files of a repository they know of."""
        return not repo.gated or self.is_member(caller, repo.author)

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

    def writer(self, caller: Caller, namespace: str) -> str:
        """The user's name, when the caller may write to `namespace`.

        Raises:
            Refusal: 401 without a token, 403 with a token for reading only or of another user.
        """
        user = self.user(caller)
        if caller.scope != "write":
            raise Refusal(403, "This token can only read: a token of scope 'write' is needed.")
        if not self.is_member(caller, namespace):
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
