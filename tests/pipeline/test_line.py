"""The whole line over real HTTP on a tiny base: discovered, scored, chosen, built, judged, published, loaded."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from huggingface_hub import HfApi, snapshot_download
from peft import PeftModel

import hubexpert
from hubexpert import pipeline
from hubexpert.cli.main import cli
from hubexpert.errors import HubExpertError
from hubexpert.examine import answer_length, examine
from hubexpert.experts.engine import on_this_machine
from hubexpert.experts.ledger import open_ledger
from hubexpert.experts.score import context, score_pool, trial
from hubexpert.hub import resolve
from hubexpert.lm import Lm, load_lm
from hubexpert.localhub import Store
from hubexpert.lock import Lock, read_lock
from hubexpert.moe.adapter import static
from hubexpert.recipe import ExpertsSection
from hubexpert.records import Build, Example, Spoken
from hubexpert.shots import Task
from hubexpert.workspace import Journal, Workspace
from tests import tiny
from tests.pipeline.world import BAD, OWN, rows
from tests.tiny import error, logits

PLAIN = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
sys.modules["hubexpert"] = None  # not to be had here
base = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
model = PeftModel.from_pretrained(base, sys.argv[2]).eval()
with torch.inference_mode():
    torch.save(model(torch.load(sys.argv[3])).logits, sys.argv[4])
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def ids() -> torch.Tensor:
    """A batch of token ids [4, 20]."""
    return torch.randint(0, 256, (4, 20), generator=torch.Generator().manual_seed(3))


def test_the_whole_line(project: Callable[..., Path], ids: torch.Tensor, tmp_path: Path) -> None:
    """One pool with good and bad adapters, from the recipe to a repository that loads everywhere."""
    recipe = project(publish={"repo": OWN})
    option = ["--recipe", str(recipe), "--quiet"]

    found = {r["repo"].split("/")[1]: r for r in records(call("discover", *option, "--json"))}
    assert found["solver"]["verdict"] == "accepted"
    assert found["solver"]["rank"] == 16
    for name in ("bad-pickle", "bad-base", "bad-corrupt", "bad-rank"):
        assert found[name]["verdict"] == BAD[name]
        assert found[name]["reasons"]

    scores = {r["repo"]: r for r in records(call("score", *option, "--json"))}
    assert max(scores, key=lambda repo: scores[repo]["exact_match"]) == "tester/solver"
    assert min(scores, key=lambda repo: scores[repo]["perplexity"]) == "tester/solver"
    assert scores["tester/solver"]["exact_match"] > 0.9 > 0.5 > scores["tester/other-one"]["exact_match"]
    assert scores["tester/solver"]["n"] == 16

    chosen = [r["repo"] for r in records(call("select", *option, "--json")) if r["chosen"]]
    assert chosen[0] == "tester/solver"
    assert len(chosen) == 2

    lock = pipeline.run(pipeline.open_project(recipe, quiet=True))
    assert {r.source.repo.split("/")[1]: r.code for r in lock.scores.refused} == {
        name: BAD[name] for name in ("bad-nan", "bad-zero")
    }
    assert [system.name for system in lock.report.systems] == [
        *("majority", "base", "base-shots", "best-single", "best-single-tuned"),
        *("static", "routed", "fresh-lora", "random-experts"),
    ]
    assert all(system.n == 60 for system in lock.report.systems)
    assert lock.report.system("base").value < 0.1
    contributions = lock.report.contributions
    assert contributions is not None
    assert contributions.n == 60
    assert contributions.whole == lock.report.system("routed").value
    assert contributions.experts[0].source.repo == "tester/solver"
    total = sum(expert.shapley for expert in contributions.experts)
    assert abs(total - (contributions.whole - contributions.empty)) < 1e-9
    assert lock.report.system("best-single").value > 0.9
    assert lock == read_lock(recipe.parent / "hubexpert.lock")

    published = records(call("publish", *option, "--json", "--force"))[0]
    assert published["changed"] is True
    assert len(published["commit"]) == 40
    again = records(call("publish", *option, "--json", "--force"))[0]
    assert again == {**published, "changed": False}
    rerun = [r["repo"].split("/")[1] for r in records(call("discover", *option, "--json"))]
    assert sorted(rerun) == sorted(found), "what was published has learned these very shots"
    status = call("status", *option, "--json")
    assert status.exit_code == 0, status.output
    assert json.loads(status.stdout)["state"] == "fresh"

    _same_everywhere(recipe, OWN, ids, tmp_path)
    _same_scores(recipe, OWN, lock)


def _same_scores(recipe: Path, repo: str, lock: Lock) -> None:
    """What the table says of `static` and `base` is what plain PEFT gives, with the adapter on and switched off."""
    work = pipeline.task(pipeline.open_project(recipe, quiet=True))
    model = PeftModel.from_pretrained(tiny.model(), repo).eval()
    form, longest = Lm(model, tiny.tokenizer()), answer_length(tiny.tokenizer(), work.shots)

    def score() -> float:
        return fmean(examine(form, work.test, work.metric, max_new_tokens=longest)[0].values)

    assert score() == lock.report.system("static").value
    with model.disable_adapter():
        assert score() == lock.report.system("base").value


def _same_everywhere(recipe: Path, repo: str, ids: torch.Tensor, tmp_path: Path) -> None:
    """What was evaluated is what is loaded from the Hub; plain PEFT without hubexpert gets the static form."""
    evaluated = hubexpert.load(recipe.parent / ".hubexpert" / "build", base=tiny.model())
    routed = logits(evaluated, ids)
    with static(evaluated):
        merged = logits(evaluated, ids)
    assert error(merged, routed) > 1e-4
    assert error(logits(hubexpert.load(repo), ids), routed) < 1e-6
    assert error(logits(hubexpert.load(repo, routed=False), ids), merged) < 1e-6
    assert error(logits(PeftModel.from_pretrained(hubexpert.load(repo).unload(), repo), ids), merged) < 1e-6

    torch.save(ids, tmp_path / "ids.pt")
    base, adapter = snapshot_download(tiny.BASE), snapshot_download(repo)
    command = [sys.executable, "-c", PLAIN, base, adapter, str(tmp_path / "ids.pt"), str(tmp_path / "out.pt")]
    subprocess.run(command, check=True, capture_output=True, env=None)
    assert error(torch.load(tmp_path / "out.pt").double(), merged) < 1e-4
    files = {file.rfilename for file in HfApi().model_info(repo).siblings or []}
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors", "router.safetensors"} <= files


def test_a_second_run_repeats_nothing(project: Callable[..., Path]) -> None:
    """Every stage's result stays as it is: same files, same times."""
    recipe = project()
    first = pipeline.run(pipeline.open_project(recipe, quiet=True))
    kept = {p: p.stat().st_mtime_ns for p in (recipe.parent / ".hubexpert").glob("*.json*")}
    second = pipeline.run(pipeline.open_project(recipe, quiet=True))
    assert second == first
    assert {p: p.stat().st_mtime_ns for p in (recipe.parent / ".hubexpert").glob("*.json*")} == kept


def test_changing_the_training_keeps_the_scores(project: Callable[..., Path]) -> None:
    """Only what depends on a changed key is made again."""
    recipe = project()
    before = pipeline.build(pipeline.open_project(recipe, quiet=True))
    journal = (recipe.parent / ".hubexpert" / "scores.jsonl").read_bytes()
    recipe.write_text(recipe.read_text().replace("epochs: 2", "epochs: 1"))
    after = pipeline.build(pipeline.open_project(recipe, quiet=True))
    assert len(before.losses) == 2
    assert len(after.losses) == 1
    assert (recipe.parent / ".hubexpert" / "scores.jsonl").read_bytes() == journal


def test_a_trained_mixture_learns(project: Callable[..., Path]) -> None:
    """Without the adapter that knows the answer the loss starts high and falls; shares sum to one in every module."""
    recipe = project(discover={"exclude": ["tester/solver"]}, train={"epochs": 20, "learning_rate": 1e-2})
    made = pipeline.build(pipeline.open_project(recipe, quiet=True))
    assert "tester/solver" not in {expert.source.repo for expert in made.experts}
    assert made.losses[-1] < made.losses[0] / 2, made.losses
    for shares in made.shares.values():
        assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert sum(expert.share for expert in made.experts) == pytest.approx(1, abs=1e-4)


def test_training_only_the_router_leaves_the_experts(project: Callable[..., Path]) -> None:
    """`train: [router]` changes gates alone: B over the mean gate is the expert's own B."""
    from safetensors.torch import load_file

    from hubexpert.factors import read_factors

    recipe = project(train={"train": ["router"], "shared_rank": 0})
    opened = pipeline.open_project(recipe, quiet=True)
    made = pipeline.build(opened)
    folder = recipe.parent / ".hubexpert" / "build"
    wide, router = read_factors(folder), load_file(folder / "router.safetensors")
    expert = read_factors(Path(snapshot_download(made.experts[0].source.repo)))
    module = next(iter(expert.a))
    rank = expert.a[module].shape[0]
    assert torch.equal(wide.a[module][:rank], expert.a[module])
    mean = router[f"{module}.mean"][0]
    assert torch.allclose(wide.b[module][:, :rank], expert.b[module] * mean, rtol=1e-5)


def test_held_out_rows_among_the_shots_are_removed_and_counted(project: Callable[..., Path]) -> None:
    """A leak is no evidence."""
    recipe = project(experts={"candidates": 2, "count": 1}, train={"epochs": 1})
    test = recipe.parent / "kshot/test.jsonl"
    test.write_text(test.read_text() + '{"input": " A0 ", "output": "left"}\n')
    report = pipeline.evaluate(pipeline.open_project(recipe, quiet=True))
    assert report.removed == 1
    assert all(system.n == 60 for system in report.systems)


def test_two_runs_at_once_are_told_apart(project: Callable[..., Path]) -> None:
    """A workspace has one owner at a time."""
    opened = pipeline.open_project(project(), quiet=True)
    with opened.workspace.locked(), pytest.raises(HubExpertError) as caught:
        pipeline.run(opened)
    assert "Another hubexpert" in caught.value.message


def test_who_spoke_where_is_told_token_by_token(project: Callable[..., Path], tmp_path: Path) -> None:
    """As JSON every token with each expert's share, as text the answer itself, as a figure, and kept for the report."""
    recipe = project(experts={"candidates": 2, "count": 2}, train={"epochs": 0})
    figure = tmp_path / "voices.png"
    option = ["--recipe", str(recipe), "--quiet", "--examples", "2"]
    told = records(call("explain", *option, "--json", "--figure", str(figure)))
    assert figure.stat().st_size > 5000
    assert [one["example"] for one in told] == [0, 1]
    for one in told:
        assert len(one["tokens"]) == len(one["shares"])
        assert all(abs(sum(shares) - 1) < 1e-3 for shares in one["shares"])
        assert "Sort." in "".join(one["tokens"][: one["answer"]])
    assert "Sort." in call("explain", *option).stdout
    kept = Workspace(recipe.parent / ".hubexpert")
    spoken, made = kept.stored("spoken", Spoken), kept.stored("build", Build)
    assert spoken is not None
    assert made is not None
    assert spoken.weights == made.files
    assert [one.model_dump(mode="json") for one in spoken.examples] == told


def test_another_base_is_measured_anew(project: Callable[..., Path], store: Store, tmp_path: Path) -> None:
    """In the same workspace, no system's answers are taken over from the base before."""
    recipe = project(experts={"candidates": 2, "count": 1}, train={"epochs": 0})
    pipeline.evaluate(pipeline.open_project(recipe, quiet=True))
    journal = recipe.parent / ".hubexpert" / "evaluation.jsonl"
    before = journal.read_bytes().count(b"\n")
    store.add_folder("tester/second-base", tiny.save_base(tmp_path / "second", seed=9))
    text = recipe.read_text().replace(f"base: {tiny.BASE}", "base: tester/second-base")
    recipe.write_text(text.replace("tester/bad-base", "tester/for-second"))
    store.add_folder("tester/for-second", tiny.lora(tmp_path / "lora", seed=1, base="tester/second-base"))
    pipeline.evaluate(pipeline.open_project(recipe, quiet=True))
    assert journal.read_bytes().count(b"\n") == 2 * before - 1, "of one adapter there is no other group"


def test_a_base_in_a_folder(project: Callable[..., Path], tmp_path: Path) -> None:
    """Named by a path from the recipe's folder; other contents are another base; it is not published."""
    recipe = project(base="./base", discover={"include": ["tester/solver", "tester/other-one"]}, train={"epochs": 0})
    tiny.save_base(recipe.parent / "base")
    lock = pipeline.run(pipeline.open_project(recipe, quiet=True))
    assert {s.source.repo for s in lock.scores.scores} == {"tester/solver", "tester/other-one"}
    assert lock.base.repo == "./base"
    assert str(tmp_path) not in (recipe.parent / "hubexpert.lock").read_text()
    refused = subprocess.run(
        [sys.executable, "-m", "hubexpert", "publish", "--recipe", str(recipe), "--force"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "folder on this machine" in refused.stderr
    tiny.save_base(recipe.parent / "base", seed=5)
    assert pipeline.open_project(recipe, quiet=True).base != lock.base


def test_the_lock_holds_nothing_that_changes_by_itself(project: Callable[..., Path]) -> None:
    """Two runs from scratch give the same lock but for the seconds, though downloads were counted; no absolute path."""
    locks = []
    for name in ("one", "two"):
        recipe = project(name, train={"epochs": 0}, publish={"repo": OWN})
        text = recipe.read_text().replace("kshot/train.jsonl", str(recipe.parent / "kshot/train.jsonl"))
        recipe.write_text(text)
        pipeline.run(pipeline.open_project(recipe, quiet=True))
        text = (recipe.parent / "hubexpert.lock").read_text()
        locks.append(re.sub(r'"latency": [\d.]+', '"latency": 1', text))
        assert str(recipe.parent) not in locks[-1]
    assert locks[0] == locks[1]


def test_a_missing_build_folder_is_made_again(project: Callable[..., Path]) -> None:
    """The record of a build is not enough: its files are looked at."""
    recipe = project(train={"epochs": 0})
    first = pipeline.build(pipeline.open_project(recipe, quiet=True))
    folder = recipe.parent / ".hubexpert" / "build"
    (folder / "router.safetensors").write_bytes(b"")
    assert pipeline.build(pipeline.open_project(recipe, quiet=True)) == first
    assert (folder / "router.safetensors").stat().st_size > 0


def test_a_training_that_diverges_is_told_and_not_kept(project: Callable[..., Path]) -> None:
    """It is no mixture; a lower rate makes one."""
    recipe = project(train={"learning_rate": 1e30})
    with pytest.raises(HubExpertError, match="diverged") as caught:
        pipeline.build(pipeline.open_project(recipe, quiet=True))
    assert "train.learning_rate" in caught.value.fix
    assert not (recipe.parent / ".hubexpert" / "build").exists()
    assert not (recipe.parent / ".hubexpert" / "build.json").exists()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"null", b"[]", b'{"inputs": ""', b'{"result": 1}', b"{}"])
def test_a_damaged_result_is_made_again(damage: bytes, tmp_path: Path) -> None:
    """Whatever became of the file."""
    workspace, made = Workspace(tmp_path), Spoken(weights={}, examples=())
    assert workspace.step("spoken", 1, lambda: made, Spoken) == (made, True)
    (tmp_path / "spoken.json").write_bytes(damage)
    assert workspace.step("spoken", 1, lambda: made, Spoken) == (made, True)
    assert workspace.step("spoken", 1, lambda: made, Spoken) == (made, False)


def test_a_peer_that_cannot_be_had_is_told_before_anything_is_measured(
    project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after hours, when its turn comes; nor where only the comparison is left to do."""
    recipe = project()
    pipeline.build(pipeline.open_project(recipe, quiet=True))
    scores = recipe.parent / ".hubexpert" / "scores.json"
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    recipe.write_text(recipe.read_text() + "evaluate: {peers: [lorahub]}\n")
    for left in ("the comparison", "all"):
        with pytest.raises(HubExpertError, match="nevergrad"):
            pipeline.evaluate(pipeline.open_project(recipe, quiet=True))
        assert scores.exists() == (left == "the comparison")
        assert not (recipe.parent / ".hubexpert" / "evaluation.jsonl").exists()
        scores.unlink(missing_ok=True)


def test_an_adapter_that_makes_the_base_speak_no_numbers_is_refused(pool: None, store: Store, tmp_path: Path) -> None:
    """Finite weights, infinite answers: refused as NaN, never ranked."""
    huge = tiny.rewrite(tiny.lora(tmp_path / "huge", seed=1), lambda tensor: tensor * 1e22)
    store.add_folder("tester/test_huge", huge)  # a name that no other test discovers
    sources = [resolve(repo) for repo in ("tester/test_huge", "tester/other-one")]
    base, task = resolve(tiny.BASE), Task(metric="exact_match", shots=tuple(Example(**row) for row in rows(4)), test=())
    engine = on_this_machine(load_lm(base), base)
    asked = trial(base, task, tiny.tokenizer(), ExpertsSection(), 0)
    table = score_pool(engine, asked, sources, open_ledger(Journal(tmp_path / "j"), context(asked, engine)))
    assert [(r.source.repo, r.code) for r in table.refused] == [("tester/test_huge", "nan-weights")]
    assert [s.source.repo for s in table.scores] == ["tester/other-one"]


def test_an_adapter_that_cannot_be_had_today_is_tried_again_tomorrow(
    project: Callable[..., Path], store: Store, other_token: str, tmp_path: Path
) -> None:
    """It is refused for now, which is not final: neither journal nor result keep it, and the rest is not repeated."""
    store.add_folder("other/borrowed", tiny.lora(tmp_path / "borrowed", seed=6, base="./tiny-base"))
    recipe = project(discover={"include": ["other/borrowed"]})
    opened = pipeline.open_project(recipe, quiet=True)
    assert "other/borrowed" in {c.source.repo for c in pipeline.discover(opened).accepted}
    owner = HfApi(token=other_token)
    owner.update_repo_settings("other/borrowed", gated="auto")
    table = pipeline.score(opened)
    assert {r.code for r in table.refused if r.source.repo == "other/borrowed"} == {"download-gated"}
    journal = recipe.parent / ".hubexpert" / "scores.jsonl"
    kept = journal.read_bytes()
    owner.update_repo_settings("other/borrowed", gated=False)
    table = pipeline.score(pipeline.open_project(recipe, quiet=True))
    assert "other/borrowed" in {s.source.repo for s in table.scores}
    assert journal.read_bytes().startswith(kept)
    assert journal.read_bytes().count(b"\n") == kept.count(b"\n") + 16  # one a shot
