"""What is wrong with a card: the checks behind `/api/validate-yaml`."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from hubexpert.frontmatter import CardError, card_data
from hubexpert.localhub.cards import strings
from hubexpert.localhub.names import is_repo_id
from hubexpert.localhub.records import RepoType
from hubexpert.localhub.tags import RELATIONS

_LISTS_OF_STRINGS = ("tags", "datasets", "metrics", "task_categories", "task_ids", "source_datasets", "size_categories")
_STRINGS = ("library_name", "pipeline_tag", "license_name", "license_link", "pretty_name", "base_model_relation")
# As in the Hub's documentation.
_LICENSES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
    cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl
    gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr
    mpl-2.0 odc-by odbl openmdw-1.0 openmdw-1.1 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl
    lgpl-lr deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    grok2-community gemma unknown other
    """.split()  # noqa: SIM905 - a table of words
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})*|code|multilingual")


def validate(readme: str, repo_type: RepoType) -> tuple[list[str], list[str]]:
    """What is wrong with a card (errors, at most one a key), and what is doubtful (warnings)."""
    try:
        data = card_data(readme)
    except CardError as error:
        return [f"Invalid YAML metadata: {error}"], []
    if not data:
        return [], ["empty or missing yaml metadata in repo card"]
    checks = [_license_errors, _language_errors, _index_errors]
    if repo_type == "model":
        checks += [_base_model_errors, _relation_errors]
    # A card may hold any number of bad values: the first one is enough.
    return [*_type_errors(data), *(error for check in checks for error in islice(check(data), 1))], []


def _type_errors(data: Mapping[str, Any]) -> Iterator[str]:
    for key in _LISTS_OF_STRINGS:
        value = data.get(key)
        items = value if isinstance(value, list) else [] if value is None else None
        single = isinstance(value, str) and key != "tags"
        if not single and (items is None or not all(isinstance(item, str) for item in items)):
            yield f'"{key}" must be an array of strings'
    for key in _STRINGS:
        if data.get(key) is not None and not isinstance(data[key], str):
            yield f'"{key}" must be a string'


def _license_errors(data: Mapping[str, Any]) -> Iterator[str]:
    value = data.get("license")
    if value is None:
        return
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str) or item not in _LICENSES:
            yield f'"license" must be one of [{", ".join(sorted(_LICENSES))}]; got {item!r:.100}'


def _language_errors(data: Mapping[str, Any]) -> Iterator[str]:
    for item in strings(data.get("language")):
        if not _LANGUAGE.fullmatch(item):
            yield f'"language" must only contain ISO 639 codes, "code" or "multilingual"; got {item!r:.100}'


def _base_model_errors(data: Mapping[str, Any]) -> Iterator[str]:
    value = data.get("base_model")
    for item in [] if value is None else value if isinstance(value, list) else [value]:
        # Models of old have no namespace ("gpt2").
        if not isinstance(item, str) or not (is_repo_id(item) or is_repo_id(f"x/{item}")):
            yield f'"base_model" must be the id of a model; got {item!r:.100}'


def _relation_errors(data: Mapping[str, Any]) -> Iterator[str]:
    relation = data.get("base_model_relation")
    if isinstance(relation, str) and relation not in RELATIONS:
        yield f'"base_model_relation" must be one of [{", ".join(RELATIONS)}]; got {relation!r:.100}'


def _index_errors(data: Mapping[str, Any]) -> Iterator[str]:
    index = data.get("model-index")
    if index is None:
        return
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for position, model in enumerate(index):
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield f'"model-index[{position}].name" is required'
        elif not isinstance(model.get("results"), list):
            yield f'"model-index[{position}].results" must be an array'
        else:
            yield from _result_errors(f"model-index[{position}]", model["results"])


def _result_errors(where: str, results: list[Any]) -> Iterator[str]:
    for position, result in enumerate(results):
        for key, kind in (("task", dict), ("dataset", dict), ("metrics", list)):
            if key == "dataset" and isinstance(result, dict) and "dataset" not in result:
                continue
            if not isinstance(result, dict) or not isinstance(result.get(key), kind):
                yield f'"{where}.results[{position}].{key}" is required'
