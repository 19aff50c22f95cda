"""Measures adapters on one loaded base, one group after the other, while the next are being downloaded."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hubexpert import hub
from hubexpert.examine import Answers, examine, expanded
from hubexpert.experts.adapted import Adaptation, adapted_nlls
from hubexpert.experts.ledger import DOWNLOAD, Adapted, Measured, Outcome
from hubexpert.experts.load import adapter_factors, fetch
from hubexpert.factors import NAN, Factors, UnusableError, check_fit
from hubexpert.kinds import WEIGHTS_FILE
from hubexpert.lm import Lm, encode, precision
from hubexpert.reading import Lanes, shareable
from hubexpert.reading.batches import MOST_TOKENS, kind_of_device
from hubexpert.recipe import Quantization
from hubexpert.records import Example, Refused, Source
from hubexpert.slots import Slots, slots

AHEAD = 2  # groups whose adapters are downloaded while one is measured
MOST_LANES = 8
NOTHING = Factors({}, {})


@dataclass(frozen=True)
class Work:
    """Adapters to be measured on the same shots in the same batches, or after adaptation, each for itself."""

    sources: tuple[Source, ...]
    shots: tuple[Example, ...]
    metric: str
    max_new_tokens: int
    adaptation: Adaptation | None = None
    seed: int = 0


@dataclass(frozen=True)
class Engine:
    """Where adapters are measured.

    `precision` names the numbers the base computes with, `lanes` says how many adapters may share batches of such
    shots, `measure` does the work.
    """

    precision: str
    lanes: Callable[[Sequence[Example]], int]
    measure: Callable[[Sequence[Work]], Iterator[tuple[Work, list[Outcome]]]]


def on_this_machine(
    model: Lm, base: Source, *, quantize: Quantization | None = None, disk: int | None = None
) -> Engine:
    """An engine on the loaded base: measures works in their order.

    Args:
        model: the base, loaded; between works it is as it was.
        base: its source; among a work's adapters it stands for the base alone.
        quantize: how it was loaded.
        disk: bytes on disk for weights that this engine downloads; beyond, those measured first are removed.
    """

    def measure(works: Sequence[Work]) -> Iterator[tuple[Work, list[Outcome]]]:
        kept: deque[tuple[Source, int]] = deque()
        with slots(model.model) as places:
            for work, fetched in _ahead(works, base):
                yield work, measured(model, base, places, work, fetched)
                kept.extend((s, f.result()) for s, f in zip(work.sources, fetched, strict=True) if not f.exception())
                while disk is not None and kept and sum(size for _, size in kept) > disk:
                    source, size = kept.popleft()
                    if size:
                        hub.forget(source, WEIGHTS_FILE)

    kind = kind_of_device(model.device)
    return Engine(precision(kind, quantize), lambda shots: lanes_for(model.tokenizer, shots, kind), measure)


def lanes_for(tokenizer: Any, shots: Sequence[Example], kind: str) -> int:
    """How many adapters share a batch: several only where the shots of one would not fill it."""
    encoded = [encode(tokenizer, shot, shot.output) for shot in shots]
    tokens = sum(len(example.prompt) + len(example.answer) for example in encoded)
    return max(1, min(MOST_LANES, MOST_TOKENS[kind] // max(1, tokens)))


def _ahead(works: Sequence[Work], base: Source) -> Iterator[tuple[Work, list[Future[int]]]]:
    """The works in order, each with its downloads, while those of the next are under way."""
    with ThreadPoolExecutor(max_workers=AHEAD) as pool:
        coming: deque[tuple[Work, list[Future[int]]]] = deque()
        try:
            for work in works:
                coming.append((work, [pool.submit(_fetched, source, base) for source in work.sources]))
                if len(coming) > AHEAD:
                    yield coming.popleft()
            yield from coming
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetched(source: Source, base: Source) -> int:
    return 0 if source == base else fetch(source)


def measured(model: Lm, base: Source, places: Slots, work: Work, fetched: Sequence[Future[int]]) -> list[Outcome]:
    """What each adapter of one work did, or why it was refused, in their order."""
    results: dict[Source, Measured | Adapted | Refused] = {}
    usable: dict[Source, Factors] = {}
    for source, future in zip(work.sources, fetched, strict=True):
        try:
            future.result()
            factors = NOTHING if source == base else adapter_factors(source, lambda: model.model)
            check_fit(model.model, factors)
            usable[source] = factors
        except UnusableError as error:
            results[source] = Refused(source=source, code=error.code, reason=str(error))
        except hub.SourceError as error:
            results[source] = Refused(source=source, code=f"{DOWNLOAD}{error.kind}", reason=error.message)
    if work.adaptation is not None:
        encoded = [encode(model.tokenizer, shot, expanded(shot)) for shot in work.shots]
        for source, factors in usable.items():
            results[source] = Adapted(adapted_nlls(model, factors, encoded, work.adaptation, seed=work.seed))
        return [(source, results[source]) for source in work.sources]
    for group in _together(model, work, list(usable.items())):
        places.put([factors for _, factors in group])
        lanes = Lanes(len(group), places.assign)
        told = examine(model, work.shots, work.metric, max_new_tokens=work.max_new_tokens, lanes=lanes)
        for (source, factors), answers in zip(group, told, strict=True):
            results[source] = _result(source, factors, answers)
    places.put([])
    return [(source, results[source]) for source in work.sources]


def _together(model: Lm, work: Work, usable: list[tuple[Source, Factors]]) -> list[list[tuple[Source, Factors]]]:
    """The adapters that can share a batch: all, or each alone where the model cannot share what it has read."""
    rows = [encode(model.tokenizer, shot, expanded(shot)) for shot in work.shots]
    longest = max(len(row.prompt) + max(len(row.answer), work.max_new_tokens) for row in rows)
    if shareable(model, min(longest, model.context)):
        return [usable] if usable else []
    return [[one] for one in usable]


def _result(source: Source, factors: Factors, answers: Answers) -> Measured | Refused:
    if not all(math.isfinite(nll) for nll in answers.nlls):
        return Refused(source=source, code=NAN, reason="with it the base's probabilities are no numbers")
    lost = factors.conversion_error
    return Measured(answers, None if lost is None else round(lost, 6))
