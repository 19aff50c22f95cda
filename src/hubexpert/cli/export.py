"""`hubexpert export`: the mixture as a LoRA of a lower rank, as one of its experts, or merged into its base."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out

if TYPE_CHECKING:
    from hubexpert.moe.mixture import Mixture
    from hubexpert.pipeline import Project


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "mixture",
    metavar="REPO_OR_FOLDER",
    help="A published mixture; by default the one that was built from the recipe.",
)
@click.option("--revision", help="Of the repository: branch, tag or commit.")
@click.option("--static-rank", type=click.IntRange(min=1), help="The static form as a plain LoRA of at most this rank.")
@click.option("--expert", metavar="N", help="One expert as a plain LoRA: its number, its repository, or `shared`.")
@click.option("--merged", is_flag=True, help="A whole model: the static form merged into the base.")
@click.option("--base", help="With --merged: the base's Hub id or folder, instead of the one the mixture names.")
@recipe_option
@output_options
def export(
    target: Path,
    mixture: str | None,
    revision: str | None,
    static_rank: int | None,
    expert: str | None,
    merged: bool,
    base: str | None,
    recipe: Path,
    out: Out,
) -> None:
    """Write the mixture in a form that other tools read."""
    if (static_rank is not None) + (expert is not None) + merged != 1:
        raise click.UsageError("Say which form: one of --static-rank R, --expert N and --merged.")
    if (revision and not mixture) or (base and not merged):
        raise click.UsageError("--revision goes with --from, --base with --merged.")
    from hubexpert import hub
    from hubexpert.moe.adapter import find_base
    from hubexpert.moe.export import export_expert, export_merged, export_static
    from hubexpert.moe.mixture import open_mixture

    hub.show_progress(not out.quiet)
    project = None if mixture else _project(recipe, out)
    held: AbstractContextManager[None] = project.workspace.locked() if project else nullcontext()
    with held:
        opened = _built(project) if project else open_mixture(mixture or "", revision=revision)
        if static_rank is not None:
            made = export_static(opened, static_rank, target)
        elif expert is not None:
            made = export_expert(opened, expert, target)
        else:
            place = project.base_place if project and not base else find_base(opened.folder, base)
            out.hint("Merging on the CPU: 4 bytes of memory for every weight of the base.")
            made = export_merged(opened, place, target)
    out.records([{"folder": str(target), **asdict(made)}])
    out.text(str(target))
    if made.error is not None:
        out.text(
            f"Rank {made.rank}: {_percent(made.error)} of the weight update is lost, at most "
            f"{_percent(made.worst_error or 0.0)} in one module ({made.worst_module})."
        )


def _project(recipe: Path, out: Out) -> "Project":
    from hubexpert import pipeline

    return pipeline.open_project(recipe, quiet=out.quiet)


def _built(project: "Project") -> "Mixture":
    """The mixture in the workspace, which is of the recipe's base."""
    from hubexpert.errors import HubExpertError
    from hubexpert.moe.mixture import open_mixture

    folder = project.workspace.root / "build"
    if not folder.is_dir():
        raise HubExpertError(
            "No mixture has been built from this recipe.", fix="hubexpert build, or name a published one with --from"
        )
    opened = open_mixture(folder, name=project.recipe.publish.repo or project.recipe.task.name)
    if opened.base != project.base.repo:
        raise HubExpertError(
            f"The mixture that was built is for {opened.base}, the recipe is for {project.base.repo}.",
            fix="hubexpert build",
        )
    return replace(opened, base_revision=project.base.revision)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
