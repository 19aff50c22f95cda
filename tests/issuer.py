"""A real issuer of identities, as GitHub is one: it publishes its keys, and signs what workflows are."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers import Handler, Server, serving

REQUEST_TOKEN = "the-runner-may-ask"  # what GitHub puts into ACTIONS_ID_TOKEN_REQUEST_TOKEN
# what GitHub says of a push to main of the workflow that `hubexpert init --github` writes
PUSH = {
    "sub": "repo:octo/expert:environment:huggingface",
    "repository": "octo/expert",
    "ref": "refs/heads/main",
    "environment": "huggingface",
    "workflow_ref": "octo/expert/.github/workflows/hubexpert.yml@refs/heads/main",
}


class Issuer(Server):
    """Signs identities; `asked` are the paths it was asked for, `key` the number of the key it signs with."""

    def __init__(self) -> None:
        super().__init__(_Answer)
        self.asked: list[str] = []
        self.says: Mapping[str, str] = PUSH
        self.describes: dict[str, Any] = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        self.keys = [rsa.generate_private_key(65537, 2048)]

    def identity(self, audience: str | None, **changed: Any) -> str:
        """The signed identity of the workflow; `changed` claims, of which those that are None are left out."""
        now = int(time.time())
        claims = {"iss": self.address, "aud": audience, "iat": now, "exp": now + 300, **self.says, **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.keys[-1], "RS256", {"kid": str(len(self.keys))})

    def published(self) -> dict[str, Any]:
        """Its public keys."""
        shown = []
        for number, key in enumerate(self.keys, 1):
            public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            shown.append({**public, "kid": str(number), "alg": "RS256", "use": "sig"})
        return {"keys": shown}


class _Answer(Handler):
    server: Issuer

    def do_GET(self) -> None:
        """Tell of itself, of its keys, or, to a runner, of its workflow."""
        parts = urlsplit(self.path)
        self.server.asked.append(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            return self.reply(200, self.server.describes)
        if parts.path == "/keys":
            return self.reply(200, self.server.published())
        if parts.path == "/identity" and self.headers["Authorization"] == f"Bearer {REQUEST_TOKEN}":
            return self.reply(200, {"value": self.server.identity(parse_qs(parts.query)["audience"][0])})
        self.reply(403, {})

    def reply(self, status: int, value: Mapping[str, Any]) -> None:
        """Send JSON."""
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def issuer() -> Iterator[Issuer]:
    """An issuer that answers while the block runs."""
    with serving(Issuer()) as server:
        yield server
