"""What lies beside a mixture that answers with passages, so that whoever loads it finds them again."""

from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert.lock import shortened, unplaced
from hubexpert.pipeline.kard import longest, reasons, reranker, room
from hubexpert.pipeline.project import Project

if TYPE_CHECKING:
    from hubexpert.retrieval import Described


def made_with(project: Project) -> dict[str, object]:
    """What the files beside a mixture hang on, beyond what it learns from."""
    if not reasons(project):
        return {}
    kept = {"knowledge": project.knowledge.folder.name, "kard": project.recipe.data.kard}
    return {**kept, "reranker": reranker(project)}


def put_beside(project: Project, folder: Path) -> None:
    """Write what finds passages again into the folder of the mixture; nothing without the method."""
    if reasons(project):
        from hubexpert.retrieval import publish

        publish(_described(project), project.retriever, reranker(project), folder)


def _described(project: Project) -> "Described":
    from hubexpert.retrieval import Described

    recipe, sources = project.recipe, project.knowledge.about.sources
    model = recipe.data.kard.model
    assert recipe.data.knowledge is not None  # noqa: S101  the recipe has one where the method is
    names = tuple(map(unplaced, recipe.data.knowledge.sources))  # no path of this machine is published
    return Described(
        sources=tuple(each.model_copy(update={"repo": unplaced(each.repo)}) for each in sources),
        knowledge=recipe.data.knowledge.model_copy(update={"sources": names}),
        kard=recipe.data.kard.model_copy(update={"model": model and shortened(model)}),
        instruction=recipe.task.instruction,
        longest=longest(project),
        room=room(project),
        seed=recipe.seed,
    )
