"""The choice over real HTTP: what the command prints and draws, and what the recipe can ask for."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from hubexpert import pipeline
from hubexpert.cli.main import cli


def test_select_prints_its_reasons_and_draws_the_shortlist(project: Callable[..., Path], tmp_path: Path) -> None:
    """One row an adapter, the cosines of real weights below it, and the figure where it was asked for."""
    recipe, figure = project(), tmp_path / "alike.png"
    option = ["select", "--recipe", str(recipe), "--quiet"]
    shown = CliRunner().invoke(cli, [*option, "--figure", str(figure)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "chosen among 6 groups of 2 of the 4 best" in shown.stdout
    assert "in the group with the best ranks" in shown.stdout
    assert "below the shortlist of 4" in shown.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")

    found = [json.loads(line) for line in CliRunner().invoke(cli, [*option, "--json"]).stdout.splitlines()]
    assert [f["place"] for f in found] == [1, 2, 3, 4, 5]
    assert sum(f["chosen"] for f in found) == 2
    assert all(f["nearest"] in {g["repo"] for g in found if g["chosen"]} - {f["repo"]} for f in found[:4])
    assert found[4]["nearest"] is None
    selection = pipeline.select(pipeline.open_project(recipe, quiet=True))
    assert [f["cosine"] for f in found[:4]] == [near[1] for i in range(4) if (near := selection.nearest(i))]


def test_the_recipe_may_rank_by_adapted_perplexity(project: Callable[..., Path]) -> None:
    """Each adapter is measured after a few steps, too; the one that knows the task stays the best."""
    recipe = project(experts={"rank": ["perplexity", "adapted"]})
    selection = pipeline.select(pipeline.open_project(recipe, quiet=True))
    assert sorted(s.rank_adapted or 0 for s in selection.pool) == [1, 2, 3, 4, 5]
    assert next(s.rank_adapted for s in selection.pool if s.source.repo == "tester/solver") == 1
    assert selection.chosen[0].repo == "tester/solver"
