"""Trusted publishers: which workflows, of whatever provider, may act on which repository without a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hubexpert.errors import HubExpertError
from hubexpert.localhub.hosts import is_loopback
from hubexpert.localhub.names import is_namespace, is_repo_id

_FORM = "Write a list of {resource, issuer, claims}: see docs/local-hub.md."
_MEMBERS = {"resource", "issuer", "claims", "read_only"}


@dataclass(frozen=True)
class Publisher:
    """A workflow that may have a token for one resource.

    Attributes:
        resource: `owner/name` or `datasets/owner/name`, which the token may write to; or a user, as whom it reads what
            is gated, and nothing that is private.
        issuer: who vouches for the workflow, by OpenID Connect: an address without a slash at its end.
        claims: what the issuer must say of the workflow, each to the letter.
        read_only: the token for a repository reads it only.

    Raises:
        HubExpertError: one of them cannot be used, or no claim is asked for.
    """

    resource: str
    issuer: str
    claims: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False

    def __post_init__(self) -> None:
        if not (self.is_user or is_repo_id(self.resource.removeprefix("datasets/"))):
            raise HubExpertError(f"A publisher's resource is no repository and no user: {self.resource!r}.", fix=_FORM)
        if not is_safe(self.issuer) or self.issuer.endswith("/"):
            raise HubExpertError(
                f"A publisher's issuer is no address that can be trusted: {self.issuer!r}.",
                fix="Give it with https:// (http:// for this machine alone) and without a slash at the end.",
            )
        if not self.claims:
            # GitHub vouches for everybody's workflows
            raise HubExpertError(
                f"The publisher of {self.resource} asks for no claim: anybody's workflow would do.",
                fix="Ask for `repository` at least, and better for `ref`, too.",
            )

    @property
    def is_user(self) -> bool:
        """Whether the resource is a user."""
        return is_namespace(self.resource)


@dataclass(frozen=True)
class Trust:
    """Whom a Hub trusts.

    Attributes:
        publishers: the workflows that may have a token.
        audience: what an identity must have been made for: the Hub's address, as its clients name it.
    """

    publishers: tuple[Publisher, ...]
    audience: str


def is_safe(address: str) -> bool:
    """Whether what comes from there cannot have been changed on the way: https, or this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:  # no address
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    )


def read_publishers(file: Path) -> tuple[Publisher, ...]:
    """The publishers of a YAML file.

    Raises:
        HubExpertError: it cannot be read, or holds something else.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HubExpertError(f"{file} cannot be read: {error}.", fix=_FORM) from error
    if not isinstance(content, list) or not content:
        raise HubExpertError(f"{file} holds no list of publishers.", fix=_FORM)
    return tuple(_publisher(file, each) for each in content)


def _publisher(file: Path, each: Any) -> Publisher:
    texts, claims = ("resource", "issuer"), each.get("claims") if isinstance(each, dict) else None
    if (
        not isinstance(claims, dict)
        or not each.keys() <= _MEMBERS
        or not all(isinstance(each.get(name), str) for name in texts)
        or not all(isinstance(text, str) for pair in claims.items() for text in pair)
        or not isinstance(each.get("read_only", False), bool)
    ):
        raise HubExpertError(f"{file}: this is no publisher: {each!r}.", fix=_FORM)
    return Publisher(each["resource"], each["issuer"], claims, each.get("read_only", False))
