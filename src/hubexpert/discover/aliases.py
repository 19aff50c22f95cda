"""Short names of bases: what people write -> the model's id on the Hub. An alias has one meaning, or is an error."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from hubexpert.discover.known import BASES, FORMER_NAMES, SEVERAL, SYNONYMS
from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.recipe import is_folder

SHOWN = 10  # choices that a message lists


class AmbiguousBaseError(HubExpertError):
    """A name that means several bases.

    Attributes:
        choices: their ids.
    """

    def __init__(self, name: str, choices: Sequence[str], *, notes: Sequence[str] = ()) -> None:
        """`notes` says something about each of the choices; with none, the message gives their ids alone."""
        told = [f"{repo} ({note})" for repo, note in zip(choices, notes, strict=True)] if notes else choices
        more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        listed = ", ".join(clean(entry) for entry in told[:SHOWN])
        message = f"The base {clean(name, longest=80)!r} may be any of: {listed}{more}."
        super().__init__(message, fix="give one of them: --base ID  (in a recipe, `base: ID`)")
        self.choices = tuple(choices)


class UnknownBaseError(HubExpertError):
    """A name that no alias explains; the Hub may know it."""


def plain(name: str) -> str:
    """The name without case, spaces, dashes and underscores, but for one dash between digits: 2-7b is not 27b."""
    kept = re.sub(r"(?<=\d)[\s_\-]+(?=\d)", "-", name.lower())
    return re.sub(r"(?<!\d)[\s_\-]+|[\s_\-]+(?!\d)", "", kept)


def short_name(repo: str) -> str:
    """The name in `repo` without what people leave out: `Meta-` before it, `-hf` behind."""
    return re.sub(r"(?i)^meta[-_]|[-_]hf$", "", repo.rpartition("/")[2])


def _meanings() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every name with the ids it stands for; where one comes twice, the first counts."""
    yield from ((repo.partition("/")[2], (repo,)) for repo in BASES)
    yield from ((former.rpartition("/")[2], (present,)) for former, present in FORMER_NAMES.items())
    yield from ((name, (repo,)) for name, repo in SYNONYMS.items())
    yield from ((short_name(repo).lower(), (repo,)) for repo in BASES)
    yield from SEVERAL.items()


_WRITTEN: Mapping[str, str] = MappingProxyType({plain(name): name for name, _ in reversed([*_meanings()])})
_MEANT: Mapping[str, tuple[str, ...]] = MappingProxyType({plain(n): ids for n, ids in reversed([*_meanings()])})
_SPELLED: Mapping[str, str] = MappingProxyType({repo.lower(): repo for repo in (*BASES, *FORMER_NAMES)})


def meanings(name: str) -> tuple[str, ...]:
    """The ids that the name, written without an owner, stands for in the table; none for a name it does not hold."""
    return _MEANT.get(plain(name), ())


def names_of(base: str) -> tuple[str, ...]:
    """The names under which adapters may carry the base: the one given, the present one, former ones."""
    spelled = _SPELLED.get(base.lower(), base)
    present = FORMER_NAMES.get(spelled, spelled)
    former = (name for name, now in FORMER_NAMES.items() if now == present)
    return tuple(dict.fromkeys((base, present, *former)))


def short_names(base: str) -> frozenset[str]:
    """What a copy of the base may be called, as `plain` writes it; never the name of another known base."""
    ids = {name.lower() for name in names_of(base)}
    written = {plain(name.rpartition("/")[2]) for name in names_of(base)} | {plain(short_name(base))}
    aliases = {name for name, meant in _MEANT.items() if len(meant) == 1 and meant[0].lower() in ids}
    return frozenset(aliases | {name for name in written if name not in _MEANT})


def same_base(name: str, base: str) -> bool:
    """Whether `name`, as an adapter states it, is the base; case and a slash at the end do not count.

    A base in a folder is only what is named by the same path.
    """
    if is_folder(base):
        return name.rstrip("/") == base.rstrip("/")
    stated = name.strip().rstrip("/").lower()
    return any(stated == known.rstrip("/").lower() for known in names_of(base))


def split_base(base: str) -> tuple[str, str | None]:
    """The base as written, without the revision asked for after `@`, and that revision (None: none)."""
    if is_folder(base):
        return base.rstrip("/") or base, None
    name, _, revision = base.strip().partition("@")
    return name.strip(), revision or None


def canonical_base(base: str) -> tuple[str, str | None]:
    """The base's id on the Hub, or its folder as written, and the revision asked for after `@` (None: none).

    Raises:
        AmbiguousBaseError: the alias means several.
        UnknownBaseError: it is neither a folder, nor `owner/name`, nor a known alias.
        HubExpertError: there is no name in it.
    """
    name, revision = split_base(base)
    if is_folder(base) or "/" in name:
        return name, revision
    if not plain(name):
        raise HubExpertError("The base has no name.", fix="give an alias or the full id, `owner/name`")
    found = meanings(name)
    if len(found) > 1:
        raise AmbiguousBaseError(name, found)
    if not found:
        message = f"There is no alias {clean(name, longest=80)!r} for a base."
        raise UnknownBaseError(message, fix=f"{did_you_mean(name)}give the full id, `owner/name`")
    return found[0], revision


def did_you_mean(name: str) -> str:
    """The beginning of a sentence that names the nearest aliases; nothing where none is near."""
    close = difflib.get_close_matches(plain(name), list(_WRITTEN), n=6, cutoff=0.6)
    nearest = {_MEANT[near]: _WRITTEN[near].lower() for near in reversed(close)}  # of two names for one, the nearer
    shown = list(reversed(nearest.values()))[:3]
    return f"did you mean {' or '.join(shown)}? Else " if shown else ""
