"""`hubexpert demo`: the whole job on bundled real data."""

import sys
import time
from pathlib import Path

import click

from hubexpert.cli.options import output_options
from hubexpert.cli.output import Out


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where everything goes.",
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path, file_okay=False),
    help="The material; by default examples/ of the clone.",
)
@click.option("--port", default=8377, show_default=True, help="Of the demo's Hub.")
@output_options
def demo(folder: Path, examples: Path | None, port: int, out: Out) -> None:
    """Do the whole job on bundled real data, against a Hub on this machine."""
    from hubexpert import demo as material

    begun = time.monotonic()
    source = material.find_examples(examples)
    folder = folder.resolve()
    recipe = material.write_project(folder / "project", source)
    with material.served(folder / "hub", port, folder / "home") as endpoint:
        out.hint("1/4  Converting the base model (once) and filling a Hub on this machine")
        count = material.fill_hub(folder / "hub", material.convert_base(folder / "base"), source)
        out.hint(f"     {count} repositories at {endpoint}")
        _run(recipe, out)
    out.hint(f"Took {time.monotonic() - begun:.0f} s.")
    command = sys.argv[0] if Path(sys.argv[0]).name == "hubexpert" else "hubexpert"
    out.hint(f"Look around with: {command} hub serve --root {folder / 'hub'} --port {port}")


def _run(recipe: Path, out: Out) -> None:
    """The stages on the demo's project, then publishing. Imported here: the client reads the endpoint when imported."""
    from hubexpert import pipeline
    from hubexpert.cli.discovered import show_discovery
    from hubexpert.cli.run import show_run
    from hubexpert.discover import refused_in
    from hubexpert.publish import Wish, publish
    from hubexpert.report import beside, write_report

    project = pipeline.open_project(recipe, quiet=out.quiet)
    out.hint(f"2/4  Discovering adapters of {project.recipe.base}")
    found = pipeline.discover(project)
    if not out.json:
        show_discovery(found, refused_in(project.workspace), None, out)
    out.hint("3/4  Scoring, selecting, building and evaluating (minutes the first time)")
    lock = pipeline.run(project)
    show_run(project, lock, out)
    out.hint("4/4  Publishing")
    forced = lock.report.verdict != "ship"
    if forced:
        out.hint("     The verdict is against shipping; the demo publishes all the same, to show how.")
    publish_folder, repo = project.workspace.root / "publish", str(project.recipe.publish.repo)
    done = publish(lock, publish_folder, Wish(repo, force=forced), private=False)
    out.records([done.model_dump(mode="json")])
    out.text(f"Published {done.url} at commit {done.commit}" + ("" if done.changed else " (unchanged)"))
    out.text(f"Its card: {publish_folder / 'README.md'}")
    page = project.workspace.root / "report.html"
    write_report(lock, beside(lock, project.workspace), page)
    out.text(f"All of it on one page: {page}")
