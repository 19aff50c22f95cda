"""What publishing would do, for people: the page's texts against those that are published."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from hubexpert import hub
from hubexpert.lock import DEFAULT_LOCK
from hubexpert.records import Source

DIFFED = ("README.md", DEFAULT_LOCK)
DIFF_LINES = 100  # shown of one file
LONGEST = 4_000_000  # bytes; of longer texts the beginning is compared
MOST_LINES = 20_000  # of longer texts likewise; comparing so many takes seconds


@dataclass(frozen=True)
class Diff:
    """How the text of one file would change.

    Attributes:
        file: its name in the repository.
        lines: of a unified diff, without line ends; text of strangers among them.
        more: how many lines were cut off.
    """

    file: str
    lines: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Preview:
    """What publishing would do: how the files differ, and how the texts among them do."""

    comparison: hub.Comparison
    diffs: tuple[Diff, ...]

    @property
    def upload(self) -> int:
        """Bytes that would be sent; fewer where the Hub has a file's content already."""
        return sum(each.here or 0 for each in self.comparison.files if each.change in ("added", "changed"))


def preview(repo: str, page: Path, *, create_pr: bool, revision: str | None, tag: str | None) -> Preview:
    """What publishing that page would do; the Hub is read, nothing is sent.

    Args:
        repo: `owner/name`.
        page: the folder that would be sent.
        create_pr: as in `hub.publish`.
        revision: as in `hub.publish`.
        tag: as in `hub.publish`.

    Raises:
        HubExpertError: publishing would be refused, or the Hub cannot be reached.
    """
    compared = hub.compare(repo, page, create_pr=create_pr, revision=revision, tag=tag)
    changed = [each.file for each in compared.files if each.change == "changed" and each.file in DIFFED]
    diffs = [_diff(repo, compared.commit or "", page, name) for name in changed]
    return Preview(compared, tuple(diffs))


def _diff(repo: str, commit: str, page: Path, name: str) -> Diff:
    there = hub.read_text(Source(repo=repo, revision=commit), name, LONGEST).splitlines()
    with (page / name).open("rb") as file:
        here = file.read(LONGEST).decode("utf-8", errors="replace").splitlines()
    return diff_of(name, there[:MOST_LINES], here[:MOST_LINES])


def diff_of(name: str, there: list[str], here: list[str]) -> Diff:
    """The unified diff of two texts, cut after `DIFF_LINES`."""
    lines = list(difflib.unified_diff(there, here, f"published/{name}", f"new/{name}", lineterm=""))
    return Diff(name, tuple(lines[:DIFF_LINES]), max(0, len(lines) - DIFF_LINES))
