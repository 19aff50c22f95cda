"""What shows that an adapter was trained on the shots: what it knows by heart, and what it knows too well."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

from hubexpert import lm
from hubexpert.examine import expanded
from hubexpert.experts.recall import Half, Recall, halves, recall
from hubexpert.experts.select import ranks
from hubexpert.lm import Lm
from hubexpert.overlap import words
from hubexpert.progress import track
from hubexpert.prompt import user_turn
from hubexpert.records import Example, Source

FREE = 5  # words of a gold output that stand nowhere in the prompt: nobody guesses them
FEWEST_SHOTS, FEWEST_TEST = 8, 16  # examples with such an output: fewer show nothing
MOST_TEST = 64  # held-out examples that are weighed
CLOSER = -3.0  # standard deviations: by chance one adapter in a thousand
LOW = 0.2  # nats a token of the gold outputs, in the middle: each token is expected with 82 %
OUTLYING = -3.5  # robust z-score
OTHERS = 4  # adapters without which there is nothing to lie outside of
NARROW = 0.05  # nats: the least spread of a pool
FEW, SHARE = 2, 0.2  # inputs by heart that need no other sign


@dataclass(frozen=True)
class Trace:
    """What one adapter shows.

    Attributes:
        asked: how many inputs it was asked to go on with.
        by_heart: how many of them it reproduced, and the base did not.
        closer: how much better it knows the shots than held-out examples: a z-score, negative; None: nothing to tell.
        level: nats a token of the shots' gold outputs, in the middle; None: nothing to tell.
        outlying: the robust z-score of that in the pool; None: nothing to tell.
    """

    asked: int
    by_heart: int
    closer: float | None
    level: float | None
    outlying: float | None

    @property
    def too_well(self) -> bool:
        """Whether it knows the shots' outputs better than a good expert does."""
        low = self.level is not None and self.level <= LOW and (self.outlying is None or self.outlying <= OUTLYING)
        return low or self.is_closer

    @property
    def is_closer(self) -> bool:
        """Whether it knows the shots better than held-out examples, beyond what base and pool explain."""
        return self.closer is not None and self.closer <= CLOSER

    @property
    def memorised(self) -> bool:
        """Whether it knows inputs by heart: several, or one while it knows the outputs too well."""
        several = self.by_heart >= max(FEW, SHARE * self.asked)
        return several or (self.by_heart > 0 and self.too_well)


@dataclass(frozen=True)
class _View:
    """What a model makes of the examples: recall, and the NLL of free outputs of shots and held-out examples."""

    recall: Recall
    shots: tuple[float, ...]
    test: tuple[float, ...]


def traces(
    model: Lm,
    opened: Callable[[Source], AbstractContextManager[None]],
    sources: Sequence[Source],
    nlls: Mapping[str, Sequence[float]],
    shots: Sequence[Example],
    test: Sequence[Example],
    *,
    seed: int,
    quiet: bool = False,
) -> dict[str, Trace]:
    """What each of these adapters shows of having been trained on the shots, by its name.

    Args:
        model: the base.
        opened: within its block the adapter is on the model.
        sources: the adapters.
        nlls: adapter -> mean token NLL (nats) of the gold output of each of the first shots, for the whole pool.
        shots: the K examples, in the order of the NLLs.
        test: the held-out examples; empty where there are none.
        seed: draws the inputs that are asked for and the held-out examples.
        quiet: no progress.

    Raises:
        HubExpertError: an adapter cannot be had any more.
    """
    asked = halves(shots, test, seed)
    shown, held = comparable(shots, test, seed)
    plain = _view(model, asked, shown, held)
    views = {}
    for source in track(sources, "looking for shots known by heart", quiet=quiet):
        with opened(source):
            views[source.repo] = _view(model, asked, shown, held)
    closer = {repo: shift(_gains(v.shots, plain.shots), _gains(v.test, plain.test)) for repo, v in views.items()}
    usual = median(closer.values()) if shown and len(closer) > OTHERS else 0.0
    levels = levels_of(nlls, shots)
    return {
        repo: Trace(
            asked=len(asked),
            by_heart=sum(a and not b for a, b in zip(view.recall.reproduced, plain.recall.reproduced, strict=True)),
            closer=closer[repo] - min(usual, 0.0) if shown else None,  # what the pool does excuses, and never accuses
            level=levels.get(repo),
            outlying=outlying(repo, levels),
        )
        for repo, view in views.items()
    }


def comparable(
    shots: Sequence[Example], test: Sequence[Example], seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The shots and up to 64 held-out examples whose outputs can be compared: both empty where there are too few.

    That is those whose output is `free`. A rationale is a part of the output only where all examples have one, since
    what a teacher wrote for the shots alone was in no adapter's training.
    """
    everyone = [*shots, *test]
    if not all(example.rationale for example in everyone):
        shots, test = ([e.model_copy(update={"rationale": None}) for e in part] for part in (shots, test))
    kept = free([*shots, *test])
    shown, held = ([e for e in part if e in kept] for part in (shots, test))
    if len(shown) < FEWEST_SHOTS or len(held) < FEWEST_TEST:
        return (), ()
    return tuple(shown), tuple(random.Random(seed).sample(held, min(len(held), MOST_TEST)))  # noqa: S311  no secret


def free(examples: Sequence[Example]) -> set[Example]:
    """The examples whose gold output, with its rationale, can be neither guessed nor copied from the prompt.

    It holds five words that the prompt does not, and no other example has the same: what several have is a label.
    """
    outputs = {example: words(expanded(example)) for example in examples}
    often = Counter(outputs.values())
    return {
        example
        for example, output in outputs.items()
        if often[output] == 1 and len(set(output) - set(words(user_turn(example)))) >= FREE
    }


def levels_of(nlls: Mapping[str, Sequence[float]], shots: Sequence[Example]) -> dict[str, float]:
    """Adapter -> the median NLL of the free outputs among the shots it was scored on, where these are enough."""
    kept = free(shots)
    places = [index for index, shot in enumerate(shots) if shot in kept]
    seen = {repo: [each[place] for place in places if place < len(each)] for repo, each in nlls.items()}
    return {repo: median(each) for repo, each in seen.items() if len(each) >= FEWEST_SHOTS}


def outlying(repo: str, levels: Mapping[str, float]) -> float | None:
    """The robust z-score of an adapter's level among the others': 0.6745 (x - median) / MAD (Iglewicz and Hoaglin).

    The MAD counts as at least 0.05 nats. None where there are fewer than four others.
    """
    others = [level for name, level in levels.items() if name != repo]
    if repo not in levels or len(others) < OTHERS:
        return None
    middle = median(others)
    spread = max(median(abs(level - middle) for level in others), NARROW)
    return 0.6745 * (levels[repo] - middle) / spread


def shift(first: Sequence[float], second: Sequence[float]) -> float:
    """The z-score of the rank sum of the first values among all (Mann and Whitney): negative where they are smaller."""
    n, m = len(first), len(second)
    if not n or not m:
        return 0.0
    total = sum(ranks([*first, *second])[:n])
    return float((total - n * (n + m + 1) / 2) / (n * m * (n + m + 1) / 12) ** 0.5)


def _gains(adapted: Sequence[float], plain: Sequence[float]) -> list[float]:
    """What an adapter leaves of the base's NLL, example by example: so hard examples are no worse than easy ones."""
    return [ours / max(theirs, 1e-6) for ours, theirs in zip(adapted, plain, strict=True)]


def _view(model: Lm, asked: Sequence[Half], shown: Sequence[Example], held: Sequence[Example]) -> _View:
    encoded = [lm.encode(model.tokenizer, example, expanded(example)) for example in (*shown, *held)]
    found = lm.mean_nll(model, encoded)
    return _View(recall(model, asked), tuple(found[: len(shown)]), tuple(found[len(shown) :]))
