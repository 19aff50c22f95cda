"""Rows made examples by a real small model behind a real server (minutes; `make test-slow`)."""

from pathlib import Path
from typing import Any

import pytest

from hubexpert.demo import convert_base
from tests.rebase.test_rebase import SHOTS, harvest, row
from tests.teaching import transformers_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
QUERIES = (
    "I was charged twice for the same purchase", "When will my new card come?", "How much does a transfer cost?",
    "My card has not arrived yet", "Why is there a fee on my statement?", "Where can I pick up the card?",
)  # fmt: skip


def test_a_small_model_makes_examples_of_rows_and_its_failures_are_counted(tmp_path: Path) -> None:
    """SmolLM2-135M-Instruct is no good teacher, and `transformers serve` ignores the schema: the run ends all the same.

    Whatever it wrote, what is kept has the task's form, every row is accounted for, and another run asks nothing.
    """
    folder = convert_base(tmp_path / "base")
    rows = [row(i, text=text, label=str(i % 2)) for i, text in enumerate(QUERIES)]
    settings: dict[str, Any] = {
        "model": str(folder),
        "concurrency": 1,
        "max_tokens": 80,
        "timeout": 600,
        "most_failures": 0.5,
    }
    with transformers_server(folder, tmp_path / "log") as url:
        got = harvest(rows, url, tmp_path / "j", checked=True, **settings)
    assert got.teacher and got.teacher.written >= len(rows)
    for kept in got.kept:
        assert kept.example.output in {shot.output for shot in SHOTS}
        assert kept.example.input not in {shot.input for shot in SHOTS}
    again = harvest(rows, "http://127.0.0.1:9/v1", tmp_path / "j", checked=True, **settings)
    assert again.kept == got.kept
    assert again.teacher and again.teacher.reused == again.teacher.asked
