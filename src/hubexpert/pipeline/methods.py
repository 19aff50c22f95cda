"""The methods of the recipe's `data`, each on the same rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert.pipeline.pool import teacher
from hubexpert.pipeline.project import Project
from hubexpert.recipe import is_folder
from hubexpert.records import Data, Example, Harvest, TrainingExample
from hubexpert.workspace import METHOD, fingerprint

if TYPE_CHECKING:
    from hubexpert.embed.encoder import Encoder
    from hubexpert.material import Material


def encoder_of(project: Project) -> "Encoder":
    """The recipe's sentence encoder."""
    from hubexpert.embed.encoder import load_encoder

    return load_encoder(encoder_name(project))


def encoder_name(project: Project, other: str | None = None) -> str:
    """What the recipe's sentence encoder is loaded by, or another model; a folder counts from the recipe's."""
    name = other or project.recipe.data.encoder
    return str(project.folder / Path(name).expanduser()) if is_folder(name) else name


def selected(project: Project, found: "Material") -> Harvest:
    """Rows by their closeness to the shots."""
    from hubexpert.embed.encoder import encode
    from hubexpert.instructions import example_text, select

    section = project.recipe.data
    return select(
        found.files,
        found.texts,
        encode(found.encoder, [example_text(shot) for shot in found.task.shots]),
        count=section.rows,
        similarity=section.similarity,
        allowed=found.allowed,
        quiet=project.quiet,
    )


def drawn(project: Project, found: "Material") -> Harvest:
    """Rows at random."""
    from hubexpert.instructions import random_rows

    return random_rows(found.files, found.allowed, count=project.recipe.data.rows, seed=project.recipe.seed)


def transformed(project: Project, found: "Material") -> Harvest:
    """Rows by their values, made examples of the task by the teacher."""
    from hubexpert.material import free_rows, values, without_leaks
    from hubexpert.rebase import rebase, score

    asked, rows = teacher(project), free_rows(found)
    assert asked is not None  # noqa: S101  the recipe names one
    made = rebase(
        rows,
        score(*values(found, rows, project.recipe.task)),
        found.task.shots,
        asked,
        project.shared.journal("teacher"),
        project.recipe.data.rebase,
        project.recipe.task,
        quiet=project.quiet,
    )
    return without_leaks(found, made)


def weighed(
    project: Project,
    found: "Material",
    shots: Sequence[TrainingExample],
    harvests: Sequence[Harvest],
    unread: dict[str, str],
) -> Data:
    """Everything filtered and weighted by the base's own answers, each method's examples by themselves."""
    from hubexpert.beacons import shaped
    from hubexpert.material import reported

    groups = [(shots, True), *((harvest.kept, False) for harvest in harvests)]
    kept: list[tuple[TrainingExample, ...]] = []
    left: list[TrainingExample] = []
    for group, all_stay in groups:
        # how long answers may be hangs on the group, so each is asked by itself
        far = base_distances(project, found.encoder, [each.example for each in group])
        stay, go = shaped(group, far, project.recipe.data.beacons, all_stay=all_stay)
        kept.append(stay)
        left += go
    made = [h.model_copy(update={"kept": stay}) for h, stay in zip(harvests, kept[1:], strict=True)]
    return reported(found, kept[0], made, unread, filtered=left)


def base_distances(project: Project, encoder: "Encoder", examples: Sequence[Example]) -> list[float]:
    """How far the base's own answer to each example is from the gold one."""
    from hubexpert.beacons import answers

    journal = project.shared.journal("answers")
    key = fingerprint([METHOD, project.base, project.recipe.quantize])
    told = answers(
        project.model, examples, label="the base's own answers", quiet=project.quiet, journal=journal, key=key
    )
    return answer_distances(encoder, told, examples)


def answer_distances(encoder: "Encoder", told: Sequence[str], examples: Sequence[Example]) -> list[float]:
    """The semantic distance of each answer from the gold output."""
    from hubexpert.beacons import distances
    from hubexpert.embed.encoder import encode

    return distances(encode(encoder, told), encode(encoder, [example.output for example in examples]))
