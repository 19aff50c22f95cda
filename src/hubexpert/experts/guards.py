"""Flags on scored adapters: trained on the very shots or the held-out rows, or on the task's own data."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from hubexpert.experts.holdings import Holding
from hubexpert.experts.traces import traces
from hubexpert.lm import Lm
from hubexpert.naming import is_named
from hubexpert.recipe import Flag, TaskSection
from hubexpert.records import Candidate, Example, Score, Source


def flags(
    model: Callable[[], Lm],
    opened: Callable[[Source], AbstractContextManager[None]],
    candidates: Sequence[Candidate],
    scores: Sequence[Score],
    nlls: Mapping[str, Sequence[float]],
    shots: Sequence[Example],
    test: Sequence[Example],
    holdings: Sequence[Holding],
    section: TaskSection,
    *,
    most: int,
    seed: int,
    quiet: bool = False,
) -> dict[str, tuple[str, ...]]:
    """Adapter -> its flags, of those that have any: what says that its score may not be earned.

    The shots known by heart are looked for in the `most` adapters of the lowest perplexity: they are what training on
    the shots would bring there.

    Args:
        model: gives the base; called only where adapters are looked at on it.
        opened: within its block the adapter is on the model.
        candidates: the adapters with what their cards say.
        scores: of those that were scored.
        nlls: adapter -> mean token NLL (nats) of the gold output of each of the first shots, for the whole pool.
        shots: the K examples, in the order of the NLLs.
        test: the held-out examples; empty where there are none.
        holdings: what cited datasets hold of the examples.
        section: names the task's own datasets.
        most: how many adapters are looked at on the model.
        seed: of what is drawn.
        quiet: no progress.

    Raises:
        HubExpertError: an adapter cannot be had any more.
    """
    best = [s.source for s in sorted(scores, key=lambda s: (s.perplexity, s.source.repo))[:most]]
    shown = traces(model(), opened, best, nlls, shots, test, seed=seed, quiet=quiet) if best else {}
    result = {}
    for candidate in candidates:
        repo = candidate.source.repo
        cited = [holding for holding in holdings if repo in holding.cited_by]
        found: list[str] = []
        if repo in shown and shown[repo].memorised:
            found.append("memorised")
        elif repo in shown and shown[repo].is_closer:
            found.append("closer-to-shots")
        found += _counted("trained-on-shots", max((holding.shots for holding in cited), default=0))
        found += _counted("trained-on-test", max((holding.test for holding in cited), default=0))
        if in_domain(candidate, cited, section):
            found.append("in-domain")
        if found:
            result[repo] = tuple(found)
    return result


def in_domain(candidate: Candidate, cited: Sequence[Holding], section: TaskSection) -> bool:
    """Whether an adapter was trained on the task's own data.

    Its name or a dataset on its card names one of the task's datasets, or a dataset that it cites holds examples.

    Args:
        candidate: the adapter.
        cited: what the datasets that it cites hold.
        section: names the task's own datasets.
    """
    told = (candidate.source.repo, *candidate.datasets, *(holding.dataset for holding in cited))
    named = any(is_named(own, name) for own in section.datasets for name in told)
    return named or any(holding.shots or holding.test for holding in cited)


def _counted(code: Flag, count: int) -> list[str]:
    return [f"{code}:{count}"] if count else []
