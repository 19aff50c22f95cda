"""What is out there for a base, and may we use it: adapters with a verdict each, and the datasets they cite."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hubexpert import hub
from hubexpert.discover.adapters import discover_adapters
from hubexpert.discover.data import Known, discover_datasets
from hubexpert.discover.search import resolve_name
from hubexpert.discover.snapshot import open_snapshot
from hubexpert.recipe import DiscoverSection, Recipe, is_folder, is_local
from hubexpert.records import ACCEPTED, Candidate, Discovery
from hubexpert.workspace import Workspace

__all__ = [
    "discover",
    "discover_step",
    "read_refused",
    "refused_in",
    "resolve_name",
    "task_of",
    "without_own",
    "writing",
]

METHOD = 1  # raised whenever verdicts are given differently: stored ones then do not hold


def discover(
    base: str,
    section: DiscoverSection,
    *,
    task: str = "",
    named: Sequence[str] = (),
    each: Callable[[Candidate], None] = lambda _: None,
    refresh: bool = False,
    offline: bool = False,
    quiet: bool = False,
) -> Discovery:
    """The adapters of the base, each with a verdict, and datasets: cited by the accepted ones, or found.

    What the Hub's listings say is kept on disk, shared by all recipes: another run asks for what changed since.

    Args:
        base: an alias, a Hub id (optionally `@revision`) or a folder, which need not exist on the Hub; or the name of a
            model there without its owner.
        section: what the recipe asks for.
        task: its name and instruction, for which datasets are searched.
        named: datasets that are looked up in any case.
        each: gets every adapter that was refused without an inspection; the result only counts those.
        refresh: read the Hub's listings from the beginning.
        offline: ask nothing; judge what is known.
        quiet: no progress and no remarks on stderr.

    Raises:
        AmbiguousBaseError: the name means several bases.
        HubExpertError: the name is unknown, there is neither such a base nor an adapter of it, or the Hub cannot be
            reached or does not accept the token.
    """
    offline = offline or hub.offline()
    name, _ = resolve_name(base, offline=offline, quiet=quiet)
    snapshot = open_snapshot()
    pace = hub.Pace(quiet)
    survey = discover_adapters(name, section, snapshot, pace, each=each, refresh=refresh, offline=offline, quiet=quiet)
    if not survey.verdicts and not is_folder(name) and not offline:
        hub.look(name, pace=pace)  # nothing for it: say so if there is no such base
    accepted = [candidate for candidate in survey.candidates if candidate.verdict == ACCEPTED]
    known = Known(snapshot, refresh=refresh, offline=offline, pace=pace)
    datasets = discover_datasets(accepted, section, known, named=named, task=task, quiet=quiet)
    return Discovery(
        base=name,
        endpoint=hub.endpoint(),
        candidates=survey.candidates,
        verdicts=survey.verdicts,
        relatives=survey.relatives,
        datasets=datasets,
    )


def discover_step(
    recipe: Recipe, workspace: Workspace, *, again: bool, quiet: bool, refresh: bool = False
) -> tuple[Discovery, bool]:
    """The recipe's discovery, kept in the workspace, and whether the Hub was asked.

    Args:
        recipe: names the base and what is looked for.
        workspace: where the result lies; what was refused without an inspection lies beside it.
        again: ask the Hub even if the result in the workspace was made from the same recipe.
        quiet: no progress and no remarks on stderr.
        refresh: read the Hub's listings from the beginning.

    Raises:
        HubExpertError: as `discover`.
    """
    section, task = without_own(recipe), task_of(recipe)
    named = [name for name in recipe.data.datasets if not is_local(name)]
    asked = {"discover": section, "task": task, "named": named, "endpoint": hub.endpoint()}
    inputs = {"method": METHOD, "base": recipe.base, **asked}

    def produce() -> Discovery:
        with writing(refused_in(workspace)) as each:
            return discover(recipe.base, section, task=task, named=named, each=each, refresh=refresh, quiet=quiet)

    # What is judged offline is no result for later: more may be known then.
    return workspace.step("discovery", inputs, produce, Discovery, again=again, keep=lambda _: not hub.offline())


def task_of(recipe: Recipe) -> str:
    """The words by which datasets are searched for the recipe's task."""
    return f"{recipe.task.name} {recipe.task.instruction}"


def without_own(recipe: Recipe) -> DiscoverSection:
    """What the recipe looks for, without what it publishes itself: that has learned these very shots."""
    own = (recipe.publish.repo,) if recipe.publish.repo else ()
    return recipe.discover.model_copy(update={"exclude": (*recipe.discover.exclude, *own)})


def refused_in(workspace: Workspace) -> Path:
    """The workspace's file of the adapters that were refused without an inspection, one record a line."""
    return workspace.root / "refused.jsonl"


@contextmanager
def writing(path: Path) -> Iterator[Callable[[Candidate], None]]:
    """Write what the block hands over as lines of `path`, which is replaced when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        yield lambda candidate: print(candidate.model_dump_json(), file=file)
    temporary.replace(path)


def read_refused(path: Path) -> Iterator[Candidate]:
    """The records that `writing` wrote, one by one; none where there is no such file."""
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            yield from map(Candidate.model_validate_json, file)
