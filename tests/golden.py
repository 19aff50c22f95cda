"""The golden lock and its card: what both look like, kept so that every change of their form is seen.

python -m tests.golden     writes them anew, when a change is meant
"""

from pathlib import Path

from hubexpert.card import render_card
from hubexpert.figures import drawings
from hubexpert.lock import Lock, render_lock
from hubexpert.records import Beacons
from tests.locks import CHOSEN, a_data, a_kard, a_lock, a_recipe, source

FOLDER = Path(__file__).parent / "data" / "golden"
REPO = "tester/science-expert"


def golden_lock() -> Lock:
    """A lock in which every section is filled: data by three methods, passages, flags, refusals."""
    lock = a_lock()
    methods = {"methods": ["select", "kard", "beacons"], "knowledge": "open/facts"}
    marked = {CHOSEN[1]: ("in-domain",)}
    scores = tuple(s.model_copy(update={"flags": marked.get(s.source.repo, ())}) for s in lock.scores.scores)
    beacons = Beacons(examples=35, before=0.51234, after=0.25, away=0.2)
    return lock.model_copy(
        update={
            "recipe": a_recipe(data=methods),
            "scores": lock.scores.model_copy(update={"scores": scores}),
            "build": lock.build.model_copy(update={"beacons": beacons}),
            "data": a_data(source("open/rows", "cc-by-4.0", repo_type="dataset")),
            "kard": a_kard(source("open/facts", "cc-by-sa-4.0", repo_type="dataset")),
        }
    )


def golden() -> dict[str, str]:
    """File name -> text."""
    lock = golden_lock()
    return {
        "hubexpert.lock": render_lock(lock),
        "README.md": render_card(lock, repo=REPO, drawn=tuple(drawings(lock))),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in golden().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
