"""Passages and their index on disk."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.knowledge import Index, open_index, pinned, search
from hubexpert.knowledge.write import CHUNK, DONE, FILES, Done
from hubexpert.recipe import KnowledgeSection
from hubexpert.records import Passage, Source
from tests.rows.test_local import write

PARENT = Path(__file__).parents[2]


def made(folder: Path, sources: tuple[Source, ...], beside: Path, **section: int) -> Index:
    asked = KnowledgeSection(sources=tuple(each.repo for each in sources), **section)
    return open_index(folder, sources, asked, beside, quiet=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_passage_knows_its_source_row_and_part(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": " "}, {"text": "one two\nthree", "title": " A\x00 title\n" + "x" * 999})
    (tmp_path / "b.txt").write_text(" ".join(f"w{n}" for n in range(20)))
    a, b = pinned(["a.jsonl", "b.txt"], tmp_path)
    index = made(tmp_path / "indexes", (a, b), tmp_path, words=8, overlap=2)
    assert len(index) == 4 and index.about.counts == (1, 3)
    assert index[0] == Passage(source=a, row=1, part=0, title=("A title " + "x" * 999)[:300], text="one two three")
    assert [(p.source, p.row, p.part) for p in index.at([1, 3, 2])] == [(b, 0, 0), (b, 0, 2), (b, 0, 1)]
    assert index[2].text == "w6 w7 w8 w9 w10 w11 w12 w13"
    for number in (-1, 4):
        with pytest.raises(IndexError):
            index[number]


def test_an_index_is_made_once_for_the_same_texts_cut_the_same_way(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": "one two three"})
    sources = pinned(["a.jsonl"], tmp_path)
    index = made(tmp_path / "indexes", sources, tmp_path)
    (tmp_path / "a.jsonl").unlink()  # nothing is read again
    again = made(tmp_path / "indexes", sources, tmp_path)
    assert again.folder == index.folder and again[0] == index[0]
    left = set(contents(index.folder))
    assert left == {"about.json", "offsets.i64", "passages.jsonl"} | {name for name in left if name.startswith("bm25/")}
    write(tmp_path / "a.jsonl", {"text": "four"})
    others = [made(tmp_path / "indexes", pinned(["a.jsonl"], tmp_path), tmp_path, words=n) for n in (100, 101)]
    assert len({index.folder, *(other.folder for other in others)}) == 3


def test_a_source_without_a_passage_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": "one"})
    (tmp_path / "b.txt").write_text("\x00 \n")
    with pytest.raises(HubExpertError, match=r"\./b\.txt holds no text"):
        made(tmp_path / "indexes", pinned(["a.jsonl", "b.txt"], tmp_path), tmp_path)
    (tmp_path / "b.txt").write_text("??? -- !")
    with pytest.raises(HubExpertError, match="holds no words"):
        made(tmp_path / "indexes", pinned(["b.txt"], tmp_path), tmp_path)


def test_what_was_written_stays_when_a_source_fails_and_what_was_cut_short_goes(tmp_path: Path) -> None:
    """The first source is not read again, and half-written blocks behind what is whole do no harm."""
    write(tmp_path / "a.jsonl", {"text": "old news of the sun"})
    write(tmp_path / "b.jsonl", {"text": "more of the moon"})
    sources = pinned(["a.jsonl", "b.jsonl"], tmp_path)
    whole = made(tmp_path / "whole", sources, tmp_path)
    write(tmp_path / "b.jsonl", {"wrong": "column"})
    with pytest.raises(HubExpertError):
        made(tmp_path / "indexes", sources, tmp_path)
    (partial,) = (tmp_path / "indexes").iterdir()
    for name in FILES:
        with (partial / name).open("ab") as file:
            file.write(b"\xc3 cut sho")
    (partial / "bm25.part").mkdir()
    write(tmp_path / "a.jsonl", {"text": "never read again"})
    write(tmp_path / "b.jsonl", {"text": "more of the moon"})
    index = made(tmp_path / "indexes", sources, tmp_path)
    assert [path.name for path in (tmp_path / "indexes").iterdir()] == [index.folder.name]
    assert contents(index.folder) == contents(whole.folder)
    assert search(index, ["suns"], 1, quiet=True)[0].ids.tolist() == [0]


SCRIPT = """
import sys
from pathlib import Path
from hubexpert.knowledge import open_index
from hubexpert.recipe import KnowledgeSection
from hubexpert.records import Source
folder, source = Path(sys.argv[1]), Source.model_validate_json(sys.argv[2])
open_index(folder / "indexes", (source,), KnowledgeSection(sources=(source.repo,)), folder, quiet=True)
"""


def killed(folder: Path, source: Source, when: Callable[[Path], bool]) -> Path:
    """The folder that is left when a process that makes the index is killed as soon as that holds."""
    command = [sys.executable, "-c", SCRIPT, str(folder), source.model_dump_json()]
    environment = {**os.environ, "PYTHONPATH": f"{PARENT / 'src'}"}
    with subprocess.Popen(command, env=environment) as process:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            found = list((folder / "indexes").glob("*.part"))
            if found and when(found[0]):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
    assert process.returncode == -signal.SIGKILL
    return found[0]


def test_after_a_kill_a_run_goes_on_behind_what_is_whole(tmp_path: Path) -> None:
    """Killed while passages are written, and again while they are indexed."""
    rows = [{"text": f"fact {n} of {n % 97} and {n % 31}"} for n in range(3 * CHUNK)]
    write(tmp_path / "a.jsonl", *rows)
    (source,) = pinned(["a.jsonl"], tmp_path)
    partial = killed(tmp_path, source, lambda folder: (folder / DONE).is_file())
    done = Done.model_validate_json((partial / DONE).read_bytes())
    assert 0 < done.row < len(rows)
    write(tmp_path / "a.jsonl", *[{"text": "was read"}] * done.row, *rows[done.row :])
    partial = killed(tmp_path, source, lambda folder: _is_whole(folder / DONE))
    assert not (partial / "bm25").exists()
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "was read"}) + "\n")
    index = made(tmp_path / "indexes", (source,), tmp_path)
    assert len(index) == len(rows)
    assert [passage.text for passage in index.at(range(0, len(rows), 500))] == [row["text"] for row in rows[::500]]
    ids = search(index, [rows[n]["text"] for n in (0, 9000, 20_000)], 1, quiet=True)
    assert [hits.ids.tolist() for hits in ids] == [[0], [9000], [20_000]]


def _is_whole(done: Path) -> bool:
    return Done.model_validate_json(done.read_bytes()).source == 1
