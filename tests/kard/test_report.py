"""What rationales and passages are worth, in numbers whose slow references are plain loops."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.kard.report import kard_report, reasoning_cost, recall, retrieval_score, stated
from hubexpert.lm import Encoded
from hubexpert.records import Distilled, KardReport
from hubexpert.statistics import bootstrap

PASSAGES = st.lists(st.integers(0, 9), max_size=9, unique=True)
GOLD = st.sets(st.integers(0, 9), max_size=4)


@given(PASSAGES, GOLD, st.integers(1, 6))
def test_recall_is_the_share_of_gold_facts_that_were_found(found: list[int], gold: set[int], k: int) -> None:
    hits = 0
    for place, passage in enumerate(found):
        hits += place < k and passage in gold
    assert recall(found, gold, k) == (hits / len(gold) if gold else 0)


@given(st.lists(st.tuples(PASSAGES, GOLD), max_size=6))
def test_retrieval_is_measured_where_gold_facts_are_known(questions: list[tuple[list[int], set[int]]]) -> None:
    """The means over those questions, and the interval of the recall among the first five."""
    score = retrieval_score("bm25", [found for found, _ in questions], [gold for _, gold in questions], seed=0)
    known = [(found, gold) for found, gold in questions if gold]
    if not known:
        assert score is None
        return
    five = [recall(found, gold, 5) for found, gold in known]
    assert score is not None
    assert score.n == len(known)
    assert score.recall_1 == pytest.approx(fmean(recall(found, gold, 1) for found, gold in known))
    assert score.recall_5 == pytest.approx(fmean(five))
    assert (score.low, score.high) == bootstrap(five, seed=0)


def test_the_cost_is_a_ratio_of_all_tokens() -> None:
    """Of the prompts and of the answers of all questions together; of the seconds where they were taken."""
    direct = [Encoded((1, 2), (3,)), Encoded((1, 2, 3, 4), (3,))]
    reasoned = [Encoded((1,) * 5, (2,) * 7), Encoded((1,) * 10, (2,) * 3)]
    cost = reasoning_cost(direct, reasoned)
    assert (cost.prompt_tokens, cost.answer_tokens, cost.seconds) == (2.5, 5.0, None)
    assert reasoning_cost(direct, reasoned, seconds=(2.0, 7.8)).seconds == 3.9


def test_the_report_holds_all_of_it() -> None:
    """Systems have intervals like those of every report; ways to look up without known gold facts are left out."""
    values = {"none": [0.0, 0.0, 1.0, 0.0], "bm25": [1.0, 0.0, 1.0, 0.0]}
    found = Distilled(rationales=(("a", "b"), ()), asked=4, refused={"not-verified": 2}, verified=2)
    rows = [retrieval_score("bm25", [[1]], [{1}], seed=0), retrieval_score("reranked", [[1]], [set()], seed=0)]
    made = kard_report(found, rows, values, "exact_match", seed=0)
    assert KardReport.model_validate_json(made.model_dump_json()) == made
    assert [row.name for row in made.retrieval] == ["bm25"]
    assert [(row.name, row.value, row.n) for row in made.systems] == [("none", 0.25, 4), ("bm25", 0.5, 4)]
    assert (made.systems[1].low, made.systems[1].high) == bootstrap(values["bm25"], seed=0)
    assert (made.distilled.kept, made.distilled.without) == (2, 1)


def test_a_rationale_states_the_passages_that_stand_in_it_whole() -> None:
    """In any case and punctuation; three words are no fact."""
    passages = ["Bats are no birds.", "bats are birds", "No birds.", "The bat, a mammal, flies at night"]
    assert stated("Since bats are NO birds, and the bat (a mammal) flies at night: no.", passages) == [0, 3]
