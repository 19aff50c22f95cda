"""Guards on scored adapters: what was trained on the shots is flagged, what is merely good is not."""

import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.examine import expanded
from hubexpert.experts.flag import MEANINGS, sentence
from hubexpert.experts.guards import flags, in_domain
from hubexpert.experts.holdings import Holding
from hubexpert.experts.recall import Recall, halves, longest_run, recall
from hubexpert.experts.traces import Trace, comparable, free, levels_of, outlying, shift, traces
from hubexpert.factors import read_factors
from hubexpert.lm import Lm, encode, generate, mean_nll
from hubexpert.naming import is_named
from hubexpert.prompt import prompt_text
from hubexpert.recipe import TaskSection
from hubexpert.records import Candidate, Example, Score, Source
from hubexpert.slots import applied
from tests import tiny
from tests.experts import world

POOL = ("whole", "outputs", "others", "random-one", "random-two", "random-three")


def source(repo: str) -> Source:
    return Source(repo=repo, revision="0" * 40)


def candidate(repo: str, *datasets: str) -> Candidate:
    return Candidate(source=source(repo), verdict="accepted", found_by=("tag",), datasets=datasets)


@dataclass(frozen=True)
class World:
    """The tiny base, the folder with the pool, shots and held-out examples of one task, the pool's NLLs."""

    lm: Lm
    folder: Path
    shots: Sequence[Example]
    test: Sequence[Example]
    nlls: Mapping[str, Sequence[float]]

    @contextmanager
    def opened(self, source: Source) -> Iterator[None]:
        with applied(self.lm.model, read_factors(self.folder / source.repo)):
            yield

    @property
    def scores(self) -> list[Score]:
        return [
            Score(source=source(r), exact_match=0, perplexity=math.exp(statistics.fmean(n)), n=len(n), low=0, high=0)
            for r, n in self.nlls.items()
        ]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One adapter trained on the shots' whole texts, one on their outputs, one on other examples, three on nothing."""
    folder = tmp_path_factory.mktemp("guards")
    shots, others, test = world.task(12, 1), world.task(64, 2), world.task(32, 3)
    world.trained(folder / "whole", shots, whole=True, epochs=160)
    world.trained(folder / "outputs", shots, whole=False, epochs=60)
    world.trained(folder / "others", others, whole=True, epochs=40)
    for rank, name in enumerate(POOL[3:], start=2):
        world.untrained(folder / name, rank=rank)
    lm = Lm(world.base(), tiny.tokenizer())
    encoded = [encode(lm.tokenizer, shot, expanded(shot)) for shot in shots]
    nlls = {}
    for name in POOL:
        with applied(lm.model, read_factors(folder / name)):
            nlls[name] = mean_nll(lm, encoded)
    return World(lm, folder, shots, test, nlls)


def flagged(
    pool: World,
    *,
    test: Sequence[Example] | None = None,
    holdings: Sequence[Holding] = (),
    datasets: tuple[str, ...] = (),
    most: int = 8,
) -> dict[str, tuple[str, ...]]:
    held = pool.test if test is None else test
    everyone = [candidate(repo) for repo in POOL]
    section = TaskSection(name="toy", shots="shots.jsonl", datasets=datasets)
    return flags(
        lambda: pool.lm,
        pool.opened,
        everyone,
        pool.scores,
        pool.nlls,
        pool.shots,
        held,
        holdings,
        section,
        most=most,
        seed=0,
        quiet=True,
    )


def test_an_adapter_trained_on_the_shots_is_flagged_and_a_good_one_is_not(pool: World) -> None:
    """Whole texts are known by heart; of outputs alone the gap to held-out examples tells; others are clean."""
    assert statistics.fmean(pool.nlls["others"]) < 0.5 * statistics.fmean(pool.nlls["random-one"])  # it is good
    assert flagged(pool) == {"whole": ("memorised",), "outputs": ("closer-to-shots",)}


def test_without_held_out_examples_inputs_known_by_heart_are_still_seen(pool: World) -> None:
    """Then nothing can be said of an adapter that was trained on outputs alone."""
    assert flagged(pool, test=()) == {"whole": ("memorised",)}


def test_only_the_best_by_perplexity_are_looked_at(pool: World) -> None:
    """The model is run with so many adapters and no more."""
    assert flagged(pool, most=0) == {}
    best = min(pool.scores, key=lambda score: score.perplexity).source.repo
    assert set(flagged(pool, most=1)) == {best}


def test_what_is_seen_does_not_depend_on_the_shots_alone(pool: World) -> None:
    """Asked about examples that it was not trained on, the adapter that knew the shots by heart is clean."""
    fresh, held = pool.test[:16], pool.test[16:]
    found = traces(pool.lm, pool.opened, [source("whole")], {}, fresh, held, seed=0, quiet=True)["whole"]
    assert found.asked == 16 and found.by_heart == 0
    assert not found.memorised and not found.is_closer


def test_the_same_seed_sees_the_same(pool: World) -> None:
    """Two looks at one adapter give the same numbers."""
    first, second = (
        traces(pool.lm, pool.opened, [source("whole")], pool.nlls, pool.shots, pool.test, seed=3, quiet=True)
        for _ in range(2)
    )
    assert first == second


def test_recall_is_what_the_first_half_brings_forth(pool: World) -> None:
    """By hand: the prompt ends with the first half, in an open turn, and the answer is the rest of the input."""
    shot = pool.shots[0]
    told = shot.input.split()
    text = prompt_text(pool.lm.tokenizer, shot)
    prompt = text[: text.index(shot.input)] + " ".join(told[:7])
    ids = pool.lm.tokenizer(prompt, add_special_tokens=False).input_ids
    with pool.opened(source("whole")):
        answer = generate(pool.lm, [ids], max_new_tokens=len(" ".join(told[7:])) + 1)[0]
        asked = halves([shot], (), 0)
        assert recall(pool.lm, asked) == Recall((1.0,))
    assert answer == " " + " ".join(told[7:])
    assert asked[0].example.input == " ".join(told[:7])
    assert recall(pool.lm, asked).reproduced == (False,)
    assert recall(pool.lm, []) == Recall(())


def test_an_input_is_asked_for_once_and_only_if_there_is_something_to_know() -> None:
    """Short inputs, copies, and what the first half or the other inputs tell are left out; sixteen are asked for."""
    drawn = world.task(30, 5)
    assert len(halves(drawn, (), 0)) == 16
    assert {half.example.input for half in halves(drawn, (), 0)} != {
        half.example.input for half in halves(drawn, (), 1)
    }
    assert len(halves([drawn[0]] * 5, (), 0)) == 1
    assert halves([Example(input="too few words to ask for", output="x")], (), 0) == []
    assert halves([Example(input="one two three four five six seven " * 4, output="x")], (), 0) == []
    form = "Say whether the statement that now follows is right or is wrong as far as you can tell: "
    assert halves([Example(input=form + f"{word} it is", output="x") for word in ("this", "that", "so")], (), 0) == []


def test_what_inputs_share_does_not_count_as_known() -> None:
    """Of a second half only the words around which no piece is shared are compared."""
    tail = "or is it not so please say"
    first = "where did the old miller put the seven sacks of flour that came by cart from town"
    second = "when will the young baker come for all his loaves of bread and pay us what he owes"
    found = {
        half.example.input.split()[0]: half
        for half in halves([Example(input=f"{t} {tail}", output="x") for t in (first, second)], (), 0)
    }
    assert found["where"].fresh == (("that", "came", "by", "cart", "from", "town"),)
    assert all("please" not in run for half in found.values() for run in half.fresh)


def test_held_out_examples_tell_what_inputs_have_in_common() -> None:
    """A form of words that only one shot has, and others of the task, too, is nothing to know by heart."""
    ask = "Is the claim above correct, and can it be verified without a web search?"
    shot, other = (Example(input=f"{claim} {ask}", output="x") for claim in ("Salt is a metal.", "Bees are blind."))
    assert len(halves([shot], (), 0)) == 1
    assert halves([shot], [other], 0) == []


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_the_longest_run_is_the_longest_common_part(first: str, second: str) -> None:
    """Against every part of the one looked for in the other."""
    parts = {first[i:j] for i in range(len(first) + 1) for j in range(i, len(first) + 1)}
    assert longest_run(first, second) == max(len(part) for part in parts if part in second)


values = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)


@given(values, values)
def test_the_shift_counts_who_is_smaller(first: list[float], second: list[float]) -> None:
    """Mann and Whitney's U, pair by pair, a tie for a half; in its standard deviations around the mean."""
    n, m = len(first), len(second)
    u = sum((x > y) + 0.5 * (x == y) for x in first for y in second)
    assert shift(first, second) == pytest.approx((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))
    assert shift(first, second) == pytest.approx(-shift(second, first))


def test_a_shift_by_chance_alone_is_rarely_large() -> None:
    """Two samples of one distribution: its standard deviation is 1, so -3 comes by chance about once in a thousand."""
    drawn = random.Random(0)
    found = [shift([drawn.random() for _ in range(16)], [drawn.random() for _ in range(32)]) for _ in range(2000)]
    assert statistics.pstdev(found) == pytest.approx(1, abs=0.05)
    assert sum(z <= -3 for z in found) <= 8


def test_outlying_is_the_robust_z_score() -> None:
    """One at 0.1 among six around 2 with a MAD of 0.1; four others are needed; equal ones have a least spread."""
    levels = {"it": 0.1, "a": 1.8, "b": 1.9, "c": 2.0, "d": 2.1, "e": 2.2}
    assert outlying("it", levels) == pytest.approx(0.6745 * (0.1 - 2.0) / 0.1)
    assert outlying("it", {"it": 0.1, "a": 1.0, "b": 1.0, "c": 1.0}) is None
    assert outlying("other", levels) is None
    assert outlying("it", dict.fromkeys(levels, 2.0) | {"it": 1.9}) == pytest.approx(-0.6745 * 0.1 / 0.05)


def test_levels_are_of_the_free_outputs_that_were_scored() -> None:
    """Labels prove nothing; an adapter that was scored on fewer shots counts with those, if they are enough."""
    shots = [*world.task(10, 0), Example(input="good or bad", output="good", choices=("good", "bad"))]
    nlls = {"all": [*range(10), 100.0], "nine": [1.0] * 9, "few": [1.0] * 7}
    assert levels_of(nlls, shots) == {"all": 4.5, "nine": 1.0}
    assert levels_of({"all": [0.0]}, shots[-1:]) == {}


@pytest.mark.parametrize(
    ("example", "wanted"),
    [
        (Example(input="Is it so?", output="yes", choices=("yes", "no")), False),
        (Example(input="Name the intent.", output="top up by cash or cheque"), True),
        (Example(input="play jazz at noon in the old town hall", output='{"what": "jazz", "when": "noon"}'), False),
        (Example(input="Is it so?", output="yes", rationale="because rivers always run down to the sea"), True),
        (Example(input="Which?", output="a b c d e f", choices=("a b c d e f", "g h i j k l")), False),
    ],
)
def test_an_output_is_free_if_it_can_neither_be_guessed_nor_copied(example: Example, wanted: bool) -> None:
    assert (free([example, *world.task(3, 0)]) >= {example}) is wanted


def test_what_several_examples_have_is_a_label() -> None:
    """However long it is."""
    label = "top up by cash or by cheque"
    assert free([Example(input=text, output=label) for text in ("one", "two")]) == set()


def test_rationales_count_where_all_examples_have_one() -> None:
    """A teacher's rationales for the shots alone are no sign; too few free outputs show nothing."""
    shots, test = world.task(12, 1), world.task(80, 2)
    shown, held = comparable(shots, test, 0)
    assert shown == tuple(shots) and len(held) == 64 and set(held) <= set(test)
    bare = [example.model_copy(update={"rationale": None}) for example in test]
    assert comparable(shots, bare, 0) == ((), ())
    assert comparable(shots[:7], test, 0) == ((), ())
    assert comparable(shots, test[:15], 0) == ((), ())


@pytest.mark.parametrize(
    ("by_heart", "asked", "closer", "level", "outlying", "memorised"),
    [
        (16, 16, None, None, None, True),
        (4, 16, None, None, None, True),
        (3, 16, 0.0, 2.0, 0.0, False),
        (1, 3, None, None, None, False),
        (2, 3, None, None, None, True),
        (1, 16, -4.0, 2.0, 0.0, True),
        (1, 16, 0.0, 0.1, -5.0, True),
        (1, 16, 0.0, 0.1, -1.0, False),
        (1, 16, 0.0, 0.1, None, True),
        (0, 16, -9.0, 0.0, -9.0, False),
        (0, 0, None, None, None, False),
    ],
)
def test_memorised_takes_several_inputs_or_one_and_another_sign(
    by_heart: int, asked: int, closer: float | None, level: float | None, outlying: float | None, memorised: bool
) -> None:
    assert Trace(asked, by_heart, closer, level, outlying).memorised is memorised


@pytest.mark.parametrize(
    ("own", "name", "named"),
    [
        ("PolyAI/banking77", "banking77", True),
        ("banking77", "me/smol-Banking77-r16", True),
        ("banking77", "me/banking-77-lora", True),
        ("arc", "me/search-lora", False),
        ("arc", "me/llama-arc-lora", True),
        ("arc", "arc/llama-lora", False),
        ("allenai/ai2_arc", "me/AI2-ARC-expert", True),
        ("commonsense_qa", "me/CommonsenseQA-r8", True),
        ("commonsense_qa", "me/commonsense-r8", False),
        ("gsm8k", "openai/GSM8K", True),
        ("openbookqa", "OpenBookQAExpert", True),
        ("BoolQ", "boolq/", True),
        ("qa", "sqa", False),
        ("", "anything", False),
        ("---", "me/---", False),
    ],
)
def test_a_name_names_a_dataset_by_whole_words(own: str, name: str, named: bool) -> None:
    assert is_named(own, name) is named


@given(st.text(), st.text())
def test_any_names_can_be_compared(own: str, name: str) -> None:
    """Whatever a card says, it is compared; a name that has words names itself."""
    assert is_named(own, name) in (True, False)
    assert is_named(name, f"me/{name}") == is_named(name, name)


def test_in_domain_is_told_by_name_by_card_or_by_rows() -> None:
    """Nothing is in-domain by chance: without a name in the recipe only rows can tell."""
    own = TaskSection(name="t", shots="s", datasets=("PolyAI/banking77",))
    bare = TaskSection(name="banking77", shots="s")
    assert in_domain(candidate("me/banking77-r8"), (), own)
    assert in_domain(candidate("me/x", "other", "banking77"), (), own)
    assert in_domain(candidate("me/x"), [Holding("PolyAI/banking77", ("me/x",), "gated")], own)
    assert in_domain(candidate("me/x"), [Holding("some/mix", ("me/x",), None, rows=9, test=1)], bare)
    assert not in_domain(candidate("me/x"), [Holding("some/mix", ("me/x",), None, rows=9)], bare)
    assert not in_domain(candidate("me/banking77-r8"), (), bare)


def test_flags_tell_what_cited_datasets_hold(pool: World) -> None:
    """Only of the adapters that cite them, with the count; each flag has a sentence."""
    holdings = [
        Holding("a/mix", ("random-one", "random-two"), None, rows=100, shots=3),
        Holding("a/leak", ("random-two",), None, rows=100, shots=1, test=7),
        Holding("a/clean", ("random-three",), None, rows=100),
    ]
    assert flagged(pool, holdings=holdings, datasets=("whole",), most=0) == {
        "whole": ("in-domain",),
        "random-one": ("trained-on-shots:3", "in-domain"),
        "random-two": ("trained-on-shots:3", "trained-on-test:7", "in-domain"),
    }
    assert sentence("trained-on-shots:3") == "cites a dataset that holds 3 of the shots"
    assert all(sentence(code) and "{" not in sentence(f"{code}:1") for code in MEANINGS)
