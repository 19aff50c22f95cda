"""The mixture of the chosen experts: assembled and trained, listened to, set against the others."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.pipeline import beside, kard
from hubexpert.pipeline.methods import answer_distances, encoder_of
from hubexpert.pipeline.pool import select
from hubexpert.pipeline.project import Project, held_out, task
from hubexpert.records import Beacons, Build, Spoken, TokenShares, TrainingExample
from hubexpert.report.beside import SPOKEN
from hubexpert.workspace import METHOD, digests, file_digest, fingerprint

if TYPE_CHECKING:
    from hubexpert.lm import Lm
    from hubexpert.systems import Contest
    from hubexpert.trained import Lesson

CHECKPOINTS = "checkpoints"
ASKED = 100  # examples, the shots first, of which the mixture's own answers are compared with the base's


def build(project: Project) -> Build:
    """The trained mixture; its files lie in the workspace folder `build`."""
    selection, trained_on = select(project), project.data
    inputs = {
        "base": project.base,
        "quantize": project.recipe.quantize,
        "method": METHOD,
        "experts": list(selection.chosen),
        "examples": list(trained_on.examples),
        "train": project.recipe.train,
        "seed": project.recipe.seed,
        **beside.made_with(project),
    }
    checkpoints = project.workspace.root / CHECKPOINTS / fingerprint(inputs)[:16]

    def produce() -> Build:
        from hubexpert.build import build_mixture

        made: list[Build] = []

        def fill(folder: Path) -> None:
            lesson, beacons = _lesson(project, checkpoints), _beacons(project, trained_on.examples)
            try:
                built = build_mixture(project.model, project.base, selection.chosen, lesson, folder, beacons=beacons)
            except hub.SourceError as error:
                raise error if error.kind == "failing" else _gone(error) from error
            beside.put_beside(project, folder)
            made.append(built.model_copy(update={"files": digests(folder)}))

        project.workspace.replace_folder("build", fill)
        return made[0]

    result, made_now = project.workspace.step("build", inputs, produce, Build)
    if not made_now and not _whole(project.workspace.root / "build", result):
        result, _ = project.workspace.step("build", inputs, produce, Build, again=True)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def _gone(error: hub.SourceError) -> HubExpertError:
    """What is told where a source that was had before is gone from the Hub, and not in the cache."""
    return HubExpertError(
        f"{error.message} The mixture rests on it, and at its pinned commit it is not in the cache, either.",
        fix="hubexpert run --refresh  (takes what there is now)",
    )


def _whole(folder: Path, made: Build) -> bool:
    """Whether the folder holds just the files that the record describes."""
    return all((folder / name).is_file() and file_digest(folder / name) == d for name, d in made.files.items())


def _beacons(project: Project, examples: Sequence[TrainingExample]) -> "Callable[[Lm], Beacons] | None":
    """Asks a trained mixture how far its answers to the first examples are from the gold ones; None without the method.

    The base's distances were found when the examples were chosen.
    """
    asked = examples[:ASKED]
    before = [each.distance for each in asked if each.distance is not None]
    if len(before) < len(asked):
        return None

    def ask(model: "Lm") -> Beacons:
        from hubexpert.beacons import answers, moved

        gold = [each.example for each in asked]
        told = answers(model, gold, label="the mixture's own answers", quiet=project.quiet)
        return moved(before, answer_distances(encoder_of(project), told, gold))

    return ask


def _lesson(project: Project, checkpoints: Path) -> "Lesson":
    """What everything is trained on and how."""
    from hubexpert.lm import BASE_FILES
    from hubexpert.spread import Workers
    from hubexpert.trained import Lesson

    workers = None
    if project.processes > 1:
        place = project.base_place
        folder = place if isinstance(place, Path) else hub.snapshot(place, BASE_FILES)
        workers = Workers(project.processes, folder.resolve(), project.recipe.quantize)
    read_by = fingerprint([project.base, project.recipe.quantize])[:16]  # another base learns otherwise
    journal = project.workspace.journal(f"tuning-{read_by}")
    examples, section = project.data.examples, project.recipe.train
    return Lesson(examples, section, project.recipe.seed, journal, checkpoints, project.quiet, workers)


def contest(project: Project) -> "Contest":
    """What `evaluate` compares, and on what: the built mixture, the scored pool, the held-out rows."""
    from hubexpert.systems import Contest

    made, test = build(project), kard.asked(project, held_out(project)[0])
    return Contest(
        base=project.base,
        build=made,
        folder=project.workspace.root / "build",
        pool=tuple(selected.source for selected in select(project).pool),
        test=test,
        metric=task(project).metric,
        lesson=_lesson(project, project.workspace.root / CHECKPOINTS / fingerprint(made)[:16]),
        section=project.recipe.evaluate,
    )


def spoken(project: Project, count: int) -> tuple[tuple[TokenShares, ...], list[str]]:
    """Which expert spoke where in the answers to the first held-out examples (else shots), and the experts' names.

    Kept in the workspace as `spoken`, for the report.
    """
    from hubexpert.examine import answer_length
    from hubexpert.moe.spoken import spoken as listen
    from hubexpert.systems.mixtures import routed

    made = contest(project)
    rows = (made.test or made.lesson.shots)[:count]

    def heard() -> Spoken:
        with routed(project.model, made).open() as form:
            longest = answer_length(project.model.tokenizer, made.lesson.shots)
            told = listen(form.model, rows, max_new_tokens=longest)
        return Spoken(weights=made.build.files, examples=told)

    inputs = {"method": METHOD, "build": made.build, "rows": list(rows), "shots": list(made.lesson.shots)}
    found = project.workspace.step(SPOKEN, inputs, heard, Spoken)[0]
    return found.examples, [source.repo for source in made.experts]
