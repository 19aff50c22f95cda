"""A rationale stays where the base, having read it, finds the gold output likeliest against what it finds so anyway."""

import math
from pathlib import Path

import pytest

from hubexpert.examine import NEUTRAL
from hubexpert.kard.verifier import answers, asked, puts_first, verified
from hubexpert.lm import Encoded, Lm, mean_nll
from hubexpert.prompt import prompt_text
from hubexpert.records import ANSWER, Distilled, Example
from hubexpert.workspace import Journal
from tests import tiny

CHOICES = ("a cat", "a dog", "a cat and a dog")
EXAMPLES = (
    *(Example(input=f"who is {i}?", output=CHOICES[i % 3], choices=CHOICES) for i in range(4)),
    Example(instruction="True?", input="cats purr", output="True"),
    Example(instruction="True?", input="dogs purr", output="False"),
    *(Example(input=f"where is {place}?", output=place * 2) for place in ("b", "c", "d")),
)
RATIONALES = tuple((f"it purrs {i} times", f"it barks {i} times.") for i in range(len(EXAMPLES)))


@pytest.fixture
def model() -> Lm:
    return Lm(tiny.model(), tiny.tokenizer())


def run(model: Lm, journal: Path, examples: tuple[Example, ...] = EXAMPLES, key: object = "base") -> Distilled:
    found = Distilled(rationales=RATIONALES[: len(examples)], asked=2 * len(examples) + 1, refused={"repeats": 1})
    return verified(model, examples, found, Journal(journal), key, seed=0, quiet=True)


def slowly(model: Lm, example: Example, rationale: str, given: tuple[str, ...]) -> bool:
    """The whole reply with every answer, one after the other: log-likelihoods summed, against those of N/A."""
    rises = []
    for answer in given:
        total = 0.0
        for sign, each, reason in (
            (1, example, rationale),
            (-1, example.model_copy(update={"input": NEUTRAL}), NEUTRAL),
        ):
            prompt = model.tokenizer(prompt_text(model.tokenizer, each), add_special_tokens=False).input_ids
            reply = model.tokenizer(f"{reason}\n{ANSWER} {answer}", add_special_tokens=False).input_ids
            row = Encoded(tuple(prompt), (*reply, model.tokenizer.eos_token_id))
            total -= sign * mean_nll(model, [row])[0] * len(row.answer)
        rises.append(total)
    return math.isclose(max(rises), rises[[a.casefold() for a in given].index(example.output.casefold())], abs_tol=1e-3)


def test_a_rationale_is_kept_as_one_by_one_says(model: Lm, tmp_path: Path) -> None:
    """Of each example those rationales are left by which the gold output comes first, and all are counted."""
    found, given = run(model, tmp_path / "j"), answers(EXAMPLES, seed=0)
    wanted = tuple(
        tuple(r for r in told if slowly(model, example, r, mine))
        for example, told, mine in zip(EXAMPLES, RATIONALES, given, strict=True)
    )
    assert found.rationales == wanted
    left = 2 * len(EXAMPLES) - found.kept
    assert 0 < left < 2 * len(EXAMPLES)
    assert found.refused == {"not-verified": left, "repeats": 1}
    assert (found.verified, found.unverifiable) == (found.kept, 0)
    assert found.without == sum(not told for told in wanted)


def test_results_are_kept(model: Lm, tmp_path: Path) -> None:
    """What was verified is not read again, however far a run came; another base is asked anew."""
    part = run(model, tmp_path / "j", EXAMPLES[:4])
    assert len(Journal(tmp_path / "j").read()) == 8
    whole = run(model, tmp_path / "j")
    assert whole.rationales[:4] == part.rationales
    assert len(Journal(tmp_path / "j").read()) == 18
    nobody = Lm(None, None)
    assert run(nobody, tmp_path / "j") == whole
    with pytest.raises(AttributeError):
        run(nobody, tmp_path / "j", key="another base")


def test_what_the_gold_output_has_to_beat() -> None:
    """The example's choices, the other truth spelled alike, or at most seven other outputs, the same every time."""
    many = tuple(Example(input=f"{i}", output=f"o{i % 12}") for i in range(30))
    given = answers((*EXAMPLES, *many), seed=0)
    assert given[:4] == [CHOICES] * 4
    assert given[4] == given[5] == ("False", "True")
    for example, mine in zip(many, given[9:], strict=True):
        assert len(set(mine)) == 8
        assert example.output in mine
    assert len(set(given[9:])) > 8
    assert answers((*EXAMPLES, *many), seed=0) == given
    assert answers(EXAMPLES[6:], seed=0) == [("bb", "cc", "dd")] * 3
    assert answers(EXAMPLES[6:7], seed=0) == [("bb",)]
    odd = Example(input="x", output="a fish", choices=CHOICES)
    assert answers((odd, EXAMPLES[6]), seed=0)[0] == ("a fish", "bb")


def test_where_there_is_no_other_output_nothing_can_be_verified(tmp_path: Path) -> None:
    """Its rationales stay, and the counts say that they were not verified."""
    found = run(Lm(None, None), tmp_path / "j", EXAMPLES[6:7])
    assert found.rationales == RATIONALES[:1]
    assert (found.verified, found.unverifiable, found.refused) == (0, 2, {"repeats": 1})


def test_an_example_s_own_rationale_is_not_doubted(tmp_path: Path) -> None:
    own = EXAMPLES[0].model_copy(update={"rationale": "it purrs"})
    found = Distilled(rationales=(("it purrs",),), given=1)
    assert verified(Lm(None, None), (own,), found, Journal(tmp_path / "j"), "x", seed=0, quiet=True) == found


def test_answers_stand_behind_what_they_share(model: Lm) -> None:
    """The prompt holds the rationale and the mark; where one answer begins another only the rest of both is read."""
    rows = asked(model, EXAMPLES[0], "it purrs", CHOICES)
    assert len({row.prompt for row in rows}) == 1
    assert model.tokenizer.decode(rows[0].prompt).endswith("it purrs\nAnswer: a ")
    assert [model.tokenizer.decode(row.answer) for row in rows] == ["cat</s>", "dog</s>", "cat and a dog</s>"]
    alike = asked(model, EXAMPLES[0], "it purrs", CHOICES[::2])
    assert [model.tokenizer.decode(row.answer) for row in alike] == ["</s>", " and a dog</s>"]


def test_batches_change_nothing(model: Lm) -> None:
    rows = [(each, r, CHOICES) for each in EXAMPLES[:4] for told in RATIONALES[:3] for r in told]
    assert puts_first(model, rows) == [puts_first(model, [row])[0] for row in rows]
