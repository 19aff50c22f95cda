"""Two machines, as it were: the same work in two folders, everything named by its absolute path."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hubexpert import pipeline
from hubexpert.lock import read_lock
from tests import tiny
from tests.pipeline.world import write_jsonl
from tests.reranker.making import WORDS, tiny_encoder

OF_THIS_PLACE = ("latency", "seconds", "adapter_config.json")
DESCRIBED = {"instruction": "Sort.", "name": "toy"}


def row(place: int) -> dict[str, str]:
    """A question whose words the tiny encoder knows, with the fact that answers it."""
    word, answer = WORDS[place % 50], WORDS[50 + place % 4]
    return {"input": f"{word} w{place % 7} ?", "output": answer, "rationale": f"{word} is {answer} for w{place % 7}"}


def laid_out(folder: Path, project: Callable[..., Path]) -> Path:
    """A project in a folder that holds its base, encoder, texts, rows and examples, all named from the root."""
    tiny.save_base(folder / "base")
    tiny_encoder(folder / "encoder")
    own = write_jsonl(folder / "rows/own.jsonl", [row(place) for place in range(40, 60)])
    (folder / "facts.txt").write_text("\n".join(row(place)["rationale"] for place in range(40)))
    shots = write_jsonl(folder / "shots.jsonl", [row(place) for place in range(8)])
    test = write_jsonl(folder / "test.jsonl", [row(place) for place in range(8, 14)])
    columns = {str(own): {"input": "input", "output": "output"}}
    return project(
        f"{folder.name}-project",
        base=str(folder / "base"),
        task={**DESCRIBED, "shots": str(shots), "test": str(test), "datasets": [str(own)]},
        discover={
            "include": ["tester/solver", "tester/other-one", "tester/bad-nan"],
            "datasets": 0,
            "columns": columns,
        },
        data={
            "methods": ["kard", "random"],
            "rows": 6,
            "datasets": [str(own)],
            "encoder": str(folder / "encoder"),
            "knowledge": {"sources": [str(folder / "facts.txt")], "words": 8, "overlap": 0},
            "kard": {"model": str(folder / "encoder"), "epochs": 1},
        },
        experts={"candidates": 2, "count": 1},
        train={"epochs": 1},
        evaluate={"contributions": 0},
        publish={"repo": None},
    )


def untimed(part: Any) -> Any:
    """A lock without what was measured by the clock, and the digest of the one file that names the base's folder."""
    if isinstance(part, dict):
        return {key: untimed(each) for key, each in part.items() if key not in OF_THIS_PLACE}
    return [untimed(each) for each in part] if isinstance(part, list) else part


def test_a_lock_tells_nothing_of_the_machine_and_another_writes_the_same(
    project: Callable[..., Path], tmp_path: Path
) -> None:
    """No path of a file, folder or home; only measured times differ. Neither have the other files of the folder.

    All but the adapter's configuration, which names the base's folder: a mixture on such a base is not published.
    """
    locks = []
    for name in ("alice", "bob"):
        path = laid_out(tmp_path / name, project)
        pipeline.run(pipeline.open_project(path, quiet=True))
        files = [file for file in (path.parent / ".hubexpert/publish").rglob("*") if file.is_file()]
        assert len(files) > 5
        for file in (path.parent / "hubexpert.lock", *(file for file in files if file.name != "adapter_config.json")):
            for private in (tmp_path, Path.home(), Path(name)):
                assert str(private).encode() not in file.read_bytes(), file
        lock = read_lock(path.parent / "hubexpert.lock")
        assert lock.base.repo == "./base"
        assert lock.data is not None and lock.kard is not None and lock.kard.reranker is not None
        assert [use.source.repo for use in lock.data.datasets] == ["./own.jsonl"]
        assert lock.kard.reranker.start == "./encoder"
        locks.append(lock)
    first, second = (untimed(lock.model_dump(mode="json")) for lock in locks)
    assert json.dumps(first, indent=1) == json.dumps(second, indent=1)
