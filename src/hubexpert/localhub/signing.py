"""Signed addresses: LFS contents move without a token, as between the Hub and its storage."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from hubexpert.localhub.records import Refusal

Purpose = Literal["get", "put"]


@dataclass(frozen=True)
class Signer:
    """Signs with a secret that lives as long as the server; what it signs is valid for `lifetime` seconds."""

    secret: bytes = field(repr=False)
    lifetime: int

    def path(self, purpose: Purpose, sha256: str, claims: Mapping[str, str | int]) -> str:
        """The path and query under which one content can be fetched or put; the query carries the claims."""
        query = {**{name: str(value) for name, value in claims.items()}, "expires": str(self._now() + self.lifetime)}
        return f"/lfs/{sha256}?{urlencode({**query, 'signature': self._signature(purpose, sha256, query)})}"

    def check(self, purpose: Purpose, sha256: str, query: Mapping[str, str]) -> Mapping[str, str]:
        """The claims that were signed.

        Raises:
            Refusal: 403 when the address was not made by `path` for this purpose, or is too old.
        """
        claims = {name: value for name, value in query.items() if name != "signature"}
        expected, given = self._signature(purpose, sha256, claims), query.get("signature", "")
        if not hmac.compare_digest(expected.encode(), given.encode()) or int(claims["expires"]) < self._now():
            raise Refusal(403, "This address is not valid, or not any more.")
        return claims

    def _signature(self, purpose: Purpose, sha256: str, claims: Mapping[str, str]) -> str:
        text = f"{purpose}\n{sha256}\n{urlencode(sorted(claims.items()))}"
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    def _now(self) -> int:
        return int(time.time())
