"""A Ray cluster: the one `RAY_ADDRESS` names, or one that is started on this machine."""

import logging
import os
from typing import Any

from hubexpert.errors import HubExpertError, first_line

RETRIES = 3  # of a work whose worker died
TOLD = ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_XET")  # to workers; never a token


def connected() -> Any:
    """Ray, connected to its cluster.

    Raises:
        HubExpertError: Ray is not installed, or its cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise HubExpertError("Ray is not installed.", fix="pip install 'hubexpert[ray]'") from error
    if not ray.is_initialized():
        settings = {"env_vars": {name: os.environ[name] for name in TOLD if name in os.environ}}
        try:
            ray.init(runtime_env=settings, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise HubExpertError(
                f"The Ray cluster cannot be reached: {first_line(error)}",
                fix="correct RAY_ADDRESS, or unset it to start a cluster on this machine",
            ) from error
    return ray


def size(ray: Any, workers: int | None) -> tuple[int, int]:
    """How many workers there shall be, by default one a GPU, or one a CPU where there are none; and how many GPUs."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    return workers or gpus or int(ray.cluster_resources().get("CPU", 1)), gpus


def result(ray: Any, done: Any) -> Any:
    """What a worker's call returned.

    Raises:
        HubExpertError: the worker raised it, or workers died at this call again and again.
    """
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, HubExpertError):
            raise error.cause from None
        raise
    except ray.exceptions.RayActorError as error:
        raise HubExpertError(
            f"Workers of the cluster died {RETRIES + 1} times at the same work: {first_line(error)}",
            fix="give each worker more memory, or run without `--engine ray`; what is finished is kept",
        ) from error
