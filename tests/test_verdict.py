"""The verdict's rules, each case by case."""

import itertools

import pytest

from hubexpert.records import Cost, Difference, SystemScore
from hubexpert.verdict import LABELS, judge

WINS, UNCLEAR, LOSES = (0.10, 0.02, 0.18), (0.01, -0.05, 0.07), (-0.08, -0.15, -0.01)


def system(name: str, value: float) -> SystemScore:
    return SystemScore(name=name, metric="exact_match", value=value, low=value - 0.1, high=value + 0.1, n=100)


def difference(second: str, values: tuple[float, float, float]) -> Difference:
    return Difference(first="routed", second=second, value=values[0], low=values[1], high=values[2])


def verdict_of(**against: tuple[float, float, float]) -> tuple[str, str]:
    """The verdict for routed = 0.60 and these differences; `best_single` stands for best-single and so on."""
    named = {name.replace("_", "-"): values for name, values in against.items()}
    systems = [system("routed", 0.60), *(system(name, 0.60 - values[0]) for name, values in named.items())]
    return judge(systems, [difference(name, values) for name, values in named.items()])


@pytest.mark.parametrize(("base", "single", "fresh"), list(itertools.product((WINS, UNCLEAR, LOSES), repeat=3)))
def test_the_rules_with_a_fresh_lora(
    base: tuple[float, float, float], single: tuple[float, float, float], fresh: tuple[float, float, float]
) -> None:
    verdict, sentence = verdict_of(base=base, best_single=single, fresh_lora=fresh)
    if base is not WINS:
        expected = "do-not-ship"
    elif single is WINS and fresh is WINS:
        expected = "ship"
    else:
        expected = "ship-single"
    assert verdict == expected
    assert "not compared" not in sentence
    assert sentence.count(". ") == 0
    assert sentence.endswith(".")


@pytest.mark.parametrize(("base", "single"), list(itertools.product((WINS, UNCLEAR, LOSES), repeat=2)))
def test_the_rules_without_a_fresh_lora_and_the_sentence_says_so(
    base: tuple[float, float, float], single: tuple[float, float, float]
) -> None:
    verdict, sentence = verdict_of(base=base, best_single=single)
    assert verdict == ("do-not-ship" if base is not WINS else "ship" if single is WINS else "ship-single")
    assert sentence.endswith("it was not compared with a fresh LoRA on the same data.")


def test_an_interval_that_touches_zero_does_not_beat() -> None:
    assert verdict_of(base=(0.1, 0.0, 0.2), best_single=WINS)[0] == "do-not-ship"
    assert verdict_of(base=WINS, best_single=(0.1, 0.0, 0.2))[0] == "ship-single"


def test_the_single_adapter_that_is_as_good_is_named() -> None:
    assert verdict_of(base=WINS, best_single=UNCLEAR, fresh_lora=WINS)[1].startswith(
        "Ship the best single expert instead"
    )
    assert verdict_of(base=WINS, best_single=WINS, fresh_lora=UNCLEAR)[1].startswith(
        "Ship a fresh LoRA on the same data"
    )


def test_of_two_that_are_as_good_the_better_is_named() -> None:
    assert verdict_of(base=WINS, best_single=UNCLEAR, fresh_lora=LOSES)[1].startswith("Ship a fresh LoRA")
    assert verdict_of(base=WINS, best_single=LOSES, fresh_lora=UNCLEAR)[1].startswith("Ship the best single expert")


def test_the_ship_sentence_gives_the_numbers() -> None:
    assert verdict_of(base=(0.21, 0.124, 0.3), best_single=(0.08, 0.015, 0.14), fresh_lora=(0.05, 0.01, 0.09))[1] == (
        "Ship the mixture: it scores 60.0 on 100 held-out examples, +21.0 points [+12.4, +30.0] over the base, "
        "+8.0 points [+1.5, +14.0] over the best single expert, +5.0 points [+1.0, +9.0] over a fresh LoRA "
        "on the same data."
    )


def test_the_other_sentences_give_the_numbers() -> None:
    assert verdict_of(base=WINS, best_single=LOSES, fresh_lora=WINS)[1] == (
        "Ship the best single expert instead (68.0): the mixture scores 60.0 on 100 held-out examples, "
        "+10.0 points [+2.0, +18.0] over the base, but -8.0 points [-15.0, -1.0] against the best single expert, "
        "which is worse."
    )
    assert verdict_of(base=(0.0, -0.02, 0.02), best_single=WINS, fresh_lora=WINS)[1] == (
        "Do not ship: the mixture scores 60.0 on 100 held-out examples against 60.0 for the base, "
        "0.0 points [-2.0, +2.0], which shows no gain."
    )


def test_random_experts_never_decide_but_are_mentioned_when_as_good() -> None:
    verdict, sentence = verdict_of(base=WINS, best_single=WINS, random_experts=UNCLEAR)
    assert verdict == "ship"
    assert "the choice of experts is not shown to matter" in sentence
    assert "random" not in verdict_of(base=WINS, best_single=WINS, random_experts=WINS)[1]


def test_the_static_mixture_never_decides() -> None:
    assert verdict_of(base=WINS, best_single=WINS, static=LOSES)[0] == "ship"


@pytest.mark.parametrize("missing", ["base", "best-single", "routed"])
def test_a_missing_system_or_difference_is_an_error(missing: str) -> None:
    systems = [system(name, 0.5) for name in ("base", "best-single", "routed")]
    differences = [difference(name, WINS) for name in ("base", "best-single")]
    with pytest.raises(ValueError, match=missing):
        judge([s for s in systems if s.name != missing], differences)
    if missing != "routed":
        with pytest.raises(ValueError, match=missing):
            judge(systems, [d for d in differences if d.second != missing])


@pytest.mark.parametrize("name", ["majority", "base_shots"])
def test_what_needs_no_adapter_and_is_as_good_forbids_to_ship(name: str) -> None:
    verdict, sentence = verdict_of(base=WINS, best_single=WINS, fresh_lora=WINS, **{name: UNCLEAR})
    assert verdict == "do-not-ship"
    assert LABELS[name.replace("_", "-")] in sentence
    assert verdict_of(base=WINS, best_single=WINS, fresh_lora=WINS, **{name: WINS})[0] == "ship"


def test_a_tuned_single_expert_that_is_as_good_is_shipped_instead() -> None:
    verdict, sentence = verdict_of(base=WINS, best_single=WINS, best_single_tuned=UNCLEAR, fresh_lora=WINS)
    assert verdict == "ship-single"
    assert sentence.startswith("Ship the best single expert, tuned instead")


def test_what_the_correction_takes_back_is_not_shown() -> None:
    """An interval above zero is not enough where the p-value, corrected for all comparisons, is 0.05 or more."""
    for adjusted, wanted in ((0.049, "ship"), (0.05, "ship-single"), (None, "ship")):
        base, single = (difference(name, WINS) for name in ("base", "best-single"))
        found = judge(
            [system("routed", 0.6), system("base", 0.5), system("best-single", 0.5)],
            [base, single.model_copy(update={"adjusted": adjusted})],
        )
        assert found[0] == wanted


def test_the_sentence_gives_what_each_option_costs() -> None:
    costs = {
        "routed": Cost(parameters=4_240_000, rank=80, latency=1.31),
        "best-single": Cost(parameters=460_800, rank=8),
    }
    systems = [system("routed", 0.6), system("base", 0.5), system("best-single", 0.6)]
    systems = [s.model_copy(update={"cost": costs.get(s.name)}) for s in systems]
    sentence = judge(systems, [difference("base", WINS), difference("best-single", UNCLEAR)])[1]
    assert "the best single expert takes 461 K parameters (rank 8)" in sentence
    assert "the routed mixture takes 4.2 M parameters (rank 80) and 1.31 times the base's time" in sentence


def test_a_cross_validation_claims_nothing_beyond_the_shots() -> None:
    found = [system(name, 0.5) for name in ("routed", "base", "best-single")]
    sentence = judge(found, [difference(n, WINS) for n in ("base", "best-single")], "cross-validation")[1]
    assert "on the 100 shots by cross-validation" in sentence
    assert "nothing of other examples" in sentence
    assert "held-out" not in sentence
