"""Datasets in discovery, before a real Hub: which are found, in which order, with which verdict."""

from pathlib import Path
from typing import Any, get_args

import pytest
from huggingface_hub import HfApi

from hubexpert.discover.data import discover_datasets
from hubexpert.discover.data.search import category, searches, telling_words
from hubexpert.discover.data.verdict import LARGEST, DataCode
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.recipe import DiscoverSection, parse_recipe
from hubexpert.records import ColumnMap, DatasetCandidate, Discovery
from tests.discover.data import QUESTIONS, adapter, anew, dataset
from tests.discover.faults import Fault, client, faulty_hub

FEATURES = "dataset_info:\n  features:\n  - {name: picture, dtype: image}\n  - {name: label, dtype: int64}"


def found(*cited: str, task: str = "", **section: Any) -> dict[str, DatasetCandidate]:
    """Dataset -> what discovery says of it, for one adapter that cites these."""
    wanted = DiscoverSection.model_validate(section)
    return {d.repo: d for d in discover_datasets([adapter("o/lora", *cited)], wanted, anew(), task=task, quiet=True)}


def test_every_verdict_on_a_cited_dataset(store: Store, endpoint: str, tmp_path: Path) -> None:
    dataset(store, tmp_path, "verdict/good")
    dataset(store, tmp_path, "verdict/gated")
    HfApi().update_repo_settings("verdict/gated", gated="auto", repo_type="dataset")
    dataset(store, tmp_path, "tester/verdict-private", private=True)
    dataset(store, tmp_path, "verdict/unlicensed", license_="")
    dataset(store, tmp_path, "verdict/nc", license_="cc-by-nc-4.0")
    dataset(store, tmp_path, "verdict/large")
    dataset(store, tmp_path, "verdict/odd")
    dataset(store, tmp_path, "verdict/pictures", extra=FEATURES)
    expected = {
        "verdict/good": "accepted",
        "verdict/gated": "gated",
        "tester/verdict-private": "private",
        "verdict/none": "missing",
        "no name": "missing",
        "verdict/unlicensed": "license-unknown",
        "verdict/nc": "license-forbidden",
        "verdict/large": "too-large",
        "verdict/odd": "unreadable",
        "verdict/pictures": "no-columns",
    }

    def plan(method: str, path: str, before: int) -> Fault | None:
        if path.startswith("/api/datasets/verdict/odd"):
            return Fault(change=lambda said: [said])
        if path.startswith("/api/datasets/verdict/large?"):
            return Fault(change=lambda said: said | {"siblings": [{"rfilename": "x", "size": LARGEST + 1}]})
        return None

    script = f"""
from hubexpert.discover.data import discover_datasets
from hubexpert.recipe import DiscoverSection
from hubexpert.records import Discovery
from tests.discover.data import adapter, anew
found = discover_datasets([adapter("o/lora", *{list(expected)!r})], DiscoverSection(), anew(), quiet=True)
print(Discovery(base="b", endpoint="e", candidates=(), datasets=found).model_dump_json())
"""
    with faulty_hub(endpoint, plan) as (address, seen):
        done = client(script, address)
        per_dataset = [
            sum(count for (_, path), count in seen.items() if path.partition("?")[0] == f"/api/datasets/{repo}")
            for repo in expected
            if repo not in ("no name", "verdict/good")  # of that one a row is read, too
        ]
    assert done.returncode == 0, done.stderr
    data = Discovery.model_validate_json(done.stdout).datasets
    assert {d.repo: d.verdict for d in data} == expected
    assert set(per_dataset) == {1}, "one request for each dataset"
    assert all(d.reason and d.sample is None for d in data if d.verdict != "accepted")
    assert {d.found_by for d in data} == {("cited",)} and {d.cited_by for d in data} == {("o/lora",)}
    assert set(get_args(DataCode)) == {*expected.values(), "not-looked-up"} - {"accepted"}


def test_an_accepted_dataset_shows_a_row_as_its_mapping_says(store: Store, tmp_path: Path) -> None:
    labels = "dtype: {class_label: {names: {'0': bad, '1': good}}}"
    extra = f"dataset_info:\n  features:\n  - {{name: text, dtype: string}}\n  - {{name: label, {labels}}}"
    dataset(store, tmp_path, "sample/told", [{"text": "fine", "label": 1}], extra=extra)
    dataset(store, tmp_path, "sample/untold", QUESTIONS)
    dataset(store, tmp_path, "sample/nothing", [{"url": "https://x", "n": 1}])
    dataset(store, tmp_path, "sample/broken", files={"train.parquet": b"PAR1"})
    data = found("sample/told", "sample/untold", "sample/nothing", "sample/broken")
    told = data["sample/told"]
    assert (told.verdict, told.reason, told.sample) == ("accepted", None, {"input": "fine", "output": "good"})
    assert told.configs[0].columns == {"text": "string", "label": "class_label"}
    untold = data["sample/untold"]
    assert (untold.verdict, untold.reason) == ("accepted", None)
    assert untold.mapping == ColumnMap(input=("question",), output="answer")
    assert untold.sample == {"input": "What is 0 + 0?", "output": "0"}
    assert untold.configs[0].columns == {"question": "string", "answer": "string"}
    assert data["sample/nothing"].verdict == "no-columns"
    broken = data["sample/broken"]
    assert (broken.verdict, broken.mapping, broken.sample) == ("accepted", None, None)
    assert "not known before a row is read" in (broken.reason or "") and "could not be read" in (broken.reason or "")


def test_the_recipe_names_columns_where_the_guess_is_wrong(store: Store, tmp_path: Path) -> None:
    rows = [{"question": "why", "answer": "so", "frage": "warum", "antwort": "darum"}]
    told = "dataset_info:\n  features:\n" + "\n".join(f"  - {{name: {name}, dtype: string}}" for name in rows[0])
    dataset(store, tmp_path, "over/told", rows, extra=told)
    dataset(store, tmp_path, "over/untold", rows)
    german = {"input": "frage", "output": "antwort"}
    for repo in ("over/told", "over/untold"):
        (chosen,) = found(repo, columns={repo: german}).values()
        assert (chosen.verdict, chosen.found_by) == ("accepted", ("id", "cited"))
        assert chosen.mapping == ColumnMap.model_validate(german)
        assert chosen.sample == {"input": "warum", "output": "darum"}
        (wrong,) = found(columns={repo: {"input": "frage", "output": "reponse"}}).values()
        assert wrong.verdict == "no-columns" and "`reponse`" in (wrong.reason or "")


def test_the_most_cited_come_first_once_whatever_their_case_and_the_rest_is_told(store: Store, tmp_path: Path) -> None:
    for name in ("often", "seldom"):
        dataset(store, tmp_path, f"order/{name}")
    adapters = [
        adapter("o/a", "order/seldom", "order/often"),
        adapter("o/b", "Order/Often", "order/gone"),
        adapter("o/c", "order/often", "order/often"),
    ]
    data = discover_datasets(adapters, DiscoverSection(datasets=1), anew(), quiet=True)
    assert [(d.repo, d.verdict, d.cited_by) for d in data] == [
        ("order/often", "accepted", ("o/a", "o/b", "o/c")),
        ("order/gone", "not-looked-up", ("o/b",)),
        ("order/seldom", "not-looked-up", ("o/a",)),
    ]
    assert {d.verdict for d in discover_datasets(adapters, DiscoverSection(datasets=0), anew(), quiet=True)} == {
        "not-looked-up"
    }
    named = discover_datasets(adapters, DiscoverSection(datasets=0), anew(), named=["order/seldom"], quiet=True)
    assert [(d.repo, d.verdict, d.found_by) for d in named] == [
        ("order/seldom", "accepted", ("id", "cited")),
        ("order/often", "not-looked-up", ("cited",)),
        ("order/gone", "not-looked-up", ("cited",)),
    ]


def test_a_task_is_searched_for_and_what_a_search_tells_is_not_asked_again(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    dataset(store, tmp_path, "hunt/zebrafish-questions", license_="cc-by-nc-4.0")
    dataset(store, tmp_path, "hunt/cited-zebrafish", license_="cc-by-nc-4.0")
    dataset(store, tmp_path, "hunt/tagged", license_="cc-by-nc-4.0", extra="task_categories: [translation]")
    task = "zebrafish-names Translate the zebrafish."
    data = found("hunt/cited-zebrafish", task=task)
    assert {repo: d.found_by for repo, d in data.items() if repo.startswith("hunt/")} == {
        "hunt/cited-zebrafish": ("cited", "search"),
        "hunt/zebrafish-questions": ("search",),
        "hunt/tagged": ("search",),
    }
    assert next(iter(data)) == "hunt/cited-zebrafish"
    assert data["hunt/zebrafish-questions"].size
    script = f"""
from hubexpert.discover.data import discover_datasets
from hubexpert.recipe import DiscoverSection
from tests.discover.data import anew
print(len(discover_datasets([], DiscoverSection(), anew(), task={task!r}, quiet=True)))
"""
    with faulty_hub(endpoint, lambda method, path, before: None) as (address, seen):
        done = client(script, address)
    assert done.returncode == 0, done.stderr
    listings = [path for _, path in seen if path.startswith("/api/datasets?")]
    assert len(listings) == len(searches(task)) <= 4
    assert not [path for _, path in seen if path.startswith("/api/datasets/hunt/")]


def test_a_former_name_and_the_present_one_are_one_dataset(store: Store, endpoint: str, tmp_path: Path) -> None:
    dataset(store, tmp_path, "moved/here", license_="cc-by-nc-4.0")
    script = """
from hubexpert.discover.data import discover_datasets
from hubexpert.recipe import DiscoverSection
from tests.discover.data import adapter, anew
adapters = [adapter("o/a", "formerly"), adapter("o/b", "moved/here")]
print([(d.repo, d.verdict, d.cited_by) for d in discover_datasets(adapters, DiscoverSection(), anew(), quiet=True)])
"""

    def plan(method: str, path: str, before: int) -> Fault | None:
        moved = Fault(307, {"Location": "/api/datasets/moved/here"})  # as the Hub answers for `squad`
        return moved if path.startswith("/api/datasets/formerly") else None

    with faulty_hub(endpoint, plan) as (address, _):
        done = client(script, address)
    assert done.stdout.strip() == "[('moved/here', 'license-forbidden', ('o/a', 'o/b'))]", done.stderr


def test_a_search_that_the_hub_refuses_ends_nothing(store: Store, endpoint: str, tmp_path: Path) -> None:
    dataset(store, tmp_path, "refusal/data", license_="cc-by-nc-4.0")
    script = """
from hubexpert.discover.data import discover_datasets
from hubexpert.recipe import DiscoverSection
from tests.discover.data import adapter, anew
adapters = [adapter("o/a", "refusal/data")]
print([d.verdict for d in discover_datasets(adapters, DiscoverSection(), anew(), task="giraffes")])
"""
    with faulty_hub(endpoint, lambda m, path, b: Fault(400) if "search=" in path else None) as (address, _):
        done = client(script, address)
    assert done.stdout.strip() == "['license-forbidden']", done.stderr
    assert "a search for datasets" in done.stderr


@pytest.mark.parametrize(
    ("task", "words", "tag"),
    [
        ("science-qa Answer the multiple-choice question.", ("science",), "multiple-choice"),
        ("banking77 Which intent has this message of a bank's customer?", ("banking77", "intent", "message"), None),
        ("sms_spam Is this text message spam?", ("sms", "spam", "message"), "text-classification"),
        ("gsm8k Solve the problem.", ("gsm8k", "solve", "problem"), None),
        ("news Summarise the article.", ("news", "summarise", "article"), "summarization"),
        ("", (), None),
    ],
)
def test_what_is_searched_for(task: str, words: tuple[str, ...], tag: str | None) -> None:
    assert telling_words(task) == words
    if tag:
        assert category(task) == f"task_categories:{tag}"
    assert len(searches(task)) <= 4


def test_an_unknown_key_of_a_dataset_names_the_nearest() -> None:
    recipe = {
        "base": "b",
        "task": {"name": "t", "shots": "s"},
        "discover": {"columns": {"o/d": {"imput": "x", "output": "y"}}},
    }
    with pytest.raises(HubExpertError) as caught:
        parse_recipe(recipe, name="hubexpert.yaml")
    assert "discover.columns.o/d" in caught.value.message
    recipe["discover"] = {"columns": {"o/d": {"input": "x", "output": "y", "rational": "z"}}}
    with pytest.raises(HubExpertError) as caught:
        parse_recipe(recipe, name="hubexpert.yaml")
    assert "unknown key `discover.columns.o/d.rational`" in caught.value.message
    assert "did you mean `rationale`?" in caught.value.fix


def test_the_documentation_names_exactly_the_verdicts_there_are() -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted([*get_args(DataCode), "accepted"])


def test_a_day_long_nothing_is_asked_again_unless_it_is_wanted(store: Store, endpoint: str, tmp_path: Path) -> None:
    dataset(store, tmp_path, "daily/good")
    script = """
from hubexpert.discover.data import Known, discover_datasets
from hubexpert.discover.snapshot import open_snapshot
from hubexpert.recipe import DiscoverSection
from tests.discover.data import adapter
known = Known(open_snapshot(), {ways})
found = discover_datasets([adapter("o/a", "daily/good", "daily/gone")], DiscoverSection(), known, task="zebras daily")
print([(d.repo, d.verdict, d.sample) for d in found])
"""
    with faulty_hub(endpoint) as (address, seen):
        home = {"HF_HOME": str(tmp_path / "home")}
        offline = client(script.format(ways="offline=True"), address, **home)
        assert "daily/good" in offline.stdout and "missing" in offline.stdout and not seen
        first = client(script.format(ways=""), address, **home)
        asked = sum(seen.values())
        assert "'accepted', {" in first.stdout, first.stderr
        for ways in ("", "offline=True"):
            assert client(script.format(ways=ways), address, **home).stdout == first.stdout
        assert sum(seen.values()) == asked
        assert client(script.format(ways="refresh=True"), address, **home).stdout == first.stdout
        assert sum(seen.values()) > asked
