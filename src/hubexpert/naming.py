"""Whether a name, as people put it together, names a dataset."""

import re
from itertools import accumulate

LONGEST = 200  # characters of a name
BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")  # between the words of `ARCEasy`


def is_named(own: str, name: str) -> bool:
    """Whether a name names the dataset `own`: whole words of its last part, however they are put together, are it.

    `me/llama-arc-easy-lora` names `ai2/ARCEasy` and `arc_easy`; `me/search-lora` does not name `arc`.
    """
    wanted, parts = "".join(_parts(own)), _parts(name)
    return bool(wanted) and any(wanted in accumulate(parts[start:]) for start in range(len(parts)))


def _parts(name: str) -> list[str]:
    """The words of a repository's name without its owner."""
    last = name.rstrip("/").rpartition("/")[2][:LONGEST]
    return [part.casefold() for part in re.split(r"[\W_]+", BREAK.sub(" ", last)) if part]
