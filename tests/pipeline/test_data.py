"""The data stage: rows of datasets become what is trained on, by every method or by none."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import HfApi

from hubexpert import pipeline
from hubexpert.errors import HubExpertError
from hubexpert.lock import read_lock
from hubexpert.records import Data, DataMap, DatasetUse, Source, TrainingExample
from hubexpert.workspace import Workspace, fingerprint
from tests.commands import run
from tests.pipeline.world import write_jsonl
from tests.teaching import Answer, Asked, said, teacher_server

if TYPE_CHECKING:
    from hubexpert.localhub import Store

TOPICS = {"fees": "What is the fee for {}?", "cards": "Where is the card for {}?"}
THINGS = ("a loan", "my account", "the market", "travel", "a student", "groceries", "a rental car", "the hotel", "fuel")
FAR = "The {} of the old castle was painted by a monk in the year {}."


def asked(thing: str, topic: str) -> dict[str, str]:
    return {"input": TOPICS[topic].format(thing), "output": topic}


def laid_out(project: Callable[..., Path], name: str = "project", **data: Any) -> Path:
    """A project whose shots are about banking, and two files of rows: near ones with leaks among them, and far ones."""
    shots = [asked(thing, topic) for thing in THINGS[:2] for topic in TOPICS]
    test = [asked(thing, topic) for thing in THINGS[2:4] for topic in TOPICS]
    near = [asked(thing, topic) for thing in THINGS[4:] for topic in TOPICS]
    planted = [test[0], {**test[1], "input": test[1]["input"].upper()}, shots[0], {"input": "", "output": ""}]
    told = {"encoder": "packaged", "datasets": ["near.jsonl", "far.jsonl"], "rows": 12, "similarity": 0.97, **data}
    path = project(name, data=told, train={"epochs": 1, "batch_size": 8}, discover={"datasets": 0})
    write_jsonl(path.parent / "kshot/train.jsonl", shots)
    write_jsonl(path.parent / "kshot/test.jsonl", test)
    write_jsonl(path.parent / "near.jsonl", near + planted)
    far = [
        {"input": FAR.format(word, 1300 + i), "output": "a work of art from long ago"}
        for i, word in enumerate(["door", "wall", "roof", "gate"])
    ]
    write_jsonl(path.parent / "far.jsonl", far)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(path: Path) -> Data:
    return pipeline.data(pipeline.open_project(path, quiet=True))


def found(path: Path) -> list[tuple[str, str | None]]:
    """Of the datasets, asked for as by a refresh: verdict and commit."""
    told = pipeline.discover(pipeline.open_project(path, quiet=True), again=True).datasets
    return [(each.verdict, each.source.revision if each.source else None) for each in told]


def of(data: Data, method: str | None) -> list[TrainingExample]:
    return [each for each in data.examples if (each.origin.method if each.origin else None) == method]


def test_without_a_method_the_shots_alone_are_trained_on(project: Callable[..., Path]) -> None:
    found = made(laid_out(project))
    assert [each.origin for each in found.examples] == [None] * 4
    assert found.methods == ()


def test_selected_rows_have_an_origin_and_hold_nothing_of_the_test(project: Callable[..., Path]) -> None:
    """Near rows come first, planted copies of shots and held-out examples are removed and counted."""
    path = laid_out(project, methods=["select"])
    found = made(path)
    taken = of(found, "select")
    held = {row["input"].lower() for row in read(path.parent / "kshot/test.jsonl")}
    assert not held & {each.example.input.lower() for each in taken}
    near, far = found.datasets
    assert (near.source.repo, near.read, near.taken) == ("./near.jsonl", 14, {"select": 10})
    assert near.removed["leak-exact"] == 3
    assert near.removed["no-example"] == 1
    assert far.taken.get("select", 0) <= 2
    best = [each.origin for each in taken if each.origin][:8]
    assert {origin.source.repo for origin in best} == {"./near.jsonl"}
    assert [o.closeness for o in best] == sorted((o.closeness for o in best), reverse=True)
    lines = read(path.parent / ".hubexpert/examples.jsonl")
    assert [TrainingExample.model_validate(line) for line in lines] == list(found.examples)


def test_beacons_filter_and_weigh_each_method_by_itself(project: Callable[..., Path]) -> None:
    """Shots all stay; of the rows the share that the recipe says; weights have a mean of 1 in each group."""
    found = made(laid_out(project, methods=["select", "beacons"], beacons={"keep": 0.5}))
    shots, rows = of(found, None), of(found, "select")
    assert len(shots) == 4
    beacons = found.methods[1]
    assert (beacons.method, beacons.kept, len(rows)) == ("beacons", len(rows), round(0.5 * beacons.considered))
    assert all(each.distance is not None for each in found.examples)
    for group in (shots, rows):
        assert fmean(each.weight for each in group) == pytest.approx(1, abs=1e-4)


def made_up(asked_: Asked, before: int) -> Answer:
    """A teacher that turns each row into a question of its own."""
    number = sum(asked_.question.encode())
    return said(json.dumps({"input": f"Please tell me the price of item {number}", "output": "fees"}))


def test_methods_compose_and_each_changes_only_its_rows(project: Callable[..., Path]) -> None:
    """With select, rebase and beacons in one recipe every example tells its method; without one the others' stay."""
    with teacher_server(made_up) as server:
        teacher = {"model": "m", "url": server.url}
        rebase = {"rows": 4, "share": 1.0}
        one = made(laid_out(project, methods=["select", "rebase", "beacons"], teacher=teacher, rebase=rebase))
        questions = len(server.seen)
        two = made(laid_out(project, "two", methods=["select", "beacons"]))
        three = made(laid_out(project, "three", methods=["rebase", "beacons"], teacher=teacher, rebase=rebase))
    assert questions == 4
    assert of(one, "select")
    assert of(one, "rebase")
    assert of(one, "select") == of(two, "select")
    assert of(one, "rebase") == of(three, "rebase")
    assert of(one, None) == of(two, None) == of(three, None)
    assert [report.method for report in one.methods] == ["select", "rebase", "beacons"]


def test_the_mixture_is_trained_on_what_was_chosen(project: Callable[..., Path], tmp_path: Path) -> None:
    """The build counts all examples and tells of the beacons; the lock names datasets, and neither rows nor places."""
    datasets = ["near.jsonl", str(tmp_path / "project" / "far.jsonl")]
    path = laid_out(project, methods=["select", "beacons"], datasets=datasets)
    opened = pipeline.open_project(path, quiet=True)
    built = pipeline.build(opened)
    assert built.examples == len(pipeline.data(opened).examples) > 4
    assert built.beacons is not None
    assert built.beacons.examples == built.examples
    pipeline.lock(opened)
    locked = read_lock(opened.lock_path)
    assert locked.data is not None
    assert locked.data.examples == built.examples - 4
    assert {each.source.repo for each in locked.data.datasets} == {"./near.jsonl", "./far.jsonl"}
    assert "rental car" not in (told := opened.lock_path.read_text())
    assert str(tmp_path) not in told


def test_no_rows_is_an_error_with_a_way_out(project: Callable[..., Path]) -> None:
    path = laid_out(project, methods=["select"], datasets=[])
    with pytest.raises(HubExpertError, match="no dataset") as error:
        made(path)
    assert "data.datasets" in error.value.fix


def test_random_rows_are_as_many_as_asked_for_and_no_leaks(project: Callable[..., Path]) -> None:
    found = made(laid_out(project, methods=["random"], rows=5))
    taken = of(found, "random")
    assert len(taken) == 5
    assert {each.origin.row for each in taken if each.origin and each.origin.source.repo == "./near.jsonl"} <= {
        *range(10)
    }
    assert made(laid_out(project, "again", methods=["random"], rows=5)).examples == found.examples


def test_a_refresh_takes_a_dataset_as_it_is_now(project: Callable[..., Path], store: "Store", tmp_path: Path) -> None:
    """What the Hub said of it before counts for a day, but not where it is another, or gone."""
    name, rows = "tester/test_rows_that_move", tmp_path / "rows"
    (rows / "data").mkdir(parents=True)
    (rows / "README.md").write_text("no licence, so no row is read\n")
    path = laid_out(project, methods=["random"], datasets=[name])
    write_jsonl(rows / "data/train.jsonl", [asked("fuel", "fees")])
    first = Source(repo=name, revision=store.add_folder(name, rows, repo_type="dataset"), repo_type="dataset")
    assert found(path) == [("license-unknown", first.revision)]
    use = DatasetUse(source=first, config="default", split="train", read=1, taken={"random": 1})
    Workspace(path.parent / ".hubexpert").write("data", "", Data(datasets=(use,)))
    write_jsonl(rows / "data/train.jsonl", [asked("travel", "fees")])
    second = store.add_folder(name, rows, repo_type="dataset")
    assert found(path) == [("license-unknown", second)]
    HfApi().delete_repo(name, repo_type="dataset")
    assert [verdict for verdict, _ in found(path)] == ["missing"]


def test_an_ablation_sets_each_choice_of_data_against_the_shots(project: Callable[..., Path]) -> None:
    """The same held-out rows for all; random rows are as many as select keeps; done ones are not measured again."""
    opened = pipeline.open_project(laid_out(project, methods=["select"]), quiet=True)
    rows = {row.name: row for row in pipeline.ablation(opened)}
    assert list(rows) == ["the shots alone", "select", "random", "select, with duplicates", "select and beacons"]
    assert {row.n for row in rows.values()} == {4}
    assert rows["the shots alone"].examples == 4
    assert rows["random"].examples == rows["select"].examples > 4
    assert rows["select, with duplicates"].examples >= rows["select"].examples
    assert [each.second for each in rows["select"].differences] == ["the shots alone", "random"]
    over = {name: each.value for name, row in rows.items() for each in row.differences if each.second == "random"}
    assert over == pytest.approx({name: row.value - rows["random"].value for name, row in rows.items() if name in over})
    journal = (opened.workspace.root / "evaluation.jsonl").read_text()
    assert tuple(rows.values()) == pipeline.ablation(opened)
    assert (opened.workspace.root / "evaluation.jsonl").read_text() == journal


def test_the_command_tells_what_became_of_the_rows_and_draws_them(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """For people tables and a map, kept for the report; with --json what is trained on, a line an example."""
    path = laid_out(project, methods=["select", "beacons"])
    figure = path.parent / "map.png"
    assert run("data", "--recipe", str(path), "--figure", str(figure), "--quiet") == 0
    told = capsys.readouterr().out
    assert "leak-exact 3" in told
    assert "Taken by select" in told
    assert figure.read_bytes().startswith(b"\x89PNG")
    placed = Workspace(path.parent / ".hubexpert").stored("map", DataMap)
    assert placed is not None
    assert placed.digest == fingerprint(list(made(path).examples))
    assert (len(placed.shots), bool(placed.taken), bool(placed.others)) == (4, True, True)
    assert run("data", "--recipe", str(path), "--json", "--quiet") == 0
    lines = [TrainingExample.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == list(made(path).examples)


def test_an_ablation_without_held_out_examples_is_refused_before_anything_is_trained(
    project: Callable[..., Path],
) -> None:
    opened = pipeline.open_project(project(task={"test": None}, data={"methods": ["select"]}), quiet=True)
    with pytest.raises(HubExpertError, match="held-out") as error:
        pipeline.ablation(opened)
    assert "task.test" in error.value.fix
    assert not (opened.workspace.root / "build").exists()
