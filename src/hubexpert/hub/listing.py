"""What the Hub says about a model, as a record; strangers' text in it is cut."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.hub.license import stated_license
from hubexpert.kinds import WEIGHTS_FILE
from hubexpert.records import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
MOST = 50  # names of one kind that are read from one repository's tags
NAME = 300  # characters of such a name


@dataclass(frozen=True)
class Listing:
    """What the Hub says about a model.

    Attributes:
        source: the model at its present commit.
        base: the base that its `adapter_config.json` names, as the Hub has read it.
        bases: what its card names as its base: (relation, base), the relation `adapter`, `finetune`, `quantized`,
            `merge` or, where the Hub tells none, empty.
        files: the paths of its files.
        datasets: the datasets that its card cites.
        license_id: the licence's id; `other` where `source` may tell a name.
        sizes: bytes of its files, as far as they are told; none where only a listing was asked.
        issues: what the Hub's scans object to: (file, level), the level one of unsafe, malicious, suspicious, caution;
            None where only a listing was asked.
    """

    source: Source
    base: str | None
    bases: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    datasets: tuple[str, ...]
    author: str | None
    last_modified: str | None
    downloads: int
    likes: int
    gated: bool
    private: bool
    license_id: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    issues: tuple[tuple[str, str], ...] | None = None

    @property
    def size(self) -> int | None:
        """Bytes of its adapter's weights, where they are told."""
        return self.sizes.get(WEIGHTS_FILE)


def identified(raw: Mapping[str, Any]) -> tuple[str, str] | None:
    """The name and the commit of an entry of the Hub's API; None where it has no commit or its name is none."""
    repo, sha = raw.get("id"), raw.get("sha")
    if not (isinstance(repo, str) and isinstance(sha, str) and COMMIT.fullmatch(sha)):
        return None
    try:
        validate_repo_id(repo)
    except HFValidationError:
        return None
    return repo, sha


def listing(raw: Mapping[str, Any]) -> Listing | None:
    """An entry of the Hub's API as a record; None where it has no commit or its name is none."""
    if (known := identified(raw)) is None:
        return None
    repo, sha = known
    tags = [text(tag) for tag in _sequence(raw.get("tags")) if isinstance(tag, str)]
    card, config, status = (_mapping(raw.get(key)) for key in ("cardData", "config", "securityRepoStatus"))
    base = _mapping(config.get("peft")).get("base_model_name_or_path")
    files = {text(file.get("rfilename")): file.get("size") for file in map(_mapping, _sequence(raw.get("siblings")))}
    author, modified = raw.get("author"), raw.get("lastModified")
    found = [_mapping(issue) for issue in _sequence(status.get("filesWithIssues"))]
    return Listing(
        source=Source(repo=repo, revision=sha, license=stated_license(tags, card)),
        base=text(base) if isinstance(base, str) and base else None,
        bases=_bases(tags),
        files=tuple(files),
        datasets=_after("dataset:", tags),
        author=text(author) if isinstance(author, str) else repo.partition("/")[0],
        last_modified=text(modified) if isinstance(modified, str) else None,
        downloads=count(raw.get("downloads")) or 0,
        likes=count(raw.get("likes")) or 0,
        gated=bool(raw.get("gated")),
        private=bool(raw.get("private")),
        license_id=stated_license(tags, {"license": card.get("license")}),
        sizes={name: size for name, told in files.items() if (size := count(told)) is not None},
        issues=tuple((text(issue.get("path")), text(issue.get("level"))) for issue in found if issue)
        if "securityRepoStatus" in raw
        else None,
    )


def _bases(tags: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(relation, base) of the tags; the tag without a relation only where none has one for that base."""
    found: dict[str, str] = {}
    for value in _after("base_model:", tags):
        relation, _, name = value.partition(":")
        if relation in ("adapter", "finetune", "quantized", "merge"):
            found[name] = relation
        else:
            found.setdefault(value, "")
    return tuple((relation, name) for name, relation in found.items())


def _after(prefix: str, tags: Sequence[str]) -> tuple[str, ...]:
    """What follows the prefix, once each, in order; no more than a card has reason to hold."""
    return tuple(dict.fromkeys(tag[len(prefix) :] for tag in tags if tag.startswith(prefix)))[:MOST]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A number of something as the Hub tells it; None where it is none."""
    return value if type(value) is int and 0 <= value < 2**63 else None


def text(value: Any) -> str:
    """A stranger's text so that it can be written and sent: cut, and without lone surrogates."""
    return str(value)[:NAME].encode(errors="replace").decode()
