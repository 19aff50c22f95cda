"""A run that happens in a Hub Job: sent, started or found again, followed, its result fetched."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.jobs.barriers import keys
from hubexpert.jobs.command import IMAGE, IN, KEY, OPTIONS, OUT, REPO, SECONDS, command
from hubexpert.jobs.outcome import OUTCOME, fetch, outcome
from hubexpert.jobs.parcel import MANIFEST, Parcel, pack
from hubexpert.lock import DEFAULT_LOCK, Lock
from hubexpert.records import Record
from hubexpert.workspace import WORKSPACE, Workspace

STORE = "hubexpert-jobs"  # the dataset repository, of the namespace that pays
STEP = "job"  # of the workspace

Tell = Callable[[str], None]


class Started(Record):
    """Which job was started last for this project."""

    id: str
    namespace: str


@dataclass(frozen=True)
class Machine:
    """Where a job runs.

    Attributes:
        flavor: of the machine.
        seconds: after which the job is ended.
        namespace: who pays; None for the user of the token.
        options: of `hubexpert run` there.
    """

    flavor: str
    seconds: int
    namespace: str | None = None
    options: tuple[str, ...] = ()


def run_elsewhere(recipe_path: Path, machine: Machine, *, again: bool, tell: Tell) -> Lock:
    """The lock of a run in a Hub Job, its results here as if it had run here.

    A job of the same inputs that still runs is followed instead of starting one, and where one has ended well its
    result is taken.

    Args:
        recipe_path: the recipe.
        machine: where to run.
        again: run although there is a result.
        tell: shows a line: what is happening, and the job's log.

    Raises:
        HubExpertError: something cannot travel, the Hub refuses, the job failed, or its result cannot be used.
    """
    token = hub.require_token("Running on the Hub")
    namespace = machine.namespace or hub.own_namespace()
    repo, workspace = f"{namespace}/{STORE}", Workspace(recipe_path.parent / WORKSPACE)
    with tempfile.TemporaryDirectory() as folder:
        parcel = pack(recipe_path, Path(folder))
        with workspace.locked():
            job = hub.live_job(namespace, parcel.key)
            kept = None if again or job else _result(repo, parcel.key)
            news = "The job {} of the same inputs has not ended: following it, {}."
            if job is None and kept is None:
                _refuse_second(workspace)
                job, news = _start(parcel, repo, namespace, machine, token, tell), "Started the job {}: {}."
            if job:
                workspace.write(STEP, parcel.key, Started(id=job.id, namespace=namespace))
    if job:
        _follow(job, news.format(job.id, job.url), (token, *keys(parcel.recipe.data.teacher).values()), tell)
        kept = _result(repo, parcel.key)
    if kept is None:
        raise HubExpertError("The job ended well and left no result.", fix="look at its log, then run it again")
    tell(f"Fetching the result from {repo}.")
    with workspace.locked():
        return fetch(kept, outcome(kept), workspace, recipe_path.parent / DEFAULT_LOCK)


def cancel(recipe_path: Path) -> str | None:
    """Cancel the job that was started last for this recipe; its address, or None where none runs.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    job = _last(Workspace(recipe_path.parent / WORKSPACE))
    if job is None:
        return None
    hub.cancel_job(job.namespace, job.id)
    return job.url


def _last(workspace: Workspace) -> hub.Job | None:
    """The job that was started last, while it has not ended."""
    started = workspace.stored(STEP, Started)
    if started is None:
        return None
    try:
        job = hub.look_job(started.namespace, started.id)
    except hub.SourceError as error:
        if error.kind != "missing":
            raise
        return None
    return job if job.live else None


def _refuse_second(workspace: Workspace) -> None:
    """See that no job runs for this recipe as it was before: it would be paid for and its result not fetched."""
    if job := _last(workspace):
        raise HubExpertError(
            f"The job {job.id} of this recipe as it was before has not ended ({job.url}).",
            fix="hubexpert run --on hf-jobs --cancel  ends it; or keep the recipes in folders of their own",
        )


def _result(repo: str, key: str) -> hub.Kept | None:
    """What a job of these inputs left that ended well."""
    kept = hub.kept_folder(repo, f"{key}/{OUT}")
    return kept if kept and OUTCOME in kept.sizes and outcome(kept).code == 0 else None


def _start(parcel: Parcel, repo: str, namespace: str, machine: Machine, token: str, tell: Tell) -> hub.Job:
    """Say what it may cost, send what is not there yet, start."""
    price, hours = hub.hourly_price(machine.flavor), machine.seconds / 3600
    told = (
        "a price that the Hub does not tell" if price is None else f"${price:.2f} an hour, ${price * hours:.2f} at most"
    )
    tell(f"A job of {namespace} on {machine.flavor}, for at most {hours:.2g} h: {told}.")
    sent = hub.kept_folder(repo, f"{parcel.key}/{IN}")
    if sent is None or MANIFEST not in sent.sizes:
        hub.keep_folder(repo, f"{parcel.key}/{IN}", parcel.folder, message=f"The recipe and examples of {parcel.key}")
    return hub.start_job(
        namespace,
        parcel.key,
        image=IMAGE,
        command=command(parcel.recipe, repo, f"{parcel.key}/{IN}/{parcel.wheel}" if parcel.wheel else None),
        env={
            "HF_ENDPOINT": hub.endpoint(),
            REPO: repo,
            KEY: parcel.key,
            SECONDS: str(machine.seconds),
            OPTIONS: " ".join(machine.options),
        },
        secrets={"HF_TOKEN": token, **keys(parcel.recipe.data.teacher)},
        flavor=machine.flavor,
        seconds=machine.seconds,
    )


def _follow(job: hub.Job, news: str, secrets: tuple[str, ...], tell: Tell) -> None:
    """Tell what became of it so far, then its log, without the secrets, until it ends.

    Raises:
        HubExpertError: it failed, was cancelled or is gone, or it is not followed any longer and goes on.
    """
    try:
        tell(news)
        if job.stage in hub.WAITING:
            tell("It waits for a machine.")
            hub.job_after(job.namespace, job.id, hub.WAITING)
        for line in hub.log_lines(job.namespace, job.id, secrets):
            tell(line)
        ended = hub.job_after(job.namespace, job.id, hub.LIVE)
    except KeyboardInterrupt:
        raise _left(job, "") from None
    except HubExpertError as error:
        if isinstance(error, hub.SourceError) and error.kind == "missing":
            raise
        raise _left(job, f" ({error.message.rstrip('.')})") from error
    if ended.stage == "CANCELED":
        raise HubExpertError(f"The job {job.id} was cancelled.", fix="the same command goes on where it stopped")
    if ended.stage != "COMPLETED":
        why = f": {ended.message.rstrip('.')}" if ended.message else ""
        raise HubExpertError(
            f"The job {job.id} failed{why}.",
            fix=f"mend what its log says ({job.url}); the same command goes on where it stopped",
        )


def _left(job: hub.Job, why: str) -> HubExpertError:
    return HubExpertError(
        f"The job {job.id} is not followed any longer{why}; it goes on.",
        fix="the same command follows it again; hubexpert run --on hf-jobs --cancel ends it",
    )
