"""The guards on the real base and the real bank (minutes; `make test-slow`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubexpert.demo import convert_base
from hubexpert.examine import expanded
from hubexpert.experts.guards import flags
from hubexpert.factors import read_factors
from hubexpert.lm import Lm, encode, load_lm, mean_nll
from hubexpert.recipe import TaskSection
from hubexpert.records import Candidate, Score, Source
from hubexpert.shots import read_examples
from hubexpert.slots import applied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
EXAMPLES = Path(__file__).parents[2] / "examples"
TASKS = {
    "openai__gsm8k": "gsm8k-r16",
    "PolyAI__banking77": "banking77-r16",
    "snips__slots": "snips-slots-r16",
    "tau__commonsense_qa": "commonsenseqa-r8",
}


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Lm:
    """SmolLM2-135M-Instruct."""
    return load_lm(convert_base(tmp_path_factory.mktemp("smollm2") / "base"), device="cpu")


@pytest.mark.parametrize("task", TASKS)
def test_no_adapter_of_the_bank_is_accused(task: str, lm: Lm) -> None:
    """On rows like those it was trained on, the task's own adapter is merely good, and so are the others."""
    rows = read_examples(EXAMPLES / "datasets" / task / "data")
    shots, test = rows[:16], rows[16:64]
    pool = [Source(repo=name, revision="0" * 40) for name in sorted({*TASKS.values(), "p3-instruct-r8"})]
    encoded = [encode(lm.tokenizer, shot, expanded(shot)) for shot in shots]

    @contextmanager
    def opened(source: Source) -> Iterator[None]:
        with applied(lm.model, read_factors(EXAMPLES / "bank" / source.repo)):
            yield

    nlls, scores = {}, []
    for source in pool:
        with opened(source):
            nlls[source.repo] = mean_nll(lm, encoded)
        level = sum(nlls[source.repo])
        scores.append(Score(source=source, exact_match=0, perplexity=level, n=16, low=0, high=0))
    assert min(nlls, key=lambda repo: sum(nlls[repo])) == TASKS[task]  # the shots are its task
    candidates = [Candidate(source=source, verdict="accepted", found_by=("tag",)) for source in pool]
    section = TaskSection(name=task, shots="shots.jsonl")
    assert (
        flags(lambda: lm, opened, candidates, scores, nlls, shots, test, (), section, most=3, seed=0, quiet=True) == {}
    )
