"""Rows of a dataset: a script that `hub/rows.py` runs in a process of its own.

It reads from stdin what is asked, the arguments of `first`, with `into` of `spread`, or with `begin` of `every`, and
writes its answer, or `{"error": "..."}`, to stdout. It imports nothing of hubexpert, so that it runs from any folder:
`datasets` would take a folder of the dataset's name in the current one for the dataset.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

ANSWER = 1 << 25  # characters of all first rows
ROOM = 1 << 27  # characters of all rows that are spread over a split
MEMORY = 4 << 30  # bytes
MORE = 20  # seconds of computing beyond those of reading
BATCH = 256  # rows that are read at once
DEPTH = 6  # levels
CLASSES = 2000  # of one column


class Bounds(NamedTuple):
    """What one row may hold; more is cut.

    Attributes:
        text: characters of a text.
        items: of a list or mapping.
        values: of a row.
        characters: of all texts of a row.
        binary: what stands for bytes (images, audio).
    """

    text: int
    items: int
    values: int
    characters: int
    binary: str | None


SHOWN = Bounds(text=2000, items=50, values=2000, characters=4_000_000, binary="<binary>")
# To be trained on: 20,000 characters are more tokens than are trained on by default, several times over.
LEARNT = Bounds(text=20_000, items=1000, values=5000, characters=100_000, binary=None)
# To be cut into passages: a long book.
LOOKED_UP = Bounds(text=4_000_000, items=1000, values=100_000, characters=4_000_000, binary=None)


@dataclass
class _Left:
    """What is left of a row's bounds, and whether anything was cut."""

    bounds: Bounds
    values: int
    characters: int
    cut: bool = False


def cut(row: Any, bounds: Bounds = SHOWN) -> tuple[dict[str, Any], list[str]]:
    """The row made of JSON types, within the bounds, and its columns that were cut."""
    left = _Left(bounds, bounds.values, bounds.characters)
    shorter: dict[str, Any] = {}
    harmed = []
    for name, value in islice(row.items(), bounds.items):
        left.cut = False
        key = _text(name, left)
        shorter[key] = _cut(value, left, 1)
        if left.cut:
            harmed.append(key)
    return shorter, harmed


def _cut(value: Any, left: _Left, depth: int) -> Any:
    left.values -= 1
    if left.values < 0:
        left.cut = True
        return None
    if value is None or isinstance(value, bool | int | float):
        return value if value == value and abs(value or 0) < 1 << 63 else None
    if isinstance(value, str):
        return _text(value, left)
    if isinstance(value, bytes | bytearray | memoryview):
        return left.bounds.binary
    if isinstance(value, dict):
        if set(value) == {"bytes", "path"}:  # a picture or a sound that was not decoded
            return left.bounds.binary
        return {_text(key, left): _cut(item, left, depth + 1) for key, item in _few(list(value.items()), left, depth)}
    if isinstance(value, list | tuple):
        return [_cut(item, left, depth + 1) for item in _few(value, left, depth)]
    return _text(value, left)  # dates, decimals


def _few(items: Any, left: _Left, depth: int) -> Any:
    """The items that the bounds allow."""
    most = left.bounds.items if depth < DEPTH else 0
    left.cut |= len(items) > most
    return items[:most]


def _text(value: Any, left: _Left) -> str:
    text = str(value)
    most = min(left.bounds.text, left.characters)
    left.cut |= len(text) > most
    text = text[:most].encode(errors="replace").decode()
    left.characters -= len(text)
    return text


@dataclass
class Spread:
    """Rows kept from a stream of unknown length, evenly: every one at first, then every second one, fourth, ...

    Whenever twice as many as wanted are kept, or more characters than there is room for, every second one is dropped.
    Wherever the stream ends, `kept` spreads evenly over what has passed, and nobody has to say how long it is.

    Attributes:
        wanted: how many at most.
        room: characters of all.
        step: every how many rows one is kept.
        lines: row -> its text, in order.
    """

    wanted: int
    room: int = ROOM
    step: int = 1
    lines: dict[int, str] = field(default_factory=dict)
    _used: int = 0

    def add(self, row: int, line: str) -> None:
        """Keep a row whose number is a multiple of `step`."""
        self.lines[row] = line
        self._used += len(line)
        while len(self.lines) > 1 and (len(self.lines) >= 2 * self.wanted or self._used > self.room):
            self.step *= 2
            self.lines = {row: line for row, line in self.lines.items() if row % self.step == 0}
            self._used = sum(map(len, self.lines.values()))

    def kept(self) -> list[str]:
        """At most `wanted` lines, in order."""
        found = list(self.lines.values())
        count = min(self.wanted, len(found))
        return [found[place * len(found) // count] for place in range(count)]


def spread(
    repo: str, revision: str, config: str | None, split: str | None, count: int, seconds: float, into: str
) -> Any:
    """Write at most `count` rows, spread over the split, to the file `into`: `[row, columns, columns cut]` a line.

    Returns the configuration and split that were read, how many rows it has (None where time was up before its end),
    and the names of its columns' classes.
    """
    data, config, split = _opened(repo, revision, config, split)
    kept, passed, until = Spread(count), 0, time.monotonic() + seconds
    ended = True
    for table in data.with_format("arrow").iter(batch_size=BATCH):
        places = list(range(-passed % kept.step, table.num_rows, kept.step))
        for place, row in zip(places, table.take(places).to_pylist(), strict=True):
            if (passed + place) % kept.step == 0:  # it may have grown since
                shorter, harmed = cut(_decoded(data.features, row), LEARNT)
                kept.add(passed + place, json.dumps([passed + place, shorter, harmed]))
        passed += table.num_rows
        if time.monotonic() > until:
            ended = False
            break
    with Path(into).open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in kept.kept())
    classes = dict(_classes("", data.features))
    return {"config": config, "split": split, "total": passed if ended else None, "classes": classes}


def every(repo: str, revision: str, kept: list[str], begin: int, seconds: float, answer: IO[str]) -> Any:
    """Write the rows from that number on as they are read, a line each: `[row, columns]`, of columns those to be kept.

    The first line tells the names of all columns and those of their classes; returns how many rows there are.
    """
    data, _, _ = _opened(repo, revision, None, None)
    passed, told = 0, False
    for table in data.with_format("arrow").iter(batch_size=BATCH):
        if not told:
            about = {"columns": table.column_names[:CLASSES], "classes": dict(_classes("", data.features))}
            answer.write(json.dumps(about) + "\n")
            told = True
        held = table.select([name for name in table.column_names if name in kept])
        rows = held.to_pylist() if held.column_names else [{}] * table.num_rows
        for place in range(max(0, begin - passed), table.num_rows):
            shorter, _ = cut(_decoded(data.features, rows[place]), LOOKED_UP)
            answer.write(json.dumps([passed + place, shorter]) + "\n")
        passed += table.num_rows
        answer.flush()
    return {"total": passed}


def first(repo: str, revision: str, config: str | None, split: str | None, count: int, seconds: float) -> Any:
    """The first rows; fewer where they are long or slow."""
    data, _, _ = _opened(repo, revision, config, split)
    plain = data.decode(False) if data.features else data  # a file without types holds no pictures to decode
    until, room = time.monotonic() + seconds, ANSWER
    found: list[Any] = []
    for row in plain.take(count):
        shorter, _ = cut(_decoded(data.features, row))
        room -= len(json.dumps(shorter))
        if found and (room < 0 or time.monotonic() > until):
            break
        found.append(shorter)
    return {"rows": found}


def _opened(repo: str, revision: str, config: str | None, split: str | None) -> tuple[Any, str, str]:
    """The split's rows as a stream, else those of `train`, else of the first one; configuration and split."""
    from datasets import get_dataset_config_names, load_dataset

    if config is None:
        names = get_dataset_config_names(repo, revision=revision)
        config = "default" if "default" in names else names[0]
    splits = load_dataset(repo, config, revision=revision, streaming=True)
    chosen = split or ("train" if "train" in splits else next(iter(splits)))
    return splits[chosen], config, str(chosen)


def _decoded(feature: Any, value: Any) -> Any:
    """The value with what `datasets` keeps as text of JSON (values of mixed types) read; pictures stay as they are."""
    if type(feature).__name__ == "Json" and isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    if isinstance(feature, dict) and isinstance(value, dict):
        return {key: _decoded(feature.get(key), held) for key, held in value.items()}
    inside = getattr(feature, "feature", None)
    if inside is not None and isinstance(value, list):
        return [_decoded(inside, held) for held in value]
    return value


def _classes(path: str, feature: Any) -> Iterator[tuple[str, list[str]]]:
    """Column by its path with dots, and the names of its classes."""
    if isinstance(feature, dict):
        for name, held in feature.items():
            yield from _classes(f"{path}.{name}" if path else str(name), held)
    elif getattr(feature, "feature", None) is not None:
        yield from _classes(path, feature.feature)
    elif isinstance(names := getattr(feature, "names", None), list):
        yield path, [str(name)[:200].encode(errors="replace").decode() for name in names[:CLASSES]]


def limit(seconds: float) -> None:
    """Bound this process: a file of a stranger may unpack to anything."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # there is no such thing on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (round(seconds) + MORE, round(seconds) + MORE))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def main() -> None:
    """Answer on stdout, which the libraries do not get to write on."""
    answer, sys.stdout = sys.stdout, sys.stderr
    asked = json.load(sys.stdin)
    limit(asked["seconds"])
    said: dict[str, Any]
    try:
        if "begin" in asked:
            said = every(**asked, answer=answer)
        else:
            said = spread(**asked) if "into" in asked else first(**asked)
    except Exception as error:  # noqa: BLE001 - whatever the libraries say of a stranger's files is the answer
        status = getattr(getattr(error, "response", None), "status_code", 0)
        passing = isinstance(error, ConnectionError | TimeoutError) or status == 429 or status >= 500
        told = f"{type(error).__name__}: {error}"[:2000]
        said = {"error": told.encode(errors="replace").decode(), "passing": passing}
    answer.write(json.dumps(said))


if __name__ == "__main__":
    main()
