"""Scores of a pool of adapters on the shots: task metric of the greedy answer, and reasoning perplexity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hubexpert import hub, lm
from hubexpert.errors import HubExpertError
from hubexpert.experts.load import adapter_factors
from hubexpert.factors import NAN, NO_OP, UnusableError, applied, check_fit
from hubexpert.lm import Encoded, Lm
from hubexpert.measure import check_metric, measure
from hubexpert.progress import track
from hubexpert.records import Candidate, Example, Refused, Score, ScoreTable, Source
from hubexpert.statistics import bootstrap
from hubexpert.workspace import METHOD, Journal, fingerprint

SPARE_TOKENS = 8
DOWNLOAD = "download-"


@dataclass(frozen=True)
class Answers:
    """What one model did on examples: the metric's values and the gold outputs' mean token NLL (nats), one each."""

    values: tuple[float, ...]
    nlls: tuple[float, ...]

    @property
    def perplexity(self) -> float:
        """Mean over examples of exp(mean token NLL): Open Knowledge, eq. 2-4, with the 1/|ŷ| its code has."""
        return fmean(math.exp(min(nll, 700.0)) for nll in self.nlls)


def expanded(example: Example) -> str:
    """The gold output with its rationale, answer first (Open Knowledge, 3.1); the bare output where there is none."""
    return f"{example.output}\n{example.rationale}" if example.rationale else example.output


def answer_length(tokenizer: Any, examples: Sequence[Example]) -> int:
    """How many tokens an answer may have: the longest gold output of the examples and some to spare."""
    return (
        max(len(tokenizer(example.output, add_special_tokens=False).input_ids) for example in examples) + SPARE_TOKENS
    )


def examine(model: Lm, examples: Sequence[Example], metric: str, *, max_new_tokens: int) -> Answers:
    """Answer the examples greedily and weigh their gold outputs."""
    encoded: list[Encoded] = [lm.encode(model.tokenizer, example, expanded(example)) for example in examples]
    answers = lm.generate(model, [e.prompt for e in encoded], max_new_tokens=max_new_tokens)
    return Answers(tuple(measure(metric, answers, examples)), tuple(lm.mean_nll(model, encoded)))


def score_pool(
    model: Lm,
    base: Source,
    candidates: Sequence[Candidate],
    shots: Sequence[Example],
    metric: str,
    journal: Journal,
    *,
    seed: int,
    quiet: bool = False,
) -> ScoreTable:
    """Score the base and every candidate on the shots, one adapter in memory at a time.

    A finished score is appended to the journal and never measured twice; an adapter that cannot be used is refused
    with its reason and the rest goes on.

    Args:
        model: the base, loaded.
        base: where the base comes from.
        candidates: accepted adapters.
        shots: the K examples.
        metric: the task's metric.
        journal: where finished scores lie.
        seed: of the bootstrap intervals.
        quiet: no progress.

    Raises:
        HubExpertError: the metric cannot be used, the Hub cannot be reached, or no adapter is left.
    """
    check_metric(metric, shots)
    done = journal.read()
    context = {"method": METHOD, "base": base, "shots": list(shots), "metric": metric, "seed": seed}
    longest = answer_length(model.tokenizer, shots)

    def finished(source: Source) -> Any:
        return done.get(fingerprint({**context, "source": source}))

    def keep(source: Source, result: Score | Refused) -> None:
        kind = "score" if isinstance(result, Score) else "refused"
        key = fingerprint({**context, "source": source})
        done[key] = {"repo": source.repo, kind: result.model_dump(mode="json")}
        if not (isinstance(result, Refused) and result.code.startswith(DOWNLOAD)):  # that may pass
            journal.append(key, done[key])

    if finished(base) is None:
        keep(base, _score(base, examine(model, shots, metric, max_new_tokens=longest), shots, seed))
    for candidate in track(candidates, "scoring adapters", quiet=quiet):
        if finished(candidate.source) is None:
            keep(candidate.source, _measure(model, candidate, shots, metric, longest, seed))
    return _table(metric, base, [(c.source, finished(c.source)) for c in candidates], finished(base))


def _measure(
    model: Lm, candidate: Candidate, shots: Sequence[Example], metric: str, longest: int, seed: int
) -> Score | Refused:
    """One adapter's score, or why it was refused."""
    source = candidate.source
    try:
        factors = adapter_factors(source, lambda: model.model)
        check_fit(model.model, factors)
        with applied(model.model, factors):
            answers = examine(model, shots, metric, max_new_tokens=longest)
    except UnusableError as error:
        return Refused(source=source, code=error.code, reason=str(error))
    except hub.SourceError as error:
        return Refused(source=source, code=f"{DOWNLOAD}{error.kind}", reason=error.message)
    if not math.isfinite(answers.perplexity):
        return Refused(source=source, code=NAN, reason="with it the base's probabilities are no numbers")
    return _score(source, answers, shots, seed, lost=factors.conversion_error)


def _score(
    source: Source, answers: Answers, shots: Sequence[Example], seed: int, *, lost: float | None = None
) -> Score:
    low, high = bootstrap(answers.values, seed=seed)
    return Score(
        source=source,
        exact_match=fmean(answers.values),
        perplexity=answers.perplexity,
        n=len(shots),
        low=low,
        high=high,
        rationales=sum(shot.rationale is not None for shot in shots),
        conversion_error=None if lost is None else round(lost, 6),
    )


def _table(metric: str, base: Source, entries: Sequence[tuple[Source, Any]], base_entry: Any) -> ScoreTable:
    """The table of journal entries; an adapter whose every number equals the base's was silently not applied."""
    reference = Score.model_validate(base_entry["score"])
    scores, refused = [], []
    for source, entry in entries:
        if "refused" in entry:
            refused.append(Refused.model_validate(entry["refused"]))
            continue
        score = Score.model_validate(entry["score"])
        if score.perplexity == reference.perplexity:
            refused.append(Refused(source=source, code=NO_OP, reason="the base answers exactly the same with it"))
        else:
            scores.append(score)
    if not scores:
        raise HubExpertError(
            f"None of {len(entries)} adapters could be scored for {base.repo}.",
            fix="widen `discover` in the recipe, or name adapters in `discover.include`; the reasons: "
            + "; ".join(sorted({f"{r.code} ({r.reason})" for r in refused}))[:300],
        )
    return ScoreTable(metric=metric, base=reference, scores=tuple(scores), refused=tuple(refused))
