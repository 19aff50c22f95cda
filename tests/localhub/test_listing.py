"""Listings: computed tags, filters, expansion and pages."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from hubexpert.localhub import LocalHub, Store, Token
from tests.localhub.conftest import Site, write_folder

BASE = "meta-llama/Llama-2-7b-hf"
ADAPTER_CARD = f"""---
base_model: {BASE}
library_name: peft
license: apache-2.0
pipeline_tag: text-generation
language: [en, no]
datasets: [org/facts]
tags: [lora]
---
See https://arxiv.org/abs/2106.09685.
"""
ADAPTER_CONFIG = json.dumps({"peft_type": "LORA", "base_model_name_or_path": BASE, "task_type": "CAUSAL_LM", "r": 8})


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfApi]:
    """A Hub with adapters, a merge, a broken card, a private model and two datasets."""
    store = Store(tmp_path_factory.mktemp("shelf"))

    def add(repo_id: str, files: dict[str, str | bytes], **more: object) -> None:
        folder = write_folder(tmp_path_factory.mktemp("files"), files)
        store.add_folder(repo_id, folder, **more)  # type: ignore[arg-type]

    weights: dict[str, str | bytes] = {"adapter_model.safetensors": b"x", "adapter_config.json": ADAPTER_CONFIG}
    add("ann/good-lora", {"README.md": ADAPTER_CARD, **weights})
    add("ann/bare-lora", {"README.md": "no card", **weights})
    add("ann/broken-card", {"README.md": "---\n{: [\n---\n", **weights})
    add("ben/merged", {"README.md": "---\nbase_model: [a/x, b/y]\nlicense: mit\n---\n", "config.json": "{"})
    add("ben/secret", {"README.md": "---\nlicense: mit\n---\n"}, private=True)
    add(
        "ann/facts",
        {
            "README.md": "---\nlicense: mit\nlanguage: en\ntask_categories: [question-answering]\n"
            "size_categories: n<1K\n---\n",
            "train.jsonl": "{}\n",
        },
        repo_type="dataset",
    )
    add("ben/tables", {"data/t.csv": "a,b\n"}, repo_type="dataset")
    add("ann/broken-card", {"later.txt": "1"})
    with LocalHub(store.root, tokens=[Token("hf_ann", "ann", "read"), Token("hf_ben", "ben", "write")]) as hub:
        HfApi(endpoint=hub.endpoint, token="hf_ben").update_repo_settings("ben/merged", gated="auto")
        for repo_id in ("ann/good-lora", "ann/good-lora", "ann/bare-lora"):
            get_session().get(f"{hub.endpoint}/{repo_id}/resolve/main/adapter_config.json")
        yield HfApi(endpoint=hub.endpoint, token=False)


def ids(api: HfApi, **query: object) -> list[str]:
    return [model.id for model in api.list_models(**query)]  # type: ignore[arg-type]


def test_the_tags_of_an_adapter_are_those_the_hub_computes(shelf: HfApi) -> None:
    tags = shelf.model_info("ann/good-lora").tags or []
    assert set(tags) == {
        *("peft", "safetensors", "lora", "text-generation", "en", "no", "dataset:org/facts", "license:apache-2.0"),
        *(f"base_model:{BASE}", f"base_model:adapter:{BASE}", "arxiv:2106.09685", "region:us"),
    }


def test_the_relation_to_the_base_is_inferred(shelf: HfApi) -> None:
    assert ids(shelf, filter="base_model:merge:a/x") == ["ben/merged"]
    assert ids(shelf, filter="base_model:b/y") == ["ben/merged"]
    bases: object = shelf.model_info("ben/merged", expand=["baseModels"]).base_models
    assert bases == {"relation": "merge", "models": [{"id": "a/x"}, {"id": "b/y"}]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"filter": [f"base_model:adapter:{BASE}", "peft"]}, {"ann/good-lora"}),
        ({"filter": [f"base_model:adapter:{BASE}", "license:mit"]}, set()),
        ({"filter": "peft"}, {"ann/good-lora", "ann/bare-lora", "ann/broken-card"}),
        ({"trained_dataset": "org/facts"}, {"ann/good-lora"}),
        ({"pipeline_tag": "text-generation"}, {"ann/good-lora"}),
        ({"search": "LORA"}, {"ann/good-lora", "ann/bare-lora"}),
        ({"search": "%"}, set()),
        ({"author": "ben"}, {"ben/merged"}),
        ({"gated": True}, {"ben/merged"}),
        ({"gated": False}, {"ann/good-lora", "ann/bare-lora", "ann/broken-card"}),
        ({"gated": True, "author": "ann"}, set()),
    ],
)
def test_filters_are_combined_with_and(shelf: HfApi, query: dict[str, object], found: set[str]) -> None:
    assert set(ids(shelf, **query)) == found


def test_datasets_are_found_by_their_metadata(shelf: HfApi) -> None:
    for query in ({"task_categories": "question-answering"}, {"language": "en"}, {"size_categories": "n<1K"}):
        assert [d.id for d in shelf.list_datasets(**query)] == ["ann/facts"]  # type: ignore[arg-type]
    assert [d.id for d in shelf.list_datasets(filter="format:csv", full=True)] == ["ben/tables"]
    assert [d.id for d in shelf.list_datasets(search="fac", dataset_name="ann")] == ["ann/facts"]


def test_one_listing_carries_all_that_discovery_needs(shelf: HfApi) -> None:
    expand = ["sha", "lastModified", "tags", "downloads", "likes", "gated", "cardData", "siblings", "library_name"]
    expand += ["pipeline_tag", "safetensors", "config", "private", "createdAt", "author"]
    models = {m.id: m for m in shelf.list_models(expand=expand)}  # type: ignore[arg-type]
    bare = models["ann/bare-lora"]
    assert bare.config == {"peft": {"base_model_name_or_path": BASE, "task_type": "CAUSAL_LM"}}
    assert (bare.library_name, bare.author, bare.private, bare.gated, bare.card_data) == (
        *("peft", "ann", False, False),
        None,
    )
    assert bare.sha is not None and len(bare.sha) == 40 and bare.created_at and bare.last_modified
    assert {s.rfilename for s in bare.siblings or []} == {
        *(".gitattributes", "README.md", "adapter_config.json", "adapter_model.safetensors")
    }


def test_a_broken_card_hides_nothing_but_itself(shelf: HfApi) -> None:
    broken = {m.id: m for m in shelf.list_models(cardData=True)}["ann/broken-card"]
    assert broken.card_data is None and "peft" in (broken.tags or [])


@pytest.mark.parametrize("name", ["baseModels", "childrenModelCount", "usedStorage", "nonsense"])
def test_what_the_hub_does_not_expand_in_listings_is_refused(shelf: HfApi, name: str) -> None:
    with pytest.raises(BadRequestError):
        ids(shelf, expand=[name])


def test_filters_this_hub_lacks_are_refused_rather_than_ignored(shelf: HfApi) -> None:
    with pytest.raises(BadRequestError, match="num_parameters"):
        ids(shelf, num_parameters="min:1B")
    assert get_session().get(f"{shelf.endpoint}/api/models", params={"sort": "beauty"}).status_code == 400


@pytest.mark.parametrize("sort", [None, "created_at", "last_modified", "downloads", "likes", "trending_score"])
def test_pages_follow_each_other_without_gaps(shelf: HfApi, sort: str | None) -> None:
    url: str | None = f"{shelf.endpoint}/api/models?limit=1" + (f"&sort={_wire(sort)}" if sort else "")
    seen: list[str] = []
    while url:
        answer = get_session().get(url)
        seen += [item["id"] for item in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert seen == ids(shelf, sort=sort) and len(seen) == len(set(seen)) == 4


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("created_at", ["ben/merged", "ann/broken-card", "ann/bare-lora", "ann/good-lora"]),
        ("last_modified", ["ann/broken-card", "ben/merged", "ann/bare-lora", "ann/good-lora"]),
        ("downloads", ["ann/good-lora", "ann/bare-lora", "ben/merged", "ann/broken-card"]),
    ],
)
def test_the_newest_and_the_most_wanted_come_first(shelf: HfApi, sort: str, order: list[str]) -> None:
    assert ids(shelf, sort=sort) == order


def _wire(sort: str) -> str:
    first, *rest = sort.split("_")
    return first + "".join(word.title() for word in rest)


def test_ascending_order_is_the_reverse(shelf: HfApi) -> None:
    url = f"{shelf.endpoint}/api/models?sort=createdAt&direction="
    up, down = ([m["id"] for m in get_session().get(url + d).json()] for d in ("1", "-1"))
    assert up == down[::-1]


@pytest.mark.parametrize(
    "text",
    ["x", "null", '[1,"a"]', "[99999999999999999999,1]", '["\\ud800",1]', '["2024",1e9]', "[" * 30_000],
    ids=["text", "null", "key", "large", "surrogate", "float", "deep"],
)
def test_a_foreign_cursor_is_refused(shelf: HfApi, text: str) -> None:
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    assert get_session().get(f"{shelf.endpoint}/api/models", params={"cursor": cursor}).status_code == 400


def test_private_models_are_listed_to_their_owners_only(shelf: HfApi) -> None:
    assert "ben/secret" not in ids(shelf)
    assert "ben/secret" not in ids(HfApi(endpoint=shelf.endpoint, token="hf_ann"))
    assert "ben/secret" in ids(HfApi(endpoint=shelf.endpoint, token="hf_ben"))


def test_downloads_are_counted_on_the_file_that_names_the_adapter(site: Site, new_id: Callable[..., str]) -> None:
    repo_id = new_id()
    site.alice.create_repo(repo_id)
    site.alice.upload_file(path_or_fileobj=b"{}", path_in_repo="adapter_config.json", repo_id=repo_id)
    for name in ("adapter_config.json", "adapter_config.json", ".gitattributes"):
        get_session().get(f"{site.endpoint}/{repo_id}/resolve/main/{name}")
    assert site.nobody.model_info(repo_id).downloads == 2
    assert next(iter(site.nobody.list_models(sort="downloads", limit=1))).id == repo_id


def test_children_are_counted(site: Site, new_id: Callable[..., str], tmp_path: Path) -> None:
    base, child = new_id(), new_id()
    for repo_id, card in ((base, ""), (child, f"---\nbase_model: {base}\n---\n")):
        site.store.add_folder(repo_id, write_folder(tmp_path / repo_id, {"README.md": card or "base"}))
    counts: object = site.nobody.model_info(base, expand=["childrenModelCount"]).children_model_count
    assert counts == {"adapter": 0, "finetune": 1, "quantized": 0, "merge": 0}


def test_an_unknown_type_of_repository_is_not_served(site: Site) -> None:
    with pytest.raises(HfHubHTTPError, match="no spaces"):
        list(site.nobody.list_spaces())
