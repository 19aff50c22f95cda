"""Names and sentences without the paths and keys of this machine: locks are published."""

import re
from pathlib import Path
from typing import Any

HERE = ("/", "~")  # how paths begin that hold on this machine alone
OWN = {"instruction", "name"}  # the user's own words, shown as they are
FILES = {"shots", "test", "metric", "encoder", "model"}  # a path here cannot be taken for another name
TOLD = {"reason", "reasons", "remarks", "sentence", "note", "unread"}  # sentences; those of libraries may name files
QUOTED = r"""(?<=['"`])(?:/(?!/)|~)[^'"`\n]+(?=['"`])"""
BARE = r"""(?<![^\s"'`(\[{<=,;:|])(?:/(?!/)|~[\w.-]*/)[^\s"'`)\]}>,;:|]+"""
PATH = re.compile(f"{QUOTED}|{BARE}")
# user and password before the host, a query behind the path: both may hold keys
ADDRESS = re.compile(r"""(https?://)(?:[^/\s@'"]*@)?([^\s?#'"`)>]*)(?:[?#][^\s'"`)>]*)?""")


def placeless(part: Any, key: str = "") -> Any:
    """A part of a lock, as JSON, with every absolute path, and every path in a home, as its last part.

    In sentences also addresses lose what may hold keys.

    Args:
        part: of the lock, or all of it.
        key: where it stands.
    """
    if isinstance(part, dict):
        return {unplaced(name): placeless(each, key if key in TOLD else name) for name, each in part.items()}
    if isinstance(part, list):
        return [placeless(each, key) for each in part]
    if not isinstance(part, str) or key in OWN:
        return part
    if key in TOLD:
        return PATH.sub(lambda found: Path(found[0]).name, ADDRESS.sub(r"\1\2", part))
    return shortened(part) if key in FILES else unplaced(part)


def shortened(path: str) -> str:
    """The last part of an absolute path, or of one in a home; anything else as it is."""
    return Path(path).name if path.startswith(HERE) else path


def unplaced(name: str) -> str:
    """A source's name without the path of this machine: of files still told to be files."""
    return f"./{shortened(name)}" if name.startswith(HERE) else name
