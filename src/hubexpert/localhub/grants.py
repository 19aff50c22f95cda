"""Tokens that were given for an hour."""

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubexpert.localhub.access import Caller

LIFETIME = 3600  # seconds


class Grants:
    """The callers of these tokens, by their sha256; forgotten when the server stops."""

    def __init__(self) -> None:
        self._given: dict[bytes, tuple[float, Caller]] = {}

    def give(self, caller: "Caller") -> str:
        """A new token of the caller."""
        now = time.monotonic()
        self._given = {digest: each for digest, each in self._given.items() if each[0] > now}
        token = f"hf_jwt_{secrets.token_urlsafe(32)}"
        self._given[hashlib.sha256(token.encode()).digest()] = now + LIFETIME, caller
        return token

    def caller(self, digest: bytes) -> "Caller | None":
        """Whose token has this sha256; None where it is none, or none any more."""
        until, caller = self._given.get(digest, (0.0, None))
        return caller if until > time.monotonic() else None
