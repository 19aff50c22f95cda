"""A planted world: what is asked stands in passages alone, and rationales teach a tiny base to read it there."""

from pathlib import Path

import pytest

from hubexpert.kard import lessons, rationales, verified, with_passages
from hubexpert.lm import Lm
from hubexpert.recipe import KardSection, TeacherSection
from hubexpert.records import Distilled, as_lesson
from hubexpert.teacher import Teacher
from hubexpert.workspace import Journal
from tests.kard.world import COLOURS, World, accuracy, base, fact_of, half_right, lie_about, solved, world
from tests.teaching import teacher_server


@pytest.fixture(scope="module")
def planted() -> tuple[Lm, World]:
    """The base, and a world that it knows nothing of."""
    return base(0), world(0)


def test_the_base_tells_right_rationales_from_wrong_ones(planted: tuple[Lm, World], tmp_path: Path) -> None:
    """Most of those that name the gold colour are verified, and hardly any that names another."""
    model, found = planted
    told = tuple((fact_of(shot), lie_about(shot)) for shot in found.shots)
    kept = verified(
        model,
        found.shots,
        Distilled(rationales=told, asked=2 * len(told)),
        Journal(tmp_path / "j"),
        "",
        seed=0,
        quiet=True,
    )
    right = sum(fact_of(shot) in mine for shot, mine in zip(found.shots, kept.rationales, strict=True))
    wrong = sum(lie_about(shot) in mine for shot, mine in zip(found.shots, kept.rationales, strict=True))
    assert right > 0.6 * len(told)
    assert wrong < 0.1 * len(told)


def test_kard_answers_what_fine_tuning_cannot_know(planted: tuple[Lm, World], tmp_path: Path) -> None:
    """A teacher that is wrong half of the time, its rationales verified, passages looked up by what is left of them.

    The names that are asked about were never learned from. With the passages that the questions find nearly all are
    answered; with those of other questions, or none, no more than chance, as after fine-tuning on the same shots.
    """
    model, found = planted
    journal = Journal(tmp_path / "journal")
    with teacher_server(half_right(found)) as server:
        teacher = Teacher(TeacherSection(model="m", url=server.url), 0)
        told = rationales(found.shots, teacher, journal, KardSection(samples=2), quiet=True)
    assert (told.asked, told.kept) == (2 * len(found.shots), 2 * len(found.shots))
    kept = verified(model, found.shots, told, journal, "planted", seed=0, quiet=True)
    learned = lessons(found.shots, kept.rationales, found.retrieve)
    assert 0.6 * len(found.shots) < len(learned) <= len(found.shots)

    own = with_passages(found.test, found.retrieve)
    others = with_passages(found.test, lambda queries: found.retrieve([*queries[1:], queries[0]]))
    none = with_passages(found.test, lambda queries: [[] for _ in queries])
    kard = accuracy(model, learned, [own, others, none], tmp_path / "kard")
    plain = accuracy(model, as_lesson(found.shots), [found.test], tmp_path / "plain")
    assert kard[0] > 0.7
    assert max(*kard[1:], *plain, solved(model, own)) < 2.5 / len(COLOURS)
