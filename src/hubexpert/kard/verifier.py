"""Rationales by which the base itself comes to the gold output (KARD, 3.1)."""

import random
from collections.abc import Sequence

from hubexpert.answers.choices import TRUTHS, opposite
from hubexpert.answers.normal import normal
from hubexpert.examine import NEUTRAL, likeliest
from hubexpert.lm import Encoded, Lm, encode
from hubexpert.metrics import exact_match, names_choice
from hubexpert.progress import track
from hubexpert.records import Distilled, Example
from hubexpert.workspace import Journal, fingerprint

MOST = 8  # answers among which the gold one has to come first
AT_ONCE = 64  # rationales between two moments at which results are kept
METHOD = 1  # raised whenever rationales are verified differently: kept results then do not hold


def verified(
    model: Lm,
    examples: Sequence[Example],
    found: Distilled,
    journal: Journal,
    key: object,
    *,
    seed: int,
    quiet: bool = False,
) -> Distilled:
    """Of the rationales those that put the gold output first; the others count as `not-verified`.

    The base reads the question and the rationale, and the output counts whose log-probability rises most against a
    question and a rationale that say nothing (`metrics.choose`). An example's own rationale is right by its nature, and
    stays. Results are kept in the journal: a killed run goes on where it was.

    Args:
        model: the base.
        examples: those that the rationales are of.
        found: their rationales.
        journal: where results lie.
        key: what tells this base from others.
        seed: of the outputs that are compared, where examples have no choices of their own.
        quiet: no progress.
    """
    rivals = answers(examples, seed=seed)
    doubted = [
        (place, rationale)
        for place, (example, told) in enumerate(zip(examples, found.rationales, strict=True))
        for rationale in told
        if rationale != example.rationale
    ]
    asked = [(place, rationale) for place, rationale in doubted if len(rivals[place]) > 1]
    rows = [(examples[place], rationale, rivals[place]) for place, rationale in asked]
    keys = [fingerprint([METHOD, key, *row]) for row in rows]
    done = journal.read()
    left = list({k: row for k, row in zip(keys, rows, strict=True) if k not in done}.items())
    parts = [left[start : start + AT_ONCE] for start in range(0, len(left), AT_ONCE)]
    for part in track(parts, "verifying rationales", quiet=quiet):
        right = puts_first(model, [row for _, row in part])
        told = dict(zip([k for k, _ in part], right, strict=True))
        journal.extend(told)
        done |= told
    wrong = {pair for pair, k in zip(asked, keys, strict=True) if not done[k]}
    refused = dict(sorted({**found.refused, "not-verified": len(wrong)}.items()))
    return found.model_copy(
        update={
            "rationales": tuple(
                tuple(rationale for rationale in told if (place, rationale) not in wrong)
                for place, told in enumerate(found.rationales)
            ),
            "refused": {code: count for code, count in refused.items() if count},
            "verified": len(asked) - len(wrong),
            "unverifiable": len(doubted) - len(asked),
        }
    )


def answers(examples: Sequence[Example], *, seed: int) -> list[tuple[str, ...]]:
    """What each example's gold output has to beat, with it: its choices, the other truth, or outputs of the others.

    Of the latter at most eight in all, drawn from the seed and the example. The gold output alone where there is no
    other.
    """
    outputs = {normal(each.output): each.output for each in reversed(examples)}
    return [_answers(example, outputs, seed) for example in examples]


def _answers(example: Example, outputs: dict[str, str], seed: int) -> tuple[str, ...]:
    gold = normal(example.output)
    if names_choice(example.output, example.choices):
        return example.choices
    if gold in TRUTHS:
        return tuple(sorted((example.output, opposite(example.output))))
    others = sorted(output for form, output in outputs.items() if form != gold)
    drawn = random.Random(fingerprint([seed, example]))  # noqa: S311  not for secrets
    return tuple(sorted((example.output, *drawn.sample(others, min(MOST - 1, len(others))))))


def puts_first(model: Lm, rows: Sequence[tuple[Example, str, tuple[str, ...]]]) -> list[bool]:
    """Whether the base puts the gold output first, of each example with a rationale and the answers it could have."""
    told = [asked(model, *row) for row in rows]
    neutral = [asked(model, each.model_copy(update={"input": NEUTRAL}), NEUTRAL, given) for each, _, given in rows]
    picked = likeliest(model, told, neutral)[0]
    return [bool(exact_match(given[choice], each)) for (each, _, given), choice in zip(rows, picked, strict=True)]


def asked(model: Lm, example: Example, rationale: str, given: Sequence[str]) -> tuple[Encoded, ...]:
    """Every answer behind the question and the rationale, tokenised as it is when it is learned.

    What all of them begin with belongs to the prompt: it is as likely for each.
    """
    reasoned = [
        example.model_copy(update={"reasoned": True, "rationale": rationale, "output": answer}) for answer in given
    ]
    encoded = [encode(model.tokenizer, each, each.reply) for each in reasoned]
    shortest = min(len(each.answer) for each in encoded) - 1  # something is left to be read
    columns = zip(*(each.answer[:shortest] for each in encoded), strict=True)
    shared = next((place for place, tokens in enumerate(columns) if len(set(tokens)) > 1), shortest)
    return tuple(Encoded((*each.prompt, *each.answer[:shared]), each.answer[shared:]) for each in encoded)
