"""The card's metadata: what the Hub reads in order to list, filter and relate the repository."""

from huggingface_hub import EvalResult, ModelCardData

from hubexpert.escape import REPO_ID, clean
from hubexpert.lock import Lock, taken
from hubexpert.recipe import is_folder, parse_recipe
from hubexpert.records import SystemScore

TAGS = ("hubexpert", "mixture-of-lora-experts", "lora")


def metadata(lock: Lock, *, repo: str | None, license_id: str, license_name: str) -> ModelCardData:
    """The metadata of the lock's mixture.

    Args:
        lock: what was made and measured.
        repo: where it is published, if that is known.
        license_id: the rolled-up licence.
        license_name: goes with the licence `other`.
    """
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    task = clean(recipe.task.name, longest=96)
    base = None if is_folder(lock.base.repo) else lock.base.repo
    tags = [*TAGS, *([f"base_model:adapter:{base}"] if base else [])]
    measured = [s for s in lock.report.systems if s.name in ("static", "routed")]
    data = ModelCardData(
        base_model=base,
        datasets=_datasets(lock) or None,
        eval_results=[_result(system, task) for system in measured] or None,
        language=list(recipe.task.languages or recipe.data.languages) or None,
        library_name="peft",
        license=license_id,
        license_name=license_name if license_id == "other" else None,
        model_name=repo.rsplit("/", 1)[-1] if repo else task,
        pipeline_tag="text-generation",
        tags=tags,
    )
    if base:
        data["base_model_relation"] = "adapter"
    return data


def _datasets(lock: Lock) -> list[str]:
    """The datasets that were trained on, and those that the experts' cards cite and that exist."""
    experts = {expert.source.repo for expert in lock.build.experts}
    cited = (d.source for d in lock.discovery.datasets if d.source and experts & set(d.cited_by))
    return sorted({source.repo for source in (*cited, *taken(lock)) if REPO_ID.fullmatch(source.repo)})


def _result(system: SystemScore, task: str) -> EvalResult:
    return EvalResult(
        task_type="text-generation",
        dataset_type="custom",
        dataset_name=task,
        metric_type=clean(system.metric, longest=96),
        metric_name=f"{clean(system.metric, longest=96)} ({system.name})",
        metric_value=round(system.value, 4),
    )
