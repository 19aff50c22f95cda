"""What rationales and passages are worth, and what they cost."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from statistics import fmean

from hubexpert.lm import Encoded
from hubexpert.overlap import FEWEST, words
from hubexpert.records import Distilled, KardReport, ReasoningCost, RetrievalScore, SystemScore
from hubexpert.statistics import bootstrap


def recall(found: Sequence[Hashable], gold: Collection[Hashable], k: int) -> float:
    """The share of the gold facts that is among the first `k` passages; 0 where there are no gold facts."""
    return len({*found[:k]} & {*gold}) / len({*gold}) if gold else 0.0


def recalls(found: Sequence[Sequence[Hashable]], gold: Sequence[Collection[Hashable]], k: int) -> list[float]:
    """Of every question, its recall at k."""
    return [recall(told, facts, k) for told, facts in zip(found, gold, strict=True)]


def retrieval_score(
    name: str, found: Sequence[Sequence[Hashable]], gold: Sequence[Collection[Hashable]], *, seed: int
) -> RetrievalScore | None:
    """How well passages were found; None where no question's gold facts are known.

    Args:
        name: of the way to find them.
        found: of each question, the best first.
        gold: of each question what should be found; questions without gold facts do not count.
        seed: of the interval.
    """
    known = [place for place, facts in enumerate(gold) if facts]
    if not known:
        return None
    first, five = (recalls([found[at] for at in known], [gold[at] for at in known], k) for k in (1, 5))
    low, high = bootstrap(five, seed=seed)
    return RetrievalScore(name=name, recall_1=fmean(first), recall_5=fmean(five), low=low, high=high, n=len(known))


def reasoning_cost(
    direct: Sequence[Encoded], reasoned: Sequence[Encoded], *, seconds: tuple[float, float] | None = None
) -> ReasoningCost:
    """What answering with passages and rationales costs over answering directly, in tokens of all questions together.

    Args:
        direct: the questions alone, with the answers that were given to them, as token ids.
        reasoned: the same questions with passages, and the answers with rationales.
        seconds: that direct answers took, and the others.
    """
    prompts, answers = (
        sum(len(getattr(each, part)) for each in reasoned) / sum(len(getattr(each, part)) for each in direct)
        for part in ("prompt", "answer")
    )
    return ReasoningCost(
        prompt_tokens=round(prompts, 3),
        answer_tokens=round(answers, 3),
        seconds=round(seconds[1] / seconds[0], 3) if seconds else None,
    )


def kard_report(
    distilled: Distilled,
    retrieval: Sequence[RetrievalScore | None],
    values: Mapping[str, Sequence[float]],
    metric: str,
    *,
    seed: int,
    cost: ReasoningCost | None = None,
) -> KardReport:
    """The report.

    Args:
        distilled: what came of the rationales.
        retrieval: of each way to find passages, where gold facts are known.
        values: way to find passages -> the metric's value of each held-out example.
        metric: the task's.
        seed: of the intervals.
        cost: of an answer with passages and a rationale.
    """
    systems = []
    for name, told in values.items():
        low, high = bootstrap(told, seed=seed)
        systems.append(SystemScore(name=name, metric=metric, value=fmean(told), low=low, high=high, n=len(told)))
    return KardReport(
        distilled=distilled,
        retrieval=tuple(each for each in retrieval if each),
        systems=tuple(systems),
        cost=cost,
    )


def stated(rationale: str, passages: Sequence[str]) -> list[int]:
    """Places of the passages that the rationale states: all their words, at least four, stand in it in their order."""
    said = f" {' '.join(words(rationale))} "
    told = [words(passage) for passage in passages]
    return [place for place, each in enumerate(told) if len(each) >= FEWEST and f" {' '.join(each)} " in said]
