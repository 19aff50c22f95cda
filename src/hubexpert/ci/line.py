"""The stages of a workflow in order: is it fresh, are the shots sound, rebuild and compare, publish."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hubexpert.ci.place import fetch_lock, see_repository
from hubexpert.ci.stage import Stage, stage
from hubexpert.errors import HubExpertError

STALE = 3  # the exit code of `status`
Publishing = Literal["commit", "pr", "none"]


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        state: `fresh`, nothing was to be done; `checked`; `rebuilt`; `failed`, for what `trouble` tells.
        reasons: why the expert is stale.
        remark: what went wrong here, and not in a command, which tells that itself.
        findings: what the check of the shots found: each `severity`, `code`, `file`, `lines`, `sentence`, `fix`.
        trouble: what the command that failed told.
        verdict: on what was rebuilt; empty where nothing was.
        compared: with what is published: `outcome`, `difference`, `low`, `high`, `p`, `n`; empty where nothing was.
        changed: whether something new was built, and stands on the Hub where it was to be published.
        commit_url: of the commit that was made.
        pr_url: of the pull request that holds it.
    """

    state: Literal["fresh", "checked", "rebuilt", "failed"]
    reasons: tuple[str, ...] = ()
    remark: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    trouble: str = ""
    verdict: str = ""
    compared: dict[str, Any] = field(default_factory=dict)
    changed: bool = False
    commit_url: str = ""
    pr_url: str = ""


def check(recipe: Path) -> Outcome:
    """What a rebuild would be for, and whether the shots are sound. Nothing is trained or sent."""
    remark = ""
    try:
        fetch_lock(recipe, replace=True)
    except HubExpertError as error:
        remark = f"What is published was not looked at: {error.message}"
    known = replace(_status(recipe, "--offline"), remark=remark)
    return known if known.state == "failed" else _checked(recipe, replace(known, state="checked"))


def rebuild(
    recipe: Path,
    *,
    publish: Publishing,
    discover: bool,
    force: bool,
    limit: float | None = None,
    where: Sequence[str] = (),
) -> Outcome:
    """Rebuild the expert where it is stale, and publish it. The first command that fails is the last.

    Args:
        recipe: the recipe.
        publish: by a `commit`, by a `pr`, or not at all.
        discover: whether new adapters on the Hub make it stale, too.
        force: publish although the verdict is not `ship`; not what is worse than what is published.
        limit: seconds, after which `hubexpert run` is stopped.
        where: options of `hubexpert run` for a job of the Hub.
    """
    options = ["--discover"] if discover else []
    try:
        fetch_lock(recipe)
        known = _status(recipe, *options)
        # a lock that lies in the repository may be older than what was built from it since
        if known.state == "rebuilt" and fetch_lock(recipe, replace=True):
            known = _status(recipe, *options)
        if known.state == "rebuilt" and publish == "pr":
            see_repository(recipe)
    except HubExpertError as error:
        return failed(error)
    if known.state != "rebuilt":
        return known
    known = _checked(recipe, known)
    if known.state != "rebuilt":
        return known
    # what comes out must not hang on what a cache happens to hold: the Hub is asked again
    ran = stage("run", "--recipe", str(recipe), "--refresh", "--compare", "published", *where, limit=limit)
    if ran.code != 0:
        return _failed(known, ran)
    last = ran.records[-1]
    known = replace(known, verdict=last["verdict"], compared=last.get("compared") or {}, changed=True)
    return known if publish == "none" else _published(recipe, known, create_pr=publish == "pr", force=force)


def failed(error: HubExpertError) -> Outcome:
    """What comes of an error that no command has told."""
    told = f"Error: {error.message}\nFix: {error.fix}"
    return Outcome("failed", trouble=told, remark=told)


def _status(recipe: Path, *options: str) -> Outcome:
    """`fresh`, or as if `rebuilt` with the reasons."""
    found = stage("status", "--recipe", str(recipe), *options)
    if found.code not in (0, STALE):
        return _failed(Outcome("failed"), found)
    return Outcome("rebuilt" if found.code == STALE else "fresh", reasons=tuple(found.records[-1]["reasons"]))


def _checked(recipe: Path, known: Outcome) -> Outcome:
    """The same with what the check of the shots found."""
    found = stage("shots", "check", "--recipe", str(recipe))
    known = replace(known, findings=tuple(each for each in found.records if "code" in each))
    return known if found.code == 0 else _failed(known, found)


def _published(recipe: Path, known: Outcome, *, create_pr: bool, force: bool) -> Outcome:
    """The same with where it was published; the verdict and the comparison forbid it in `publish` itself.

    There `--force` overrules both, and here the verdict alone: nobody has looked at the comparison.
    """
    force = force and known.compared.get("outcome") != "worse"
    options = [*(["--create-pr"] if create_pr else []), *(["--force"] if force else [])]
    sent = stage("publish", "--recipe", str(recipe), *options)
    if sent.code != 0:
        return _failed(replace(known, changed=False), sent)
    last = sent.records[-1]
    known = replace(known, changed=last["changed"])
    if create_pr and "/discussions/" in last["url"]:
        return replace(known, pr_url=last["url"])  # also where one with just this is open already
    return known if not known.changed else replace(known, commit_url=f"{last['url']}/commit/{last['commit']}")


def _failed(known: Outcome, by: Stage) -> Outcome:
    return replace(known, state="failed", trouble=by.told or f"It ended with exit code {by.code}.")
