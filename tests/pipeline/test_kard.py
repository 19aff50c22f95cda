"""KARD through the whole line: facts on the Hub, shots with rationales, a published expert that finds its passages."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hubexpert import pipeline
from hubexpert.errors import HubExpertError
from hubexpert.lock import read_lock
from hubexpert.recipe import parse_recipe
from hubexpert.records import TrainingExample
from hubexpert.retrieval import open_knowledge
from hubexpert.status import status
from hubexpert.verify import open_copy, verify
from tests.commands import run
from tests.pipeline.world import write_jsonl

if TYPE_CHECKING:
    from hubexpert.localhub import Store

FACTS = "tester/test_facts"
NAMES = [f"{first}{last}" for first in ("aro", "bel", "cin", "dov") for last in ("ka", "mi", "su", "te", "vo", "zu")]
COLOURS = ("red", "blue", "green", "white")
CARD = "---\nlicense: cc-by-4.0\nconfigs:\n- config_name: default\n  data_files: facts.jsonl\n---\n"


def fact(place: int) -> str:
    return f"{NAMES[place]} is painted {COLOURS[place % 4]}."


def question(place: int, *, rationale: bool = True) -> dict[str, str]:
    row = {"input": f"Which colour has {NAMES[place]}?", "output": COLOURS[place % 4]}
    return {**row, "rationale": fact(place)} if rationale else row


@pytest.fixture(scope="session")
def facts(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> str:
    """The knowledge: a dataset on the test Hub."""
    folder = tmp_path_factory.mktemp("facts")
    write_jsonl(folder / "facts.jsonl", [{"text": fact(place)} for place in range(len(NAMES))])
    (folder / "README.md").write_text(CARD)
    store.add_folder(FACTS, folder, repo_type="dataset")
    return FACTS


def laid_out(project: Callable[..., Path], knowledge: Any, *, rationale: bool = True, **kard: Any) -> Path:
    data = {"methods": ["kard"], "knowledge": knowledge, "kard": kard, "encoder": "packaged"}
    path = project(data=data, discover={"datasets": 0}, evaluate={"contributions": 0})
    write_jsonl(path.parent / "kshot/train.jsonl", [question(place, rationale=rationale) for place in range(12)])
    write_jsonl(path.parent / "kshot/test.jsonl", [question(place) for place in range(12, 18)])
    return path


def test_a_published_expert_answers_with_its_passage_by_the_cards_own_snippet(
    facts: str, project: Callable[..., Path], tmp_path: Path
) -> None:
    """Trained with passages, compared with and without them, published, loaded in a fresh process."""
    path = laid_out(project, facts)
    opened = pipeline.open_project(path, quiet=True)
    pipeline.run(opened)
    lines = (path.parent / ".hubexpert/examples.jsonl").read_text().splitlines()
    lessons = [TrainingExample.model_validate_json(line).example for line in lines]
    assert [lesson.passages for lesson in lessons] == [(fact(place),) for place in range(12)]
    assert {lesson.reply for lesson in lessons} == {f"{fact(n)}\nAnswer: {COLOURS[n % 4]}" for n in range(12)}
    told = read_lock(opened.lock_path).kard
    assert told is not None
    assert [system.name for system in told.systems] == ["no passages", "BM25", "reranked", "gold side"]
    found = {score.name: score.recall_5 for score in told.retrieval}
    assert set(found) == {"BM25", "reranked", "gold side"} and found["gold side"] == 1
    assert told.systems[2].value == next(s.value for s in pipeline.evaluate(opened).systems if s.name == "routed")
    assert (told.passages, told.distilled.given, told.distilled.rationales) == (24, 12, ())
    assert told.cost is not None and told.cost.prompt_tokens > 1 and told.cost.answer_tokens > 1
    assert run("publish", "--recipe", str(path), "--force", "--quiet") == 0
    assert status(path).state == "fresh"
    checks = list(
        verify(open_copy(opened.recipe.publish.repo or ""), test=path.parent / "kshot/test.jsonl", quiet=True)
    )
    assert {check.outcome for check in checks} == {"ok"}, "the same passages are found, so the same is answered"
    assert [check.about for check in checks if check.check == "test"] == ["static", "routed"]
    card = (path.parent / ".hubexpert/publish/README.md").read_text()
    assert "24 passages" in card and FACTS in card
    repo = parse_recipe(read_lock(opened.lock_path).recipe, name="it").publish.repo
    snippet = next(code for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "open_knowledge" in code)
    script = tmp_path / "snippet.py"
    assert f'open_knowledge("{repo}")' in snippet
    script.write_text(snippet.replace("…", f"Which colour has {NAMES[20]}?"))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"({fact(20)!r},)")


def test_knowledge_that_moved_makes_the_expert_stale(
    store: "Store", project: Callable[..., Path], tmp_path: Path
) -> None:
    """The commit stays pinned until a refresh; `status` tells that there is another."""
    repo, folder = "tester/test_moving_facts", tmp_path / "facts"
    write_jsonl(folder / "facts.jsonl", [{"text": fact(place)} for place in range(len(NAMES))])
    (folder / "README.md").write_text(CARD)
    store.add_folder(repo, folder, repo_type="dataset")
    path = laid_out(project, repo, reranker=None)
    pipeline.run(pipeline.open_project(path, quiet=True))
    write_jsonl(folder / "facts.jsonl", [{"text": "Nothing is known any more."}])
    store.add_folder(repo, folder, repo_type="dataset")
    assert any(reason.startswith(f"the dataset {repo} moved") for reason in status(path).reasons)
    assert len(pipeline.kard.index(pipeline.open_project(path, quiet=True))) == len(NAMES)
    assert len(pipeline.kard.index(pipeline.open_project(path, quiet=True, refresh=True))) == 1


def test_a_second_run_asks_reads_and_trains_nothing(facts: str, project: Callable[..., Path]) -> None:
    path = laid_out(project, facts)
    first = pipeline.run(pipeline.open_project(path, quiet=True))
    files = {
        p: p.stat().st_mtime_ns for p in (path.parent / ".hubexpert").rglob("*.safetensors") if "publish" not in str(p)
    }
    assert pipeline.run(pipeline.open_project(path, quiet=True)) == first
    assert {p: p.stat().st_mtime_ns for p in files} == files


def test_without_a_reranker_bm25_alone_finds_passages(project: Callable[..., Path]) -> None:
    """Of a file beside the recipe; a question that shares no word with it has no passage, and is asked nevertheless."""
    path = laid_out(project, "facts.txt", reranker=None)
    (path.parent / "facts.txt").write_text("\n".join(fact(place) for place in range(24)))
    opened = pipeline.open_project(path, quiet=True)
    strange = [example.model_copy(update={"input": "Quo vadis?"}) for example in pipeline.project.task(opened).test[:1]]
    asked = pipeline.kard.asked(opened, strange)
    assert [(example.passages, example.reasoned, example.rationale) for example in asked] == [((), True, None)]


def test_files_of_ones_own_are_named_and_not_published(project: Callable[..., Path], tmp_path: Path) -> None:
    """Their place on this machine is in no file; who loads the expert names the same files, unchanged."""
    (tmp_path / "own").mkdir()
    facts = tmp_path / "own" / "facts.txt"
    facts.write_text("\n".join(fact(place) for place in range(24)))
    path = laid_out(project, {"sources": [str(facts)], "words": 8, "overlap": 0}, reranker=None)
    opened = pipeline.open_project(path, quiet=True)
    lock = pipeline.run(opened)
    assert run("publish", "--recipe", str(path), "--force", "--quiet") == 0
    compared = pipeline.compared(opened, lock)  # its author has them, so a new one can be compared with it
    assert (compared.outcome, compared.difference, compared.n) == ("not-worse", 0, lock.report.system("routed").n)
    published = path.parent / ".hubexpert/publish"
    told = "".join(file.read_text() for file in published.iterdir() if file.suffix in (".json", ".md", ".lock"))
    assert str(tmp_path) not in told and "./facts.txt" in told
    with pytest.raises(HubExpertError, match="files of its author") as error:
        open_knowledge(published, quiet=True)
    assert "texts=" in error.value.fix
    assert fact(3) in open_knowledge(published, texts=[str(facts)], quiet=True).passages(question(3)["input"])[0]
    facts.write_text("Something else.")
    with pytest.raises(HubExpertError, match="not those"):
        open_knowledge(published, texts=[str(facts)], quiet=True)


def test_knowledge_may_be_of_the_hub_and_of_ones_own_at_once(
    facts: str, project: Callable[..., Path], tmp_path: Path
) -> None:
    """Both are searched, in training and by whoever loads the expert, who has to have only the file."""
    own = tmp_path / "own.txt"
    own.write_text("zumika is painted pink.")
    path = laid_out(project, {"sources": [facts, str(own)]}, reranker=None)
    opened = pipeline.open_project(path, quiet=True)
    pipeline.run(opened)
    told = read_lock(opened.lock_path).kard
    assert told is not None and told.passages == 25
    assert [each.repo for each in told.sources] == [FACTS, "./own.txt"]
    found = open_knowledge(path.parent / ".hubexpert/publish", texts=[str(own)], quiet=True)
    assert found.passages("Which colour has zumika?") == [own.read_text()]
    assert found.passages(question(5)["input"]) == [fact(5)]


@pytest.mark.slow
def test_without_held_out_examples_the_shots_are_cross_validated(facts: str, project: Callable[..., Path]) -> None:
    """Each part by what learned from the others' rationales; what finding is worth is then not told."""
    path = laid_out(project, facts, reranker=None)
    told = yaml.safe_load(path.read_text())
    del told["task"]["test"]
    few = {"evaluate": {"contributions": 0, "repeats": 1, "folds": 2}, "experts": {"candidates": 2, "count": 1}}
    path.write_text(yaml.safe_dump({**told, **few}))
    opened = pipeline.open_project(path, quiet=True)
    lock = pipeline.run(opened)
    assert (lock.report.protocol, lock.report.system("routed").n) == ("cross-validation", 12)
    assert lock.kard is not None and lock.kard.systems == () and lock.kard.cost is not None
    parts = sorted((path.parent / ".hubexpert/folds").iterdir())
    lines = [(part / "examples.jsonl").read_text().splitlines() for part in parts]
    lessons = [[TrainingExample.model_validate_json(line).example for line in some] for some in lines]
    assert sorted(lesson.input for some in lessons for lesson in some) == sorted(
        question(n)["input"] for n in range(12)
    )
    assert all(lesson.passages == (lesson.rationale,) for some in lessons for lesson in some)


def test_a_passage_longer_than_the_context_is_cut(project: Callable[..., Path]) -> None:
    path = laid_out(project, {"sources": "facts.txt", "words": 400, "overlap": 0}, reranker=None)
    (path.parent / "facts.txt").write_text(" ".join(fact(place) for place in range(24)) * 3)
    opened = pipeline.open_project(path, quiet=True)
    for example in pipeline.kard.asked(opened, pipeline.project.task(opened).test):
        assert 0 < len(example.passages[0]) < 512


@pytest.mark.parametrize(
    ("knowledge", "rationale", "message", "fix"),
    [
        ("nothing.jsonl", True, "no texts", "data.knowledge.sources"),
        ("tester/test_missing_facts", True, "test_missing_facts", ""),
        (FACTS, False, "no rationale", "data.teacher"),
    ],
)
def test_what_is_lacking_is_told(
    knowledge: str, rationale: bool, message: str, fix: str, facts: str, project: Callable[..., Path]
) -> None:
    path = laid_out(project, knowledge, rationale=rationale)
    with pytest.raises(HubExpertError, match=message) as error:
        pipeline.data(pipeline.open_project(path, quiet=True))
    assert fix in error.value.fix


@pytest.mark.parametrize("change", [{"version": 2}, {"longest": 0}, {"room": -1}, {"kard": {"passages": "all"}}])
def test_published_facts_that_make_no_sense_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """Of a newer release, or with lengths that no answer can have."""
    told = {"sources": [], "knowledge": {"sources": ["a/b"]}, "kard": {}, "instruction": "", "seed": 0}
    written = {**told, "longest": 8, "room": 64, **change}
    (tmp_path / "knowledge.json").write_text(json.dumps(written))
    with pytest.raises(HubExpertError, match="damaged or of a newer release"):
        open_knowledge(tmp_path, quiet=True)


def test_a_metric_that_reads_no_rationale_is_refused(facts: str, project: Callable[..., Path]) -> None:
    path = laid_out(project, facts)
    told = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**told, "task": {**told["task"], "metric": "choice"}}))
    with pytest.raises(HubExpertError, match="reads no rationale"):
        pipeline.data(pipeline.open_project(path, quiet=True))


def test_kard_needs_knowledge() -> None:
    told = {"base": "a/b", "task": {"name": "x", "shots": "s.jsonl"}, "data": {"methods": ["kard"]}}
    with pytest.raises(HubExpertError, match="needs `knowledge`"):
        parse_recipe(told, name="it")
