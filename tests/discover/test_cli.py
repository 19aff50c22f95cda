import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.cli.discover import discover
from hubexpert.cli.init import render_recipe
from hubexpert.discover import discover_step
from hubexpert.localhub import Store
from hubexpert.recipe import Recipe, parse_recipe, read_recipe
from hubexpert.records import ColumnMap, DatasetCandidate, DatasetConfig, Record
from hubexpert.workspace import Workspace
from tests.commands import run
from tests.discover.data import dataset
from tests.discover.making import adapter, card


def documented(title: str) -> list[str]:
    """The first column of the first table below that title of `docs/discover.md`."""
    text = (Path(__file__).parents[2] / "docs" / "discover.md").read_text()
    rows = text.split(f"\n{title}\n")[1].split("\n#")[0].splitlines()
    return [row.split("`")[1] for row in rows if row.startswith("| `")]


@pytest.fixture()
def pool(store: Store, tmp_path: Path) -> str:
    """A base with an accepted and a refused adapter."""
    base = f"cli/{tmp_path.name}"
    store.add_folder(f"{base}-good", adapter(tmp_path / "good", base, text=card(base, extra="datasets: [cli/data]")))
    store.add_folder(f"{base}-bad", adapter(tmp_path / "bad", base, fields={"use_dora": True}))
    return base


def test_json_is_one_object_a_line_with_the_documented_keys(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--base", pool, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["repo"]: line["verdict"] for line in lines} == {f"{pool}-good": "accepted", f"{pool}-bad": "dora"}
    keys = ["repo", "revision", "verdict", "reasons", "found_by", "rank", "target_modules", "license", "downloads"]
    assert all(list(line)[: len(keys)] == keys for line in lines)
    assert all(list(line) == documented("## Adapters") for line in lines)


@pytest.mark.parametrize(
    ("title", "record"),
    [("## Datasets", DatasetCandidate), ("### An entry of `configs`", DatasetConfig), ("### `mapping`", ColumnMap)],
)
def test_the_documentation_has_every_key_of_a_dataset_in_its_order(title: str, record: type[Record]) -> None:
    assert documented(title) == list(record.model_fields)


def test_datasets_as_json_are_one_object_a_line(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--base", pool, "--show", "datasets", "--json") == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(line) == documented("## Datasets")
    assert (line["repo"], line["verdict"], line["cited_by"]) == ("cli/data", "missing", [f"{pool}-good"])


def test_the_documentation_names_every_option() -> None:
    options = [option for parameter in discover.params for option in parameter.opts]
    assert sorted(documented("## Options")) == sorted(options)


def test_people_get_tables_and_the_way_on(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--base", pool, "--include", "cli/nowhere") == 0
    told = capsys.readouterr()
    for expected in (f"{pool}-good", "accepted", "q_proj v_proj", "apache-2.0", "Verdicts", "cli/data"):
        assert expected in told.out
    assert "1 of 3 adapters may be used" in told.err
    assert "cli/nowhere (named) is refused" in told.err


def test_where_nothing_may_be_used_people_are_told_so_with_examples_of_every_verdict(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = f"cli/{tmp_path.name}"
    doras = [(f"{base}-dora-{n}", adapter(tmp_path / f"dora-{n}", base, fields={"use_dora": True})) for n in range(5)]
    store.add_folders([*doras, (f"{base}-ia3", adapter(tmp_path / "ia3", base, fields={"peft_type": "IA3"}))])
    assert run("discover", "--base", base) == 0
    told = capsys.readouterr().out
    assert f"None of 6 adapters of {base} may be used." in told
    assert "Its type IA3 is not converted to a LoRA." in told
    assert sum(f"{base}-dora" in line for line in told.splitlines()) == 3
    assert "… and 2 more: hubexpert inspect OWNER/NAME explains each." in told
    assert all(line == line.rstrip() and len(line) <= 120 for line in told.splitlines())


def test_a_dataset_whose_rows_cannot_be_read_is_shown_with_the_reason(
    pool: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset(store, tmp_path, f"{pool}-rows", files={"train.parquet": b"PAR1"})
    text = card(pool, extra=f"datasets: [{pool}-rows]")
    store.add_folder(f"{pool}-citing", adapter(tmp_path / "citing", pool, text=text))
    assert run("discover", "--base", pool, "--show", "datasets") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"The rows of {pool}-rows could not be read:" in told
    assert "First rows" not in told


def test_quiet_is_the_data_and_nothing_else(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--base", pool, "--include", "cli/nowhere", "--quiet") == 0
    told = capsys.readouterr()
    assert f"{pool}-good" in told.out
    assert told.err == ""


def test_with_a_recipe_the_result_is_kept_for_the_next_stage(
    pool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    recipe.write_text(f"base: {pool}\ntask: {{name: t, shots: s.jsonl}}\n")
    assert run("discover", "--recipe", str(recipe)) == 0
    workspace = Workspace(tmp_path / ".hubexpert")
    found, asked = discover_step(read_recipe(recipe), workspace, again=False, quiet=True)
    assert not asked
    assert [c.source.repo for c in found.accepted] == [f"{pool}-good"]
    assert run("discover", "--recipe", str(recipe), "--limit", "1") == 0
    assert "Only shown" in capsys.readouterr().err
    assert discover_step(read_recipe(recipe), workspace, again=False, quiet=True) == (found, False)


def test_init_writes_a_recipe_of_defaults_and_never_over_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    arguments = ["init", "--base", "llama-2-7b", "--shots", "kshot.jsonl", "--recipe", str(recipe)]
    assert run(*arguments) == 0
    expected = Recipe.model_validate({"base": "llama-2-7b", "task": {"name": "kshot", "shots": "kshot.jsonl"}})
    assert read_recipe(recipe) == expected
    told = capsys.readouterr()
    assert told.out == f"{recipe}\n"
    assert "kshot.jsonl is not there yet" in told.err
    assert run(*arguments, "--name", "second") == 1
    assert "--force" in capsys.readouterr().err
    assert read_recipe(recipe) == expected
    assert run(*arguments, "--name", "second", "--test", "t.jsonl", "--instruction", 'Say "no": # or', "--force") == 0
    task = read_recipe(recipe).task
    assert (task.name, task.test, task.instruction) == ("second", "t.jsonl", 'Say "no": # or')


def test_init_lets_the_hub_know_a_name_that_is_no_alias_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    assert run("init", "--base", "lama-2-7b", "--shots", "a.jsonl", "--recipe", str(recipe)) == 0
    told = capsys.readouterr().err
    assert "There is no alias 'lama-2-7b'" in told
    assert "did you mean llama-2-7b" in told
    assert read_recipe(recipe).base == "lama-2-7b"


@pytest.mark.parametrize(("base", "expected"), [("mistral-7b", "mistralai/Mistral-7B-v0.3"), ("@main", "owner/name")])
def test_init_refuses_a_base_that_no_search_can_settle(
    base: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    assert run("init", "--base", base, "--shots", "a.jsonl", "--recipe", str(recipe)) == 1
    assert expected in capsys.readouterr().err
    assert not recipe.exists()


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_init_writes_down_any_text_as_it_is(text: str) -> None:
    written = render_recipe({"base": text, "name": text, "instruction": text, "shots": text, "test": text})
    recipe = parse_recipe(yaml.safe_load(written), name="recipe")
    assert {recipe.base, *recipe.task.model_dump(exclude={"metric", "datasets", "draw", "languages"}).values()} == {
        text
    }


def test_without_a_recipe_and_a_base_both_ways_on_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--recipe", str(tmp_path / "none.yaml")) == 1
    told = capsys.readouterr().err
    assert "no base is named" in told
    assert "hubexpert discover --recipe " in told and "--base BASE  (only shows)" in told
    assert "hubexpert init" in told
