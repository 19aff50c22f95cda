"""The first rows of a dataset: a script that `first_rows` runs in a process of its own.

It reads `{"repo", "revision", "config", "split", "count"}` from stdin and writes `{"rows": [...]}` or
`{"error": "..."}` to stdout. It imports nothing of hubexpert, so that it runs from any folder: `datasets` would take a
folder of the dataset's name in the current one for the dataset.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

SECONDS = 60  # of computing
READING = 40.0  # seconds after which what was read is enough
ANSWER = 1 << 25  # characters of all rows
MEMORY = 4 << 30  # bytes
TEXT, ITEMS, DEPTH, VALUES = (
    2000,
    50,
    6,
    2000,
)  # characters of a text, items of a list or mapping, levels, values of a row


def cut(value: Any) -> Any:
    """`value` made of JSON types, cut short; bytes (images, audio) become `<binary>`."""
    return _cut(value, iter(range(VALUES)), 0)


def _cut(value: Any, left: Iterator[int], depth: int) -> Any:
    if next(left, None) is None:
        return None
    if value is None or isinstance(value, bool | int | float):
        return value if value == value and abs(value or 0) < 1 << 63 else None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "<binary>"
    if isinstance(value, dict):
        if set(value) == {"bytes", "path"}:  # a picture or a sound that was not decoded
            return "<binary>"
        return (
            {_text(key): _cut(item, left, depth + 1) for key, item in islice(value.items(), ITEMS)}
            if depth < DEPTH
            else {}
        )
    if isinstance(value, list | tuple):
        return [_cut(item, left, depth + 1) for item in value[:ITEMS]] if depth < DEPTH else []
    return _text(value)  # dates, decimals


def _text(value: Any) -> str:
    return str(value)[:TEXT].encode(errors="replace").decode()


def rows(repo: str, revision: str, config: str | None, split: str | None, count: int) -> list[Any]:
    """The first rows of the split, else of `train`, else of the first one; fewer where they are long or slow."""
    from datasets import get_dataset_config_names, load_dataset

    if config is None:
        names = get_dataset_config_names(repo, revision=revision)
        config = "default" if "default" in names else names[0]
    splits = load_dataset(repo, config, revision=revision, streaming=True)
    chosen = split or ("train" if "train" in splits else next(iter(splits)))
    data = splits[chosen]
    plain = data.decode(False) if data.features else data  # a file without types holds no pictures to decode
    until, room = time.monotonic() + READING, ANSWER
    found: list[Any] = []
    for row in map(cut, plain.take(count)):
        room -= len(json.dumps(row))
        if found and (room < 0 or time.monotonic() > until):
            break
        found.append(row)
    return found


def limit() -> None:
    """Bound this process: a file of a stranger may unpack to anything."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # there is no such thing on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def main() -> None:
    """Answer on stdout, which the libraries do not get to write on."""
    answer, sys.stdout = sys.stdout, sys.stderr
    limit()
    said: dict[str, Any]
    try:
        said = {"rows": rows(**json.load(sys.stdin))}
    except Exception as error:  # noqa: BLE001 - whatever the libraries say of a stranger's files is the answer
        status = getattr(getattr(error, "response", None), "status_code", 0)
        passing = isinstance(error, ConnectionError | TimeoutError) or status == 429 or status >= 500
        said = {"error": _text(f"{type(error).__name__}: {error}"), "passing": passing}
    answer.write(json.dumps(said))


if __name__ == "__main__":
    main()
