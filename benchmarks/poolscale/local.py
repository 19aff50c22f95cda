"""A Hub on this machine with the base and the bank, and the scores of `hubexpert score` on it."""

import argparse
from collections.abc import Callable, Iterator, Sequence
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
    with demo.served(root / "hub", port, root / "home"):
        base = demo.convert_base(root / "base")
        demo.fill_hub(root / "hub", base, EXAMPLES)
        yield base


def by_target(
    parser: argparse.ArgumentParser,
    results: Path,
    targets: Sequence[str],
    run: Callable[[argparse.Namespace, str], None],
    tables: Callable[[Path], str],
) -> int:
    """The command line of a benchmark that measures targets one by one, or prints what stands in its results."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--data", type=Path, help="folder of tasks/, instructions/ and knowledge/")
    parser.add_argument("--work", type=Path, default=Path(".cache") / results.name)
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--only", default=",".join(targets))
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    if asked.what == "table":
        print(tables(asked.results))
        return 0
    with hub_with_bank(asked.work, asked.port):
        for target in asked.only.split(","):
            run(asked, target)
    return 0


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
