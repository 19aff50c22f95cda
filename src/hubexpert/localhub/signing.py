"""Signed addresses: LFS contents move without a token, as between the Hub and its storage."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from hubexpert.localhub.records import Refusal

_LIFETIME = 3600  # seconds

Purpose = Literal["get", "put"]


@dataclass(frozen=True)
class Signer:
    """Signs with a secret that lives as long as the server."""

    secret: bytes = field(repr=False)

    def path(self, purpose: Purpose, sha256: str, size: int, name: str = "") -> str:
        """The path and query under which one content can be fetched (as a file of that name) or put for an hour."""
        expires = int(time.time()) + _LIFETIME
        signature = self._signature(purpose, sha256, str(size), str(expires), name)
        query = {"size": size, "expires": expires, "name": name, "signature": signature}
        return f"/lfs/{sha256}?{urlencode(query)}"

    def check(self, purpose: Purpose, sha256: str, query: Mapping[str, str]) -> int:
        """The size that was signed.

        Raises:
            Refusal: 403 when the address was not made by `path` for this purpose, or is too old.
        """
        size, expires = query.get("size", ""), query.get("expires", "")
        good = hmac.compare_digest(
            self._signature(purpose, sha256, size, expires, query.get("name", "")).encode(),
            query.get("signature", "").encode(),
        )
        if not good or int(expires) < time.time():
            raise Refusal(403, "This address is not valid, or not any more.")
        return int(size)

    def _signature(self, *parts: str) -> str:
        return hmac.new(self.secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()
