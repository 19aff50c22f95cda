"""The pool: what is out there for the base, what it scores on the shots, which of it are chosen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hubexpert import hub
from hubexpert.discover import discover_step
from hubexpert.errors import HubExpertError
from hubexpert.pipeline.project import Project, pinned, place, task
from hubexpert.recipe import is_folder
from hubexpert.records import Candidate, Data, Discovery, Rationales, ScoreTable, Selection, Source
from hubexpert.workspace import METHOD

if TYPE_CHECKING:
    from hubexpert.experts.engine import Engine
    from hubexpert.experts.ledger import Ledger
    from hubexpert.experts.score import Trial
    from hubexpert.factors import Factors
    from hubexpert.teacher import Teacher


def discover(project: Project, *, again: bool = False) -> Discovery:
    """What is out there for the base; `again`: the Hub is asked, whatever it said before."""
    outdated = again and not hub.offline() and _outdated(project)
    return discover_step(project.recipe, project.shared, again=again, refresh=outdated, quiet=project.quiet)[0]


def _outdated(project: Project) -> bool:
    """Whether a chosen adapter cannot be had any longer, or a dataset that rows were taken of is another.

    Only what the Hub says when it is asked from the beginning tells that.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    from hubexpert.upstream import DATASET, asked_for, changes, now_all

    chosen, data = project.shared.stored("selection", Selection), project.shared.stored("data", Data)
    taken = [use.source for use in (data.datasets if data else ()) if use.taken and not is_folder(use.source.repo)]
    used = asked_for(project.recipe, chosen.chosen if chosen else (), taken)
    told = zip(used, now_all(used, hub.Pace(project.quiet)), strict=True)
    found = [(one.role, change.kind) for one, now in told for change in changes(one, now)]
    return any(role == DATASET or kind not in ("moved", "licence") for role, kind in found)


def teacher(project: Project) -> "Teacher | None":
    """The recipe's teacher, if it names one."""
    settings, seed = project.recipe.data.teacher, project.recipe.seed
    if settings is None:
        return None
    from hubexpert.teacher import Teacher

    if not settings.local:
        return Teacher(settings, seed)
    from hubexpert.lm import load_lm

    source = pinned(project, "teacher", settings.model)
    return Teacher(settings, seed, source, lambda: load_lm(place(project, source)))


def rationales(project: Project) -> Rationales:
    """The shots with the rationales that the teacher could write; a refresh asks again for those that it did not.

    Raises:
        HubExpertError: the teacher cannot be asked, or leaves too many questions without a usable reply.
    """
    shots, asked = task(project).shots, teacher(project)
    if asked is None:
        return Rationales(shots=shots)

    def produce() -> Rationales:
        from hubexpert.experts.rationales import with_rationales

        return with_rationales(shots, asked, project.shared.journal("teacher"), quiet=project.quiet)

    inputs = {"method": METHOD, "teacher": asked.identity, "shots": list(shots)}
    return project.workspace.step("rationales", inputs, produce, Rationales, again=project.refresh)[0]


def score(project: Project) -> ScoreTable:
    """The accepted adapters' scores on the shots.

    Raises:
        HubExpertError: no adapter was accepted, or none could be scored.
    """
    work, base = task(project), project.base  # a wrong file or base is told before anything else is asked for
    accepted = sorted(discover(project).accepted, key=lambda c: c.source.repo)
    if not accepted:
        raise HubExpertError(
            f"No usable adapter was found for {project.recipe.base}.",
            fix="see `hubexpert discover`, then widen `discover.licenses` or name adapters in `discover.include`",
        )
    work = work.model_copy(update={"shots": project.rationales.shots})
    section = project.recipe.experts
    inputs = {
        "method": METHOD,
        "base": base,
        "quantize": project.recipe.quantize,
        "accepted": [c.source for c in accepted],
        "shots": list(work.shots),
        "metric": work.metric,
        "test": list(work.test),
        "datasets": list(project.recipe.task.datasets),
        "budget": section if section.budget == "halving" or "adapted" in section.rank else "full",
        "seed": project.recipe.seed,
    }

    def produce() -> ScoreTable:
        from hubexpert.experts.cards import cards
        from hubexpert.experts.ledger import open_ledger
        from hubexpert.experts.prior import prior
        from hubexpert.experts.score import context, score_pool, trial
        from hubexpert.measure import check_metric
        from hubexpert.systems import check_peers

        check_metric(work.metric, (*work.shots, *work.test))
        check_peers(project.recipe.evaluate.peers)
        engine, tokenizer = _engine(project)
        asked = trial(base, work, tokenizer, section, project.recipe.seed)
        ledger = open_ledger(project.shared.journal("scores"), context(asked, engine))
        told = cards([c.source for c in accepted])
        named = project.recipe.task
        order = prior(accepted, told, name=named.name, instruction=named.instruction, shots=work.shots)
        table = score_pool(engine, asked, [accepted[i].source for i in order], ledger, quiet=project.quiet)
        return _flagged(project, table, accepted, asked, ledger)

    def final(table: ScoreTable) -> bool:
        return not any(refused.code.startswith("download-") for refused in table.refused)

    return project.workspace.step("scores", inputs, produce, ScoreTable, keep=final)[0]


def _flagged(
    project: Project, table: ScoreTable, accepted: Sequence[Candidate], asked: "Trial", ledger: "Ledger"
) -> ScoreTable:
    """The table with what speaks against its scores. On a cluster adapters are not looked at on the base again."""
    from hubexpert.experts.guards import flags
    from hubexpert.experts.holdings import MOST_ROWS, dataset_rows, holdings
    from hubexpert.experts.load import adapter_factors
    from hubexpert.slots import applied

    test = task(project).test
    readable = not hub.offline() and hub.can_read_rows()
    datasets = discover(project).datasets if readable else ()
    known = {s.source.repo: ledger.answers(s.source, asked.shots[: s.n]) for s in table.scores}
    found = flags(
        lambda: project.model,
        lambda source: applied(project.model.model, adapter_factors(source, lambda: project.model.model)),
        [c for c in accepted if c.source.repo in known],
        table.scores,
        {repo: answers.nlls for repo, answers in known.items() if answers},
        asked.shots,
        test,
        holdings(datasets, asked.shots, test, lambda dataset: dataset_rows(dataset, MOST_ROWS)),
        project.recipe.task,
        most=0 if project.engine == "ray" else project.recipe.experts.candidates,
        seed=asked.seed,
        quiet=project.quiet,
    )
    scores = tuple(s.model_copy(update={"flags": found.get(s.source.repo, ())}) for s in table.scores)
    return table.model_copy(update={"scores": scores})


def _engine(project: Project) -> tuple["Engine", Any]:
    """Where adapters are measured, and the base's tokenizer."""
    quantize, gigabytes = project.recipe.quantize, project.recipe.experts.disk
    disk = None if gigabytes is None else int(gigabytes * 1e9)
    if project.engine == "ray":
        from hubexpert.experts.cluster import on_cluster
        from hubexpert.lm import load_tokenizer

        base = project.base_place
        engine = on_cluster(base, project.base, quantize=quantize, disk=disk, workers=project.workers)
        return engine, load_tokenizer(base)
    from hubexpert.experts.engine import on_this_machine

    return on_this_machine(project.model, project.base, quantize=quantize, disk=disk), project.model.tokenizer


def select(project: Project) -> Selection:
    """The experts chosen from the scored pool."""
    table = project.scores
    section = project.recipe.experts

    def similarity_of(sources: Sequence[Source]) -> list[list[float]]:
        from hubexpert.experts.load import adapter_factors
        from hubexpert.experts.similarity import similarity_matrix

        def load(source: Source) -> "Factors":
            return adapter_factors(source, lambda: project.model.model)

        rows: list[list[float]] = similarity_matrix(sources, load, quiet=project.quiet).tolist()
        return rows

    def produce() -> Selection:
        from hubexpert.experts.select import select as choose

        left = [s for s in table.scores if not {flag.partition(":")[0] for flag in s.flags} & set(section.without)]
        if not left:
            raise HubExpertError(
                f"All {len(table.scores)} scored adapters have a flag that `experts.without` leaves out.",
                fix="see `hubexpert score`, then shorten `experts.without` in the recipe",
            )
        return choose(left, similarity_of, candidates=section.candidates, count=section.count, by=section.rank)

    inputs = {"method": METHOD, "scores": table, "experts": section}
    return project.workspace.step("selection", inputs, produce, Selection)[0]
