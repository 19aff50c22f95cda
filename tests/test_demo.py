"""The demo's material: complete, licensed, and judged by discovery as its notes say."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from hubexpert.localhub import Store

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_hub_is_filled_once_and_the_bank_is_judged_as_its_notes_say(store: "Store", tmp_path: Path) -> None:
    """Sixteen adapters, one left out by the recipe, three without a licence; the data sets they cite are there."""
    from hubexpert import demo, pipeline
    from hubexpert.discover import read_refused, refused_in
    from tests import tiny

    base = tiny.save_base(tmp_path / "base")
    heads = [demo.fill_hub(store.root, base, EXAMPLES), store.add_folder(demo.BASE, base)]
    assert heads[0] == 24
    assert demo.fill_hub(store.root, base, EXAMPLES) == 24
    assert store.add_folder(demo.BASE, base) == heads[1]
    recipe = demo.write_project(tmp_path / "project", EXAMPLES)
    project = pipeline.open_project(recipe, quiet=True)
    found = pipeline.discover(project)
    every = (*found.candidates, *read_refused(refused_in(project.workspace)))
    verdicts = {c.source.repo.removeprefix("hubexpert-bank/"): c.verdict for c in every}
    assert len(verdicts) == 15
    refused = {name for name, verdict in verdicts.items() if verdict != "accepted"}
    assert refused == {"aqua-r8", "boolq-r4", "sms-spam-r4"}
    assert {verdicts[name] for name in refused} == {"license-unknown"}
    assert sum(dataset.source is not None for dataset in found.datasets if dataset.cited_by) == 7


def test_the_topics_are_balanced_and_share_no_input() -> None:
    """50 shots and 200 held-out rows over ten topics; no held-out input stands among the shots."""
    from hubexpert.recipe import read_recipe
    from hubexpert.shots import read_task, without_leaks

    recipe = EXAMPLES / "topics" / "hubexpert.yaml"  # which works where it lies
    task = read_task(read_recipe(recipe), recipe.parent)
    shots, test = task.shots, task.test
    topics = {shot.output for shot in shots}
    assert (len(shots), len(test), len(topics)) == (50, 200, 10)
    for rows, each in ((shots, 5), (test, 20)):
        assert {topic: sum(row.output == topic for row in rows) for topic in topics} == dict.fromkeys(topics, each)
    assert without_leaks(shots, test) == (test, 0)


def test_every_adapter_says_how_it_was_trained_and_every_data_set_its_licence() -> None:
    """What is bundled carries its provenance."""
    for folder in (EXAMPLES / "bank").glob("*/"):
        assert json.loads((folder / "training.json").read_text())["examples"] > 0
        assert f"| {folder.name} |" in (EXAMPLES / "bank" / "README.md").read_text()
    for folder in (EXAMPLES / "datasets").glob("*/"):
        card = (folder / "README.md").read_text().split("---")[1]
        assert yaml.safe_load(card)["license"]
        assert len((folder / "data" / "train.jsonl").read_text().splitlines()) == 240
