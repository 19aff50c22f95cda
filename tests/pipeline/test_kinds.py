"""A pool with adapters of other types: found, scored, compared, built into the mixture and named on its card."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import peft
from click.testing import CliRunner

from hubexpert import hub, pipeline
from hubexpert.card import render_card
from hubexpert.cli.main import cli
from hubexpert.records import ACCEPTED
from tests import tiny
from tests.pipeline.world import write_project

if TYPE_CHECKING:
    from hubexpert.localhub import Store

BASE = "kinds/tiny-base"
TARGETS = ["q_proj", "v_proj"]


def test_adapters_of_other_types_become_experts(store: "Store", tmp_path: Path) -> None:
    store.add_folder(BASE, tiny.save_base(tmp_path / "base"))
    tiny.another(tmp_path / "loha", peft.LoHaConfig(r=3, alpha=6, target_modules=TARGETS), seed=1, base=BASE)
    tiny.another(tmp_path / "miss", peft.MissConfig(r=4, target_modules=TARGETS), seed=2, base=BASE)
    tiny.another(tmp_path / "vera", peft.VeraConfig(r=4, target_modules=TARGETS), seed=3, base=BASE)
    names = ("loha", "miss", "vera")
    for name in names:
        store.add_folder(f"kinds/{name}", tmp_path / name)
    recipe = write_project(
        tmp_path / "project", repo="kinds/out", base=BASE, discover={"include": [f"kinds/{name}" for name in names]}
    )
    project = pipeline.open_project(recipe, quiet=True)

    found = {c.source.repo: c for c in pipeline.discover(project).candidates}
    assert {repo: (c.verdict, c.peft_type) for repo, c in found.items()} == {
        "kinds/loha": (ACCEPTED, "LOHA"),
        "kinds/miss": (ACCEPTED, "MISS"),
        "kinds/vera": ("not-lora", "VERA"),
    }
    assert found["kinds/loha"].remarks == ("It is a LoHa: it is converted to a LoRA when it is loaded.",)

    table = pipeline.score(project)
    assert {s.source.repo for s in table.scores} == {"kinds/loha", "kinds/miss"}, table.refused
    assert all(s.conversion_error is not None and s.conversion_error < 1e-3 for s in table.scores)
    assert table.base.conversion_error is None
    made = {path: path.stat().st_mtime_ns for s in table.scores for path in hub.assets(s.source).rglob("*.safetensors")}
    assert len(made) == 2

    built = pipeline.build(project)
    assert {e.source.repo: e.conversion_error for e in built.experts} == {
        s.source.repo: s.conversion_error for s in table.scores
    }
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())

    shown = CliRunner().invoke(cli, ["score", "--recipe", str(recipe), "--quiet"], catch_exceptions=False)
    assert "lost in conversion" in shown.stdout
    told = CliRunner().invoke(cli, ["score", "--recipe", str(recipe), "--quiet", "--json"], catch_exceptions=False)
    assert all("conversion_error" in json.loads(line) for line in told.stdout.splitlines())
    card = render_card(pipeline.lock(project), repo=None, drawn=())
    assert "converted from LoHa (error below 0.1 %)" in card
