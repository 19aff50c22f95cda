"""The whole line, up to the lock and the card."""

from hubexpert.assemble import renew
from hubexpert.lock import (
    Lock,
    locked_data,
    locked_discovery,
    locked_kard,
    locked_recipe,
    locked_scores,
    without_places,
    write_lock,
)
from hubexpert.pipeline.kard_report import kard_report
from hubexpert.pipeline.mixture import build
from hubexpert.pipeline.pool import discover, select
from hubexpert.pipeline.project import Project, held_out, task
from hubexpert.pipeline.proof import evaluate
from hubexpert.shots import digest


def lock(project: Project) -> Lock:
    """The lock of a finished run, written beside the recipe."""
    report = evaluate(project)
    work = task(project)
    made = Lock(
        recipe=locked_recipe(project.recipe),
        base=project.base,
        discovery=locked_discovery(discover(project)),
        scores=locked_scores(project.scores),
        selection=select(project),
        data=locked_data(project.data),
        build=build(project),
        report=report,
        kard=locked_kard(kard_report(project)),
        digests={"shots": digest(work.shots), "test": digest(work.test)},
    )
    kept = without_places(made)
    write_lock(project.lock_path, kept)
    return kept


def run(project: Project) -> Lock:
    """All stages up to the card; only what changed, as far as the Hub was last asked (a refresh asks again)."""
    with project.workspace.locked():
        held_out(project)  # what cannot be proved in the end is told at the start
        discover(project, again=project.refresh)
        made = lock(project)
        renew(made, project.workspace, repo=project.recipe.publish.repo)
        return made
