"""What is out there for a base, and may we use it: adapters with a verdict each, and the datasets they cite."""

from hubexpert import hub
from hubexpert.discover.adapters import discover_adapters
from hubexpert.discover.aliases import canonical_base
from hubexpert.discover.datasets import discover_datasets
from hubexpert.recipe import DiscoverSection, Recipe, is_folder
from hubexpert.records import ACCEPTED, Discovery
from hubexpert.workspace import Workspace

__all__ = ["canonical_base", "discover", "discover_adapters", "discover_datasets", "discover_step", "without_own"]


def discover(base: str, section: DiscoverSection, *, task: str = "", quiet: bool = False) -> Discovery:
    """The adapters of the base, each with a verdict, and datasets: cited by the accepted ones, or found.

    Args:
        base: an alias, a Hub id (optionally `@revision`) or a folder; it need not exist on the Hub.
        section: what the recipe asks for.
        task: its name and instruction, for which datasets are searched.
        quiet: no progress and no remarks on stderr.

    Raises:
        HubExpertError: the alias is unknown, there is neither such a base nor an adapter of it, or the Hub cannot be
            reached or does not accept the token.
    """
    name, _ = canonical_base(base)
    candidates = discover_adapters(name, section, quiet=quiet)
    if not candidates and not is_folder(name):
        hub.look(name)  # nothing for it: say so if there is no such base
    accepted = [candidate for candidate in candidates if candidate.verdict == ACCEPTED]
    datasets = discover_datasets(accepted, section, task=task, quiet=quiet)
    return Discovery(base=name, endpoint=hub.endpoint(), candidates=candidates, datasets=datasets)


def discover_step(recipe: Recipe, workspace: Workspace, *, again: bool, quiet: bool) -> tuple[Discovery, bool]:
    """The recipe's discovery, kept in the workspace, and whether the Hub was asked.

    Args:
        recipe: names the base and what is looked for.
        workspace: where the result lies.
        again: ask the Hub even if the result in the workspace was made from the same recipe.
        quiet: no progress and no remarks on stderr.

    Raises:
        HubExpertError: as `discover`.
    """
    section, task = without_own(recipe), f"{recipe.task.name} {recipe.task.instruction}"
    inputs = {"base": recipe.base, "discover": section, "task": task, "endpoint": hub.endpoint()}
    return workspace.step(
        "discovery", inputs, lambda: discover(recipe.base, section, task=task, quiet=quiet), Discovery, again=again
    )


def without_own(recipe: Recipe) -> DiscoverSection:
    """What the recipe looks for, without what it publishes itself: that has learned these very shots."""
    own = (recipe.publish.repo,) if recipe.publish.repo else ()
    return recipe.discover.model_copy(update={"exclude": (*recipe.discover.exclude, *own)})
