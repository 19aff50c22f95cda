"""Jobs of the Hub: started, found again by a label, followed, cancelled."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import HfApi, JobInfo
from huggingface_hub.errors import HfHubHTTPError

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean, lines
from hubexpert.hub.calls import (
    ATTEMPTS,
    CLIENT_ERRORS,
    FIRST_WAIT,
    SourceError,
    call,
    cause_of,
    may_pass,
    pause,
    translated,
)

LABEL = "hubexpert"  # whose value tells the jobs of one project from others
WAITING = ("SCHEDULING",)
LIVE = (*WAITING, "RUNNING")
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0}
POLL = 2.0  # seconds
LINE = 2000  # characters shown of a line of a log


@dataclass(frozen=True)
class Job:
    """A job as the Hub tells it; `stage` is one of `LIVE`, or `COMPLETED`, `CANCELED`, `ERROR`, `DELETED`."""

    id: str
    namespace: str
    stage: str
    message: str
    url: str

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.stage in LIVE


def start_job(
    namespace: str,
    label: str,
    *,
    image: str,
    command: Sequence[str],
    env: Mapping[str, str],
    secrets: Mapping[str, str],
    flavor: str,
    seconds: int,
) -> Job:
    """A new job. It is asked for once: where the answer is lost, `live_job` tells whether it was started.

    Args:
        namespace: whose job it is, and who pays.
        label: by which it is found again.
        image: the Docker image.
        command: what runs in it.
        env: variables, which everyone who may see the job sees.
        secrets: variables which nobody sees.
        flavor: of the machine.
        seconds: after which it is ended.

    Raises:
        HubExpertError: the Hub refuses or cannot be reached.
    """
    try:
        made = HfApi().run_job(
            image=image,
            command=list(command),
            env=dict(env),
            secrets=dict(secrets),
            flavor=flavor,
            timeout=seconds,
            labels={LABEL: label, "name": f"hubexpert-{label}"},
            namespace=namespace,
        )
    except CLIENT_ERRORS as error:
        cause = cause_of(error)
        if may_pass(cause) and (found := live_job(namespace, label)):
            return found
        raise _refused(cause, namespace) from error
    return _job(made, namespace)


def live_job(namespace: str, label: str) -> Job | None:
    """The job with that label which waits or runs; None where there is none.

    Raises:
        HubExpertError: the Hub cannot be reached, or runs no jobs for this token.
    """
    try:
        found = call(
            lambda: list(HfApi().list_jobs(status=list(LIVE), labels={LABEL: label}, namespace=namespace)), namespace
        )
    except HubExpertError as error:
        raise _refused(cause_of(error.__cause__ or error), namespace) from error
    jobs = [_job(each, namespace) for each in found]
    return next((job for job in jobs if job.live), None)


def look_job(namespace: str, job_id: str) -> Job:
    """The job as it stands now.

    Raises:
        SourceError: it is gone (`missing`).
        HubExpertError: the Hub cannot be reached.
    """
    if not JOB_ID.fullmatch(job_id):
        raise HubExpertError("The id of a job is malformed.", fix="hubexpert run --on hf-jobs")
    try:
        told = call(lambda: HfApi().inspect_job(job_id=job_id, namespace=namespace), f"job {job_id}")
    except HubExpertError as error:
        raise _untold(cause_of(error.__cause__ or error), job_id) from error
    return _job(told, namespace)


def job_after(namespace: str, job_id: str, stages: Sequence[str]) -> Job:
    """The job once it is in none of these stages any more; asks until then.

    Raises:
        HubExpertError: it is gone, or the Hub cannot be reached.
    """
    while (job := look_job(namespace, job_id)).stage in stages:
        time.sleep(POLL)
    return job


def cancel_job(namespace: str, job_id: str) -> None:
    """End the job.

    Raises:
        HubExpertError: it is gone, or the Hub cannot be reached.
    """
    call(lambda: HfApi().cancel_job(job_id=job_id, namespace=namespace), f"job {job_id}")


def log_lines(namespace: str, job_id: str, secrets: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the job's log as they come, from the first, each once, until it ends; control characters replaced.

    A connection that is lost is made again; what was yielded before is passed over.

    Args:
        namespace: whose job it is.
        job_id: which.
        secrets: what is taken out of the lines, before they are cut.

    Raises:
        SourceError: the job is gone (`missing`).
        HubExpertError: it cannot be made again.
    """
    told = failed = 0
    while True:
        try:
            for number, line in enumerate(HfApi().fetch_job_logs(job_id=job_id, namespace=namespace, follow=True)):
                if number >= told:
                    told, failed = number + 1, 0
                    last = line.rstrip().rpartition("\r")[2]  # state of a bar that redraws itself
                    for secret in secrets:
                        last = last.replace(secret, "***")
                    yield lines(last)[:LINE]
        except CLIENT_ERRORS as error:
            cause, failed = cause_of(error), failed + 1
            if not may_pass(cause) or failed == ATTEMPTS:
                raise _untold(cause, job_id) from error
            pause(FIRST_WAIT * 2**failed)
        else:
            return


def hourly_price(flavor: str) -> float | None:
    """Dollars an hour of a machine; None where the Hub does not tell prices.

    Raises:
        HubExpertError: there is no such flavor.
    """
    try:
        known = {machine.name: machine for machine in call(HfApi().list_jobs_hardware, "its machines")}
    except HubExpertError as error:
        if isinstance(error.__cause__, HfHubHTTPError) and error.__cause__.response.status_code == 404:
            return None
        raise
    if flavor not in known:
        names = ", ".join(clean(name, longest=40) for name in known)
        raise HubExpertError(f"The Hub has no flavor {flavor!r}.", fix=f"name one of them with --flavor: {names}")
    return priced(known[flavor].unit_cost_usd, known[flavor].unit_label)


def priced(cost: float, unit: str) -> float | None:
    """Dollars an hour of what costs so much per `unit` of time; None where the unit is not known."""
    return cost / HOURS[unit] if unit in HOURS else None


def own_namespace() -> str:
    """The user that the token belongs to.

    Raises:
        HubExpertError: the Hub does not accept the token, or cannot be reached.
    """
    return str(call(HfApi().whoami, "the token")["name"])


def _job(told: JobInfo, namespace: str) -> Job:
    message = clean(told.status.message or "")
    return Job(told.id, namespace, str(getattr(told.status.stage, "value", told.status.stage)), message, told.url)


def _untold(error: BaseException, job_id: str) -> HubExpertError:
    """Why the Hub tells nothing of the job."""
    if isinstance(error, HfHubHTTPError) and error.response.status_code == 404:
        return SourceError(f"The job {job_id} is gone.", fix="the same command starts another", kind="missing")
    return translated(error, f"job {job_id}")


def _refused(error: BaseException, namespace: str) -> HubExpertError:
    """The client's error as one sentence and a fix; where a right is lacking, which."""
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (402, 403):
        why = clean(error.server_message or "no reason given", longest=200).rstrip(".")
        return HubExpertError(
            f"The Hub runs no job for {namespace}: {why}.",
            fix="use a token that may run jobs (`job.write`), of an account or --namespace ORG with credit or a plan",
        )
    return translated(error, f"jobs of {namespace}")
