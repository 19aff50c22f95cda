"""What is trained on: the shots, and what the recipe's methods make of rows of open datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.pipeline import kard
from hubexpert.pipeline.methods import drawn, encoder_of, selected, transformed, weighed
from hubexpert.pipeline.pool import discover, teacher
from hubexpert.pipeline.project import Project, task
from hubexpert.recipe import is_local
from hubexpert.records import ACCEPTED, Data, DatasetCandidate, as_lesson
from hubexpert.workspace import METHOD, fingerprint, write_atomically

if TYPE_CHECKING:
    from hubexpert.material import Material
    from hubexpert.rows import RowFile

EXAMPLES = "examples.jsonl"


def data(project: Project) -> Data:
    """All that is trained on, the shots first; also written to the workspace, a line an example.

    Raises:
        HubExpertError: the recipe's methods need rows, and none can be read; or a teacher, who cannot be asked.
    """
    section, work = project.recipe.data, task(project)
    if not section.methods:
        return Data(examples=as_lesson(work.shots))
    from_rows = set(section.methods) - {"kard"}
    datasets, reasoned = _datasets(project) if from_rows else [], kard.reasons(project)
    asked = teacher(project) if "rebase" in section.methods else None
    inputs = {
        "method": METHOD,
        "datasets": [(each.source, each.mapping) for each in datasets],
        "task": project.recipe.task,
        "shots": list(work.shots),
        "test": list(work.test),
        "data": section.model_dump(mode="json", exclude={"teacher"}),
        "teacher": asked.identity if asked else None,
        "base": [project.base, project.recipe.quantize] if "beacons" in section.methods else None,
        "seed": project.recipe.seed,
        **({"knowledge": project.knowledge.folder.name, "rationales": kard.distilled(project)} if reasoned else {}),
    }
    made, made_now = project.workspace.step("data", inputs, lambda: _made(project, datasets), Data, keep=_final)
    path = project.workspace.root / EXAMPLES
    if made_now or not path.exists():
        write_atomically(path, "".join(each.model_dump_json() + "\n" for each in made.examples))
    return made


def _final(made: Data) -> bool:
    """Whether another run would find the same: no dataset was left out for what may pass."""
    return not made.missed


def _datasets(project: Project) -> list[DatasetCandidate]:
    """The datasets whose rows may be taken: those that discovery accepts, and the recipe's own files."""
    from hubexpert.rows import local_dataset

    columns = project.recipe.discover.columns
    names = [name for name in project.recipe.data.datasets if is_local(name)]
    local = [local_dataset(name, project.folder, columns.get(name)) for name in names]
    found = [each for each in discover(project).datasets if each.verdict == ACCEPTED]
    if not (local or found):
        raise HubExpertError(
            "There is no dataset whose rows may be taken.",
            fix="see `hubexpert discover --show datasets`, name some under `data.datasets`, or clear `data.methods`",
        )
    return sorted(found, key=lambda each: each.repo) + local


def _made(project: Project, datasets: Sequence[DatasetCandidate]) -> Data:
    methods, reasoned = project.recipe.data.methods, kard.reasons(project)
    shots = kard.lessons(project) if reasoned else as_lesson(task(project).shots)
    told = (kard.lessons_report(project),) if reasoned else ()
    if not datasets:
        return Data(examples=shots, methods=told)
    files, unread, missed = _read(project, datasets)
    found = _material(project, files)
    harvests = []
    if "select" in methods:
        harvests.append(selected(project, found))
    if "rebase" in methods:
        harvests.append(transformed(project, found))
    if "random" in methods:
        harvests.append(drawn(project, found))
    if "beacons" in methods:
        made = weighed(project, found, shots, harvests, unread)
    else:
        from hubexpert.material import reported

        made = reported(found, shots, harvests, unread)
    return made.model_copy(update={"missed": missed, "methods": (*told, *made.methods)})


def _read(
    project: Project, datasets: Sequence[DatasetCandidate]
) -> tuple[list["RowFile"], dict[str, str], tuple[str, ...]]:
    """The rows on disk, why those of some datasets are not, and where that may pass."""
    from hubexpert.progress import track
    from hubexpert.rows import read_rows

    files, unread, missed = [], {}, []
    folder = project.shared.root / "rows"
    for each in track(datasets, "reading rows", quiet=project.quiet):
        try:
            files.append(read_rows(each, project.recipe.data.per_dataset, folder, beside=project.folder))
        except hub.SourceError as error:
            unread[each.repo] = error.message
            missed += [each.repo] if error.kind == "failing" else []
    if not any(file.count for file in files):
        told = next(iter(unread.values()), "They are empty.")
        raise HubExpertError(
            f"No rows of {len(datasets)} datasets could be read. {told}",
            fix="name other datasets under `data.datasets`, or clear `data.methods`",
        )
    return files, unread, tuple(missed)


def _material(project: Project, files: Sequence["RowFile"]) -> "Material":
    """The rows with their vectors, and which of them may be taken."""
    from hubexpert.embed.cluster import on_cluster
    from hubexpert.material import material

    encoder = encoder_of(project)
    return material(
        files,
        task(project),
        encoder,
        project.shared.root / "vectors",
        languages=project.recipe.data.languages or project.recipe.task.languages,
        vectorise=on_cluster(encoder, workers=project.workers) if project.engine == "ray" else None,
        quiet=project.quiet,
    )


def draw_data(project: Project, path: Path) -> None:
    """Draw the shots, the rows that are taken and others as a map, into a PNG file.

    Where they lie on it is kept in the workspace as `map`, for the report.
    """
    from hubexpert import figures
    from hubexpert.embed.encoder import encode
    from hubexpert.instructions import example_text
    from hubexpert.report.beside import MAP
    from hubexpert.rows.map import data_map, on_plane

    made = project.data
    if not made.methods:
        return
    files = _read(project, _datasets(project))[0]
    found = _material(project, files)
    own = [each for each in made.examples if each.origin]
    taken = {(each.origin.source, each.origin.row) for each in own if each.origin}
    others = [
        vectors[np.array([(row.source, row.row) not in taken for row in file], dtype=bool)]
        for file, vectors in zip(found.files, found.texts, strict=True)
    ]
    shots = encode(found.encoder, [example_text(shot) for shot in found.task.shots])
    kept = encode(found.encoder, [example_text(each.example) for each in own])
    digest = fingerprint(list(made.examples))
    placed = on_plane(shots, kept, np.concatenate(others), digest=digest)
    project.workspace.write(MAP, digest, placed)
    figures.save(lambda: data_map(placed), path)
