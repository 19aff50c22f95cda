"""The order in which adapters are scored: a permutation whatever strangers write, and the closest one early."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.experts.prior import MOST_TEXT, prior
from hubexpert.frontmatter import card_data
from hubexpert.records import Candidate, Example, Source

EXAMPLES = Path(__file__).parents[2] / "examples"


def candidate(repo: str, *, datasets: tuple[str, ...] = (), downloads: int = 0) -> Candidate:
    source = Source(repo=repo, revision="0" * 40)
    return Candidate(source=source, verdict="accepted", found_by=("tag",), datasets=datasets, downloads=downloads)


def bank() -> tuple[list[Candidate], dict[str, str]]:
    """The sixteen real adapters with their cards as they are, three of them untouched stubs."""
    cards = {f"someone/{card.parent.name}": card.read_text() for card in sorted(EXAMPLES.glob("bank/*/README.md"))}
    cited = {repo: tuple((card_data(text) or {}).get("datasets") or ()) for repo, text in cards.items()}
    return [candidate(repo, datasets=cited[repo]) for repo in cards], cards


def rows(dataset: str) -> list[Example]:
    lines = (EXAMPLES / "datasets" / dataset / "data" / "train.jsonl").read_text().splitlines()[:32]
    return [Example.model_validate(json.loads(line)) for line in lines]


@pytest.mark.parametrize(
    ("dataset", "name", "closest"),
    [
        ("PolyAI__banking77", "banking", "banking77-r16"),
        ("openai__gsm8k", "gsm8k", "gsm8k-r16"),
        ("snips__slots", "snips_slots", "snips-slots-r16"),
        ("snips__intents", "intents", "snips-intent-r8"),
        ("tau__commonsense_qa", "commonsense_qa", "commonsenseqa-r8"),
        ("allenai__openbookqa", "open book qa", "openbookqa-r8"),
        ("allenai__ai2_arc", "arc_challenge", "arc-easy-r8"),
    ],
)
def test_the_closest_adapter_of_a_real_bank_comes_first(dataset: str, name: str, closest: str) -> None:
    """By what the task and the adapters are called; a stub's template does not push it ahead."""
    pool, cards = bank()
    shots = rows(dataset)
    found = prior(pool, cards, name=name, instruction=shots[0].instruction, shots=shots)
    assert pool[found[0]].source.repo == f"someone/{closest}"


def test_a_stub_is_found_by_its_name() -> None:
    """`boolq-r4` has PEFT's untouched card and cites nothing."""
    pool, cards = bank()
    shots = [Example(input="is there a right and left brachiocephalic artery", output="false")]
    found = prior(pool, cards, name="boolq", instruction="", shots=shots)
    assert pool[found[0]].source.repo == "someone/boolq-r4"


def test_the_shots_alone_find_what_a_card_describes() -> None:
    """A task without a telling name: the words of the shots stand in one card."""
    pool = [candidate("a/lora-v2", downloads=9), candidate("b/my-adapter"), candidate("c/checkpoint-500")]
    cards = {"b/my-adapter": "Fine-tuned on radiology reports; answers with the diagnosis."}
    shots = [Example(input="Chest radiology: what is the diagnosis?", output="pneumonia")]
    assert prior(pool, cards, name="task", instruction="", shots=shots) == [1, 0, 2]


def test_downloads_only_break_ties() -> None:
    """Where nothing is known the more popular comes first, where names tell something they decide."""
    pool = [candidate("a/one", downloads=1), candidate("b/two", downloads=5), candidate("c/spam")]
    assert prior(pool, {}, name="", instruction="", shots=[]) == [1, 0, 2]
    assert prior(pool, {}, name="spam", instruction="", shots=[]) == [2, 1, 0]


texts = st.text(max_size=200)
names = st.from_regex(r"[\w.-]{1,20}/[\w.-]{1,20}", fullmatch=True)


@given(
    st.lists(st.tuples(names, texts, st.integers(0, 9)), max_size=8),
    texts,
    texts,
    st.lists(st.tuples(texts, texts), max_size=5),
)
def test_the_result_is_a_permutation(
    pool: list[tuple[str, str, int]], name: str, instruction: str, shots: list[tuple[str, str]]
) -> None:
    """Whatever the cards, names and shots say, everybody is scored once; equal inputs give equal orders."""
    candidates = [candidate(repo, datasets=(card[:9],), downloads=downloads) for repo, card, downloads in pool]
    cards = {repo: card for repo, card, _ in pool[1:]}
    task = [Example(input=input_, output=output) for input_, output in shots]
    found = prior(candidates, cards, name=name, instruction=instruction, shots=task)
    assert sorted(found) == list(range(len(pool)))
    assert found == prior(candidates, cards, name=name, instruction=instruction, shots=task)


def test_what_stands_far_down_in_a_card_is_not_read() -> None:
    """Twenty thousand characters of a card count."""
    pool = [candidate("a/one"), candidate("b/two")]
    shots = [Example(input="radiology", output="x")]
    early, late = "x " * 100 + "radiology", "x " * MOST_TEXT + "radiology"
    assert prior(pool, {"b/two": early}, name="", instruction="", shots=shots) == [1, 0]
    assert prior(pool, {"b/two": late}, name="", instruction="", shots=shots) == [0, 1]


@pytest.mark.parametrize("unit", ["a", "a ", "\n", "# ", "é\u0301", "\U0001d54f", "-_" * 9, "<!-- "])
def test_hostile_cards_cost_no_time(unit: str) -> None:
    """Megabytes of one repeated thing in each of thirty cards are read in a moment."""
    pool = [candidate(f"a/adapter-{i}") for i in range(30)]
    cards = {one.source.repo: unit * (2_000_000 // len(unit)) for one in pool}
    start = time.process_time()
    found = prior(pool, cards, name="task", instruction="", shots=[Example(input=unit * 9999, output="b")])
    assert sorted(found) == list(range(30))
    assert time.process_time() - start < 5
