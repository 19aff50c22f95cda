"""The gate before a published expert is replaced: the new routed mixture against it, on the same held-out rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.escape import clean, shown_name
from hubexpert.lock import Lock, digest_of
from hubexpert.pipeline.mixture import contest
from hubexpert.pipeline.project import Project, held_out, task
from hubexpert.pipeline.proof import evaluation
from hubexpert.publish import COMPARED, rival
from hubexpert.recipe import parse_recipe
from hubexpert.records import Compared, Example, Measured
from hubexpert.verify import Copy, checked, open_copy
from hubexpert.workspace import METHOD, fingerprint

if TYPE_CHECKING:
    from hubexpert.lm import Lm

UNPROVEN = (
    "Whether it is better than the published one is not known: without held-out examples both would be measured on "
    "what one of them was trained on."
)


class UnaskedError(HubExpertError):
    """What is published rests on texts that are not here."""


def compared(project: Project, lock: Lock) -> Compared:
    """The mixture of this lock against the one that the recipe's `publish.repo` holds on its main branch.

    Kept in the workspace, for `publish`, which obeys it; what is measured is journalled.

    Args:
        project: whose run has just made the lock.
        lock: the new one.

    Raises:
        HubExpertError: the recipe names no repository, what is published is not what its lock says, or it cannot be had
            or measured.
    """
    repo, new, test = rival(project.recipe), digest_of(lock), held_out(project)[0]
    with project.workspace.locked():
        copy = _published(repo)
        commit = copy.source.revision if copy and copy.source else None
        inputs = {"method": METHOD, "lock": new, "repo": repo, "commit": commit, "test": list(test)}
        before = project.workspace.stored(COMPARED, Compared)
        again = before is not None and before.n == 0  # what could not be measured then may be now
        return project.workspace.step(
            COMPARED, inputs, lambda: _compared(project, new, copy, test), Compared, again=again
        )[0]


def _published(repo: str) -> Copy | None:
    """What is published; None where nothing is."""
    try:
        copy = open_copy(repo, offline=hub.offline())
    except hub.SourceError as error:
        if error.kind == "missing":
            return None
        raise
    return copy if any(not name.startswith(".") for name in copy.sizes) else None


def _compared(project: Project, new: str, copy: Copy | None, test: Sequence[Example]) -> Compared:
    from hubexpert.evaluate import measured
    from hubexpert.examine import answer_length
    from hubexpert.systems.mixtures import routed

    if copy is None:
        sentence = f"Nothing is published at {rival(project.recipe)} yet."
        return Compared(lock=new, outcome="nothing-published", sentence=sentence)
    name = f"{copy.name}@{copy.source.revision}" if copy.source else copy.name
    if not test:
        return Compared(lock=new, published=name, outcome="unknown", sentence=UNPROVEN)
    old, folder = checked(copy, offline=hub.offline())
    if old.base.repo.lower() != project.base.repo.lower():
        other = clean(shown_name(old.base.repo))
        sentence = f"It cannot be compared with what is published: that stands on another base, {other}."
        return Compared(lock=new, published=name, outcome="unknown", sentence=sentence)
    arena = contest(project)
    ours = measured(project.model, arena, routed(project.model, arena), evaluation(project)).values
    try:
        theirs = _theirs(project, old, folder, test, answer_length(project.model.tokenizer, arena.lesson.shots))
    except UnaskedError as error:
        return Compared(lock=new, published=name, outcome="unknown", sentence=error.message)
    return _judged(new, copy.name, name, ours, theirs, seed=project.recipe.seed)


def _theirs(project: Project, old: Lock, folder: Path, test: Sequence[Example], longest: int) -> tuple[float, ...]:
    """The published mixture's values of the same rows by the same metric, on its own base, with its own knowledge.

    Its answers may have as many tokens as it was measured with, or as ours have, if that is more.
    """
    from hubexpert.evaluate import answered
    from hubexpert.verify.evaluation import asked_of, opened

    metric, journal, quiet = task(project).metric, evaluation(project), project.quiet
    longest = max(longest, old.report.longest or 0)
    parts = {"method": METHOD, "base": old.base, "files": old.build.files, "knowledge": old.kard and old.kard.sources}
    key = fingerprint({"published": parts, "longest": longest, "test": list(test), "metric": metric})
    done = journal.read()
    if key in done:
        return Measured.model_validate(done[key]).values
    model = _base(project, old)
    try:
        asked = asked_of(model, old, folder, test, texts=_own_texts(project), quiet=quiet)
    except hub.SourceError:
        raise
    except HubExpertError as error:
        message = f"The published one cannot be asked as it was made to be. {error.message}"
        raise UnaskedError(message, fix=error.fix) from error
    with opened(model, folder, routed=True) as form:
        values = answered(form, asked, metric, longest=longest, label="evaluating the published one", quiet=quiet)
    journal.append(key, Measured(values=values))
    return values


def _own_texts(project: Project) -> list[str]:
    """Where the texts are that the recipe names as files: those of the published one, if it was made of the same."""
    from hubexpert.knowledge.sources import is_local_text

    section = project.recipe.data.knowledge
    names = [name.strip() for name in section.sources if is_local_text(name.strip())] if section else []
    return [str((project.folder / Path(name).expanduser()).resolve()) for name in names]


def _base(project: Project, old: Lock) -> "Lm":
    """The base that the published one was made for: ours, or that at another commit."""
    quantize = parse_recipe(old.recipe, name="the recipe in the published lock").quantize
    if (old.base.revision, quantize) == (project.base.revision, project.recipe.quantize):
        return project.model
    from hubexpert.lm import load_lm

    return load_lm(old.base, quantize=quantize)


def _judged(new: str, repo: str, name: str, ours: Sequence[float], theirs: Sequence[float], *, seed: int) -> Compared:
    from hubexpert.significance import p_value
    from hubexpert.statistics import paired
    from hubexpert.verdict import points, signed

    value, low, high = paired(ours, theirs, seed=seed)
    p, n = p_value(ours, theirs, seed=seed), len(ours)
    outcome = "better" if low > 0 else "worse" if high < 0 else "not-worse"
    told = {"better": "is better than", "worse": "is worse than", "not-worse": "is not shown to be worse than"}
    means = f"{points(sum(ours) / n)} against {points(sum(theirs) / n)}"
    sentence = (
        f"It {told[outcome]} what {repo} holds: {means}, {signed(value)} points [{signed(low)}, {signed(high)}] on "
        f"{n} held-out examples, p = {p:.2g}."
    )
    return Compared(
        lock=new, published=name, outcome=outcome, sentence=sentence, difference=value, low=low, high=high, p=p, n=n
    )
