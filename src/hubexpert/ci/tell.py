"""What a workflow is told: outputs for its next steps, and a summary for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hubexpert.assemble import PUBLISH
from hubexpert.ci.line import Outcome
from hubexpert.escape import HUB, fence, plain, trusted
from hubexpert.lock import DEFAULT_LOCK, read_lock
from hubexpert.page import render
from hubexpert.recipe import read_recipe
from hubexpert.shots import read_task
from hubexpert.workspace import WORKSPACE

MOST = 20  # findings that are shown


def outputs(outcome: Outcome) -> dict[str, str]:
    """The action's outputs."""
    return {
        "changed": "true" if outcome.changed else "false",
        "verdict": outcome.verdict,
        "compared": str(outcome.compared.get("outcome", "")),
        "commit-url": outcome.commit_url,
        "pr-url": outcome.pr_url,
    }


def told(outcome: Outcome) -> list[str]:
    """Why, and what the check of the shots found, a line each: what the commands themselves did not tell on stderr."""
    lines = [f"- {reason}" for reason in outcome.reasons]
    for each in outcome.findings:
        place = f"{each['file']}, line {', '.join(map(str, each['lines'][:MOST]))}"
        lines.append(f"{each['severity']}: {each['code']} in {place}: {each['sentence']} {each['fix']}")
    return lines


def tell(outcome: Outcome, recipe: Path, environment: Mapping[str, str]) -> None:
    """Append the outputs and the summary to the files that GitHub names, where it names them."""
    if file := environment.get("GITHUB_OUTPUT"):
        _append(file, "".join(f"{name}={plain(value)}\n" for name, value in outputs(outcome).items()))
    if file := environment.get("GITHUB_STEP_SUMMARY"):
        _append(file, summary(outcome, recipe, endpoint=environment.get("HF_ENDPOINT") or HUB))


def summary(outcome: Outcome, recipe: Path, *, endpoint: str) -> str:
    """The summary in Markdown, every text escaped as on the card.

    Args:
        outcome: what came of it.
        recipe: the lock of what was rebuilt lies beside it.
        endpoint: of the Hub that links lead to.
    """
    built = read_lock(recipe.parent / DEFAULT_LOCK) if outcome.verdict else None
    figures: list[tuple[str, Markup]] = []
    if built and outcome.commit_url.startswith(trusted(endpoint) + "/"):
        page = outcome.commit_url.replace("/commit/", "/blob/")
        named = sorted(each.name for each in (recipe.parent / WORKSPACE / PUBLISH / "figures").glob("*.png"))
        figures = [(name, Markup(f"{page}/figures/{name}")) for name in named]  # noqa: S704  names and pages of our own
    return render(
        "ci.md",
        endpoint=endpoint,
        outcome=outcome,
        lock=built,
        figures=figures,
        pages=[Markup(each) for each in (outcome.commit_url, outcome.pr_url) if each],  # noqa: S704  made by the client
        cost=cost(recipe) if outcome.state == "checked" else None,
        trouble=fence(outcome.trouble, "text") if outcome.trouble else None,
        findings=outcome.findings[:MOST],
        more=max(0, len(outcome.findings) - MOST),
    )


def cost(recipe: Path) -> dict[str, Any]:
    """What a rebuild has to do at most: how many adapters, examples, systems, trainings."""
    wanted, lock = read_recipe(recipe), recipe.parent / DEFAULT_LOCK
    task = read_task(wanted, recipe.parent)
    built = read_lock(lock) if lock.is_file() else None
    rates, folds = len(wanted.train.learning_rate), wanted.train.folds
    return {
        "adapters": len(built.scores.scores) if built else wanted.discover.limit,
        "known": built is not None,
        "shots": len(task.shots),
        "test": len(task.test),
        "systems": len(built.report.systems) if built else None,
        "trainings": rates * folds + 1,
        "epochs": wanted.train.epochs,
    }


def _append(file: str, text: str) -> None:
    with Path(file).open("a", encoding="utf-8", newline="\n") as opened:
        opened.write(text)
