"""A Hub on this machine with the base and the bank, and the scores of `hubexpert score` on it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubexpert import demo

EXAMPLES = Path(__file__).parents[2] / "examples"
METRIC = "exact_match"
Scores = dict[str, tuple[list[float], list[float]]]  # adapter -> values of the metric, NLLs


@contextmanager
def hub_with_bank(root: Path, port: int) -> Iterator[Path]:
    """Serve a Hub from this process, before the client is imported; yields the folder of the base."""
    base = demo.convert_base(root / "base")
    with demo.served(root / "hub", port, root / "home"):
        demo.fill_hub(root / "hub", base, EXAMPLES)
        yield base


def engine_scores(journal: Path, lm: Any, repos: Sequence[str], shots: Sequence[Any]) -> Scores:
    """The scores of `hubexpert score`, the base's included; what stands in the journal is not measured again."""
    from hubexpert.experts.engine import on_this_machine
    from hubexpert.experts.ledger import open_ledger
    from hubexpert.experts.score import context, score_pool, trial
    from hubexpert.hub import resolve
    from hubexpert.recipe import ExpertsSection
    from hubexpert.shots import Task
    from hubexpert.workspace import Journal

    base = resolve(demo.BASE)
    pool = [resolve(repo) for repo in repos]
    engine = on_this_machine(lm, base)
    asked = trial(base, Task(metric=METRIC, shots=tuple(shots), test=()), lm.tokenizer, ExpertsSection(), 0)
    ledger = open_ledger(Journal(journal), context(asked, engine))
    score_pool(engine, asked, pool, ledger)
    answers = {source.repo.split("/")[1]: ledger.answers(source, asked.shots) for source in pool}
    return {name: (list(found.values), list(found.nlls)) for name, found in answers.items() if found}
