"""Passages before questions: what finds them, what they weigh, and that they leave room for the rest."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.errors import HubExpertError
from hubexpert.kard.lessons import fitted_passages, lessons, query, with_passages
from hubexpert.lm import Lm, encode, mean_nll
from hubexpert.prompt import user_turn
from hubexpert.records import Example
from hubexpert.trained import encode_all
from tests import tiny

EXAMPLES = tuple(Example(instruction="Say it.", input=f"what is {i}?", output=f"it is {i}") for i in range(4))
RATIONALES = (("because of a", "since b holds"), (), ("as c says",), ("for d", "for e", "for f"))


def echoed(queries: list[str]) -> list[list[str]]:
    """Passages that tell what was looked for."""
    return [[f"on {each}", "and more"] for each in queries]


def test_a_lesson_has_the_passages_that_its_rationale_finds() -> None:
    """The answer is the rationale and the output behind it; a question without a rationale gives no lesson."""
    made = lessons(EXAMPLES, RATIONALES, echoed)
    assert [(each.example.input, each.example.rationale) for each in made] == [
        (example.input, rationale) for example, told in zip(EXAMPLES, RATIONALES, strict=True) for rationale in told
    ]
    for each in made:
        assert each.origin is None
        assert each.example.reasoned
        assert each.example.passages == (f"on {each.example.rationale}", "and more")
    assert made[2].example.reply == "as c says\nAnswer: it is 2"
    with pytest.raises(HubExpertError, match="None of 4 examples has a rationale"):
        lessons(EXAMPLES, ((),) * 4, echoed)


@given(st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any))
def test_every_question_counts_alike(numbers: list[int]) -> None:
    """The weights of each question's lessons have one sum, and their mean is 1: with equal numbers all are 1."""
    made = lessons(EXAMPLES, [[f"r{i}" for i in range(number)] for number in numbers], echoed)
    sums = {each.example.input: 0.0 for each in made}
    for each in made:
        sums[each.example.input] += each.weight
    assert list(sums.values()) == pytest.approx([len(made) / len(sums)] * len(sums))
    assert sum(each.weight for each in made) == pytest.approx(len(made))


def test_the_weighted_loss_is_that_of_the_paper() -> None:
    """(1/n) Σ (1/l) Σ NLL(rationale, output | question, passages): the mean over a question's, then over questions."""
    model, made = Lm(tiny.model(), tiny.tokenizer()), lessons(EXAMPLES, RATIONALES, echoed)
    encoded = encode_all(model, [each.example for each in made])
    nlls = torch.tensor(mean_nll(model, encoded)) * torch.tensor([len(each.answer) for each in encoded])
    weighted = float((torch.tensor([each.weight for each in made]) * nlls).mean())
    wanted = (nlls[:2].mean() + nlls[2] + nlls[3:].mean()) / 3
    assert weighted == pytest.approx(float(wanted), rel=1e-5)


def test_a_question_is_asked_with_what_it_finds_itself() -> None:
    """Its input and its choices are looked for; neither its output nor its rationale plays a part."""
    first = Example(input="Is Snow cold?", output="yes", rationale="snow is ice", choices=("yes", "no"))
    (made,) = with_passages([first], echoed)
    assert query(first) == "Is Snow cold?\nyes\nno"
    assert made.passages == ("on Is Snow cold?\nyes\nno", "and more")
    assert made.rationale is None
    assert made.reasoned
    changed = first.model_copy(update={"output": "no", "rationale": "x"})
    assert with_passages([changed], echoed)[0].passages == made.passages
    assert with_passages([], echoed) == ()


WORDS = st.lists(st.text("abc é字", min_size=1, max_size=30), max_size=4)


@settings(deadline=None)
@given(WORDS, st.integers(0, 200), st.booleans())
def test_passages_leave_room_for_everything_else(passages: list[str], room: int, chat: bool) -> None:
    """Whatever they are, prompt and longest answer fit if they do without; passages are cut at their end alone.

    What is kept are the first passages, whole but for the last, of which no further word would fit.
    """
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = tokenizer.chat_template if chat else None
    example = Example(
        instruction="Say.", input="why?", output="it", rationale="so", reasoned=True, choices=("it", "no")
    )
    kept = fitted_passages(tokenizer, example, passages, room)

    def length(some: tuple[str, ...]) -> int:
        told = example.model_copy(update={"passages": some})
        longest = max(len(encode(tokenizer, told, text).answer) for text in (told.reply, *told.choices))
        return len(encode(tokenizer, told, "").prompt) + longest

    assert length(kept) <= room or kept == ()
    assert kept[:-1] == tuple(passages[: len(kept)])[:-1]
    if kept:
        assert passages[len(kept) - 1].startswith(kept[-1])
    if length(tuple(passages)) <= room:
        assert kept == tuple(passages)
    elif length(()) <= room:
        place = len(kept) - 1 if kept and kept[-1] != passages[len(kept) - 1] else len(kept)
        rest = passages[place][len(kept[-1]) if place < len(kept) else 0 :]
        begun = kept[place] if place < len(kept) else ""
        after = begun + rest[: len(rest) - len(rest.lstrip())] + (rest.split() or [""])[0]
        assert length((*kept[:place], after)) > room or after.strip() == begun.strip()
    turn = user_turn(example.model_copy(update={"passages": kept}))
    assert turn.startswith("Say.\n")
    assert turn.endswith("why?\nOptions:\n- it\n- no")


def test_a_long_passage_is_cut_between_words() -> None:
    tokenizer = tiny.tokenizer()
    example = Example(input="why?", output="it")
    bare = len(encode(tokenizer, example, "").prompt) + len(encode(tokenizer, example, "it").answer)
    lead = len("Knowledge: \n")
    assert fitted_passages(tokenizer, example, ["one two three"], bare + lead + 9) == ("one two",)
    assert fitted_passages(tokenizer, example, ["onetwothree"], bare + lead + 9) == ("onetwothr",)
    assert fitted_passages(tokenizer, example, ["one", "two three"], bare + 2 * lead + 6) == ("one", "two")
    assert fitted_passages(tokenizer, example, ["one two"], bare - 1) == ()
