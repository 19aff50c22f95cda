"""KARD in the line: knowledge, rationales, the reranker, and what is learned and asked with passages."""

import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hubexpert.errors import HubExpertError
from hubexpert.metrics import LIKELIHOOD
from hubexpert.pipeline.methods import encoder_name
from hubexpert.pipeline.pool import teacher
from hubexpert.pipeline.project import Project, task
from hubexpert.records import Distilled, Example, MethodReport, Pinned, Record, RerankerRecord, TrainingExample
from hubexpert.workspace import METHOD, fingerprint

if TYPE_CHECKING:
    from hubexpert.kard import Retrieve
    from hubexpert.knowledge import Index
    from hubexpert.retrieval import Retriever

RERANKER = "reranker"


class Asked(Record):
    """Examples as they are asked."""

    examples: tuple[Example, ...]


def reasons(project: Project) -> bool:
    """Whether the recipe's task is answered with passages and rationales."""
    return "kard" in project.recipe.data.methods


def index(project: Project) -> "Index":
    """The recipe's knowledge, its sources at commits that stay pinned until a refresh."""
    from hubexpert import hub
    from hubexpert.knowledge import open_index, pinned

    section = project.recipe.data.knowledge
    assert section is not None  # noqa: S101  the recipe has one where the method is
    inputs = {"sources": section.sources, "endpoint": hub.endpoint(), "files": _local(project)}
    found, _ = project.shared.step(
        "knowledge",
        inputs,
        lambda: Pinned(sources=pinned(section.sources, project.folder)),
        Pinned,
        again=project.refresh,
    )
    folder = project.shared.root / "knowledge"
    return open_index(folder, found.sources, section, project.folder, quiet=project.quiet)


def _local(project: Project) -> list[str]:
    """The digests of the sources that are files: these are pinned by what they hold now."""
    from hubexpert.knowledge.sources import is_local_text, pinned

    assert project.recipe.data.knowledge is not None  # noqa: S101
    names = [name for name in project.recipe.data.knowledge.sources if is_local_text(name)]
    return [source.revision for source in pinned(names, project.folder)]


def distilled(project: Project) -> Distilled:
    """The shots' rationales: their own, or the teacher's, verified where the recipe says so.

    Raises:
        HubExpertError: rationales are lacking and there is no teacher, or it cannot be asked.
    """
    from hubexpert.kard import rationales, verified

    section, shots, asked = project.recipe.data.kard, task(project).shots, teacher(project)
    own = all(shot.rationale for shot in shots)
    judge = [project.base, project.recipe.quantize]
    inputs = {
        "method": METHOD,
        "shots": list(shots),
        "teacher": None if own or asked is None else asked.identity,
        "section": [section.samples, section.temperature, section.verified],
        "judge": judge if section.verified and not own else None,
        "seed": project.recipe.seed,
    }

    def produce() -> Distilled:
        found = rationales(shots, asked, project.shared.journal("teacher"), section, quiet=project.quiet)
        if own or not section.verified:
            return found
        journal, seed = project.shared.journal("verified"), project.recipe.seed
        return verified(project.model, shots, found, journal, judge, seed=seed, quiet=project.quiet)

    return project.workspace.step("distilled", inputs, produce, Distilled, again=project.refresh)[0]


def reranker(project: Project) -> RerankerRecord | None:
    """What came of the training of the reranker, which lies in the workspace; None where the recipe has none."""
    section = project.recipe.data.kard
    kind, name = section.reranker, encoder_name(project, section.model)
    if kind is None:
        return None
    made, found = distilled(project), project.knowledge
    inputs = {
        "method": METHOD,
        "knowledge": found.folder.name,
        "rationales": made.rationales,
        "shots": list(task(project).shots),
        "section": section,
        "start": name,
        "seed": project.recipe.seed,
    }
    checkpoints = project.workspace.root / f"{RERANKER}-checkpoints"

    def produce() -> RerankerRecord:
        from hubexpert.knowledge import scores, search
        from hubexpert.reranker.candidates import gather
        from hubexpert.reranker.folder import save
        from hubexpert.reranker.models import start
        from hubexpert.reranker.train import train
        from hubexpert.retrieval import Retriever

        pairs = [
            (query_of(shot), text)
            for shot, told in zip(task(project).shots, made.rationales, strict=True)
            for text in told
        ]
        pools = gather(
            [question for question, _ in pairs],
            [rationale for _, rationale in pairs],
            lambda queries, k: [(hits.ids, hits.scores) for hits in search(found, queries, k, quiet=project.quiet)],
            lambda text, ids: scores(found, text, ids),
            depth=section.retrieved,
        )
        model, texts = start(name, kind, seed=project.recipe.seed), Retriever(found, section).texts
        place = checkpoints / fingerprint(inputs)[:16]
        record = train(model, pools, texts, section, place, seed=project.recipe.seed, quiet=project.quiet)
        project.workspace.replace_folder(RERANKER, lambda folder: save(model, record, folder))
        return record

    lost = not (project.workspace.root / RERANKER).is_dir()
    result, _ = project.workspace.step("reranker", inputs, produce, RerankerRecord, again=lost)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def retriever(project: Project) -> "Retriever":
    """What finds the passages of a question."""
    from hubexpert.reranker.folder import load
    from hubexpert.retrieval import Retriever

    trained = load(project.workspace.root / RERANKER) if reranker(project) else None
    return Retriever(project.knowledge, project.recipe.data.kard, trained)


def lessons(project: Project) -> tuple[TrainingExample, ...]:
    """The shots as they are learned: each rationale with the passages that it finds, as many as fit.

    Raises:
        HubExpertError: the metric reads no rationale.
    """
    from hubexpert.kard import lessons
    from hubexpert.retrieval import Retriever

    if task(project).metric == LIKELIHOOD:
        raise HubExpertError(
            f"The metric `{LIKELIHOOD}` chooses by likelihood, and reads no rationale.",
            fix="set `task.metric: exact_match`, or clear `kard` in `data.methods`",
        )
    finder = Retriever(project.knowledge, project.recipe.data.kard)
    made = lessons(task(project).shots, distilled(project).rationales, texts_of(finder, finder.by_words))
    fitted = _fitted(project, [each.example for each in made], 0)
    return tuple(each.model_copy(update={"example": one}) for each, one in zip(made, fitted, strict=True))


def lessons_report(project: Project) -> MethodReport:
    """What came of the rationales, as of any method."""
    found = distilled(project)
    considered = found.given + found.asked
    return MethodReport(
        method="kard", considered=considered, kept=found.kept, refused=found.refused, teacher=found.teacher
    )


def asked(project: Project, examples: Sequence[Example]) -> tuple[Example, ...]:
    """The examples as they are asked: with the passages that the question finds; as they are without the method."""
    if not reasons(project) or not examples:
        return tuple(examples)
    inputs = {
        "method": METHOD,
        "examples": list(examples),
        "knowledge": project.knowledge.folder.name,
        "reranker": reranker(project),
        "kard": project.recipe.data.kard,
        "lessons": list(project.data.examples),
    }

    def produce() -> Asked:
        finder = project.retriever
        find = texts_of(finder, lambda queries: finder.by_question(queries, quiet=project.quiet))
        return Asked(examples=with_found(project, examples, find))

    return project.workspace.step("asked", inputs, produce, Asked)[0].examples


def with_found(project: Project, examples: Sequence[Example], retrieve: "Retrieve") -> tuple[Example, ...]:
    """The examples as they are asked, with the passages that `retrieve` finds, as many as fit."""
    from hubexpert.kard import with_passages

    return tuple(_fitted(project, with_passages(examples, retrieve), longest(project)))


def longest(project: Project) -> int:
    """How many tokens an answer may have: rationale and output."""
    from hubexpert.examine import answer_length

    own = [each.example for each in project.data.examples if each.origin is None]
    return answer_length(project.model.tokenizer, own)


def room(project: Project) -> int:
    """How many tokens prompt and answer may have together."""
    return min(project.recipe.train.max_length, project.model.context)


def query_of(example: Example) -> str:
    """What an example's passages are looked up by."""
    from hubexpert.kard.lessons import query

    return query(example)


def texts_of(finder: "Retriever", find: Callable[[list[str]], list[list[int]]]) -> "Retrieve":
    """The passages themselves, where `find` gives their numbers."""
    return lambda queries: [finder.texts(ids) for ids in find(queries)]


def _fitted(project: Project, examples: Sequence[Example], answer: int) -> list[Example]:
    from hubexpert.kard import fitted_passages

    tokenizer, within = project.model.tokenizer, room(project) - answer
    return [
        each.model_copy(update={"passages": fitted_passages(tokenizer, each, each.passages, within)})
        for each in examples
    ]
