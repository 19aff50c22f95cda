"""Who vouches for workflows: their keys, as they publish them, and what they said of a workflow."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import jwt

from hubexpert.localhub.publishers import is_safe

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")  # of a public key, every one
_REQUIRED = ("iss", "sub", "aud", "exp", "iat")
_CLOCKS = 60  # seconds that two clocks may differ by
_KEPT, _AGAIN = 600, 10  # seconds: how long keys are kept; after which a key that is not among them is looked for again
_TIMEOUT = 10  # seconds
_MOST = 1024 * 1024  # bytes of an answer


class NotVouchedFor(Exception):
    """Nobody who is trusted says that; the message is for who runs the server."""


class Issuers:
    """Checks what issuers signed, with the keys that they publish (OpenID Connect Discovery 1.0, section 4)."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, jwt.PyJWKSet]] = {}

    async def claims(self, identity: str, issuer: str, audience: str) -> Mapping[str, Any]:
        """What the issuer says of the workflow that holds this identity token.

        Raises:
            NotVouchedFor: the token was not signed by the issuer, is for another audience, or is not valid now.
        """
        try:
            key = await self._key(issuer, str(jwt.get_unverified_header(identity).get("kid")))
            options: Any = {"require": list(_REQUIRED)}
            return jwt.decode(identity, key, _ALGORITHMS, options, audience=audience, issuer=issuer, leeway=_CLOCKS)
        except (jwt.PyJWTError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError) as error:
            raise NotVouchedFor(f"{type(error).__name__}: {error}") from error

    async def _key(self, issuer: str, name: str) -> jwt.PyJWK:
        """The issuer's key of that name; KeyError where there is none."""
        fetched, keys = self._keys.get(issuer, (0.0, None))
        age = time.monotonic() - fetched
        if keys is None or age > _KEPT or (age > _AGAIN and not _has(keys, name)):
            keys = await _published(issuer)
            self._keys[issuer] = time.monotonic(), keys
        return keys[name]


def issuer_of(identity: str) -> str:
    """Who is said to have signed this identity token, which nothing has checked yet; empty where it is none."""
    try:
        return str(jwt.decode(identity, options={"verify_signature": False}).get("iss", ""))
    except (jwt.PyJWTError, ValueError):
        return ""


def _has(keys: jwt.PyJWKSet, name: str) -> bool:
    return any(key.key_id == name for key in keys.keys)


async def _published(issuer: str) -> jwt.PyJWKSet:
    async with httpx2.AsyncClient(timeout=_TIMEOUT) as client:
        described = await _object(client, f"{issuer}/.well-known/openid-configuration")
        if described.get("issuer") != issuer or not is_safe(str(described.get("jwks_uri"))):
            raise ValueError(f"{issuer} describes another issuer, or keys that anybody could have changed")
        return jwt.PyJWKSet.from_dict(await _object(client, str(described["jwks_uri"])))


async def _object(client: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    """The JSON object at an address; ValueError where there is none. Redirects are not followed."""
    content = bytearray()
    async with client.stream("GET", address) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{address} answers {answer.status_code}")
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > _MOST:
                raise ValueError(f"{address} sends more than {_MOST:,} bytes")
    value = json.loads(bytes(content))
    if not isinstance(value, dict):
        raise ValueError(f"{address} sends no JSON object")
    return value
