"""What is trained on: the shots, and what the recipe's methods make of rows of open datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.pipeline.pool import discover, teacher
from hubexpert.pipeline.project import Project, task
from hubexpert.recipe import is_folder, is_local
from hubexpert.records import ACCEPTED, Data, DatasetCandidate, Example, Harvest, TrainingExample, as_lesson
from hubexpert.workspace import METHOD, write_atomically

if TYPE_CHECKING:
    from hubexpert.embed.encoder import Encoder
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
    datasets, asked = _datasets(project), teacher(project) if "rebase" in section.methods else None
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
    methods, shots = project.recipe.data.methods, as_lesson(task(project).shots)
    files, unread, missed = _read(project, datasets)
    found = _material(project, files)
    harvests = []
    if "select" in methods:
        harvests.append(_selected(project, found))
    if "rebase" in methods:
        harvests.append(_transformed(project, found))
    if "random" in methods:
        harvests.append(_drawn(project, found))
    if "beacons" in methods:
        return _shaped(project, found, shots, harvests, unread).model_copy(update={"missed": missed})
    from hubexpert.material import reported

    return reported(found, shots, harvests, unread).model_copy(update={"missed": missed})


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
        languages=project.recipe.data.languages,
        vectorise=on_cluster(encoder, workers=project.workers) if project.engine == "ray" else None,
        quiet=project.quiet,
    )


def encoder_of(project: Project) -> "Encoder":
    """The recipe's sentence encoder; a folder counts from the recipe's."""
    from hubexpert.embed.encoder import load_encoder

    name = project.recipe.data.encoder
    return load_encoder(str(project.folder / Path(name).expanduser()) if is_folder(name) else name)


def _selected(project: Project, found: "Material") -> Harvest:
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


def _drawn(project: Project, found: "Material") -> Harvest:
    """Rows at random."""
    from hubexpert.instructions import random_rows

    return random_rows(found.files, found.allowed, count=project.recipe.data.rows, seed=project.recipe.seed)


def _transformed(project: Project, found: "Material") -> Harvest:
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


def _shaped(
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
    far = base_distances(project, found.encoder, [each.example for group, _ in groups for each in group])
    kept: list[tuple[TrainingExample, ...]] = []
    left: list[TrainingExample] = []
    for group, all_stay in groups:
        some, far = far[: len(group)], far[len(group) :]
        stay, go = shaped(group, some, project.recipe.data.beacons, all_stay=all_stay)
        kept.append(stay)
        left += go
    made = [h.model_copy(update={"kept": stay}) for h, stay in zip(harvests, kept[1:], strict=True)]
    return reported(found, kept[0], made, unread, filtered=left)


def base_distances(project: Project, encoder: "Encoder", examples: Sequence[Example]) -> list[float]:
    """How far the base's own answer to each example is from the gold one."""
    from hubexpert.beacons import answers
    from hubexpert.workspace import fingerprint

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


def draw_data(project: Project, path: Path) -> None:
    """Draw the shots, the rows that are taken and others as a map, into a PNG file."""
    from hubexpert import figures
    from hubexpert.embed.encoder import encode
    from hubexpert.instructions import example_text
    from hubexpert.rows.map import data_map

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
    figures.save(lambda: data_map(shots, kept, np.concatenate(others)), path)
