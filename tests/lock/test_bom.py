"""The lock as a CycloneDX ML-BOM, by the library's own strict validator."""

import json
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hubexpert.bom import cyclonedx
from hubexpert.lock import Lock, digest_of
from hubexpert.records import Source
from tests.lock.test_canonical import WHOLE
from tests.locks import CHOSEN, FILES, a_kard, a_lock, a_recipe, source

HUB = "https://huggingface.co"


def public() -> Lock:
    """The lock of a run against the public Hub."""
    return WHOLE.model_copy(update={"discovery": WHOLE.discovery.model_copy(update={"endpoint": HUB})})


def bom(lock: Lock) -> dict[str, Any]:
    """The bill of materials, which keeps to the schema."""
    text = cyclonedx(lock)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    made: dict[str, Any] = json.loads(text)
    return made


def of(made: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """The components of that role."""
    return [each for each in made["components"] if each["bom-ref"].startswith(f"{role}:")]


def facts(component: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in component["properties"]}


def test_the_mixture_is_the_root_with_its_files_and_what_was_measured() -> None:
    root = bom(WHOLE)["metadata"]["component"]
    assert (root["type"], root["name"]) == ("machine-learning-model", "tester/science-expert")
    told = {file["name"]: file["hashes"] for file in root["components"]}
    assert told == {name: [{"alg": "SHA-256", "content": WHOLE.build.files[name]}] for name in FILES}
    said = facts(root)
    assert (said["hubexpert:verdict"], said["hubexpert:metric"]) == ("ship", "exact_match")
    assert said["hubexpert:score:routed"] == "0.6000"
    assert said["hubexpert:digest:data"] == "ef" * 32
    assert {each["name"] for each in root["pedigree"]["ancestors"]} == set(CHOSEN)


def test_models_are_named_by_package_urls_at_their_commits() -> None:
    made = bom(public())
    (base,), experts = of(made, "base"), of(made, "expert")
    assert base["purl"] == f"pkg:huggingface/acme/base-135m@{WHOLE.base.revision}"
    assert {each["type"] for each in (base, *experts)} == {"machine-learning-model"}
    assert {each["name"] for each in experts} == set(CHOSEN)
    assert base["externalReferences"] == [
        {"type": "distribution", "url": f"{HUB}/acme/base-135m/tree/{WHOLE.base.revision}"}
    ]


def test_another_hub_is_named() -> None:
    (base,) = of(bom(WHOLE), "base")
    assert base["purl"].endswith("?repository_url=https://hub.example")


def test_datasets_are_data_at_their_commits_and_files_of_ones_own_are_told_by_name() -> None:
    made = {each["name"]: each for each in of(bom(public()), "dataset")}
    rows = made["open/rows"]
    assert (rows["type"], rows["version"]) == ("data", source("open/rows").revision)
    assert rows["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert rows["externalReferences"][0]["url"].startswith(f"{HUB}/datasets/open/rows/tree/")
    assert {"rows.jsonl", "facts.txt"} <= set(made) and "open/unused" not in made
    assert "purl" not in made["rows.jsonl"] and "externalReferences" not in made["rows.jsonl"]


def test_everything_hangs_together() -> None:
    """The root on all parts, every expert on the base; packages by their package URLs."""
    made = bom(WHOLE)
    refs = {each["bom-ref"] for each in made["components"]}
    needs = {each["ref"]: set(each.get("dependsOn", ())) for each in made["dependencies"]}
    assert needs["mixture"] == refs
    (base,) = of(made, "base")
    assert all(needs[each["bom-ref"]] == {base["bom-ref"]} for each in of(made, "expert"))
    assert {each["purl"] for each in of(made, "package")} == {
        f"pkg:pypi/{name}@{version}" for name, version in WHOLE.build.packages.items()
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("apache-2.0", [{"license": {"id": "Apache-2.0"}}]),
        ("gpl-3.0", [{"license": {"id": "GPL-3.0"}}]),
        ("llama3.2", [{"license": {"name": "llama3.2"}}]),
        ("my\u202elicence\n", [{"license": {"name": "my\ufffdlicence"}}]),
        (None, None),
    ],
)
def test_a_licence_has_its_spdx_id_where_there_is_one(given: str | None, told: Any) -> None:
    (base,) = of(bom(a_lock(base=source("acme/base-135m", given))), "base")
    assert base.get("licenses") == told


def test_the_whole_has_the_licence_of_the_card() -> None:
    """Drawn from the parts, `other` where they conflict, or the one that the publisher answers for."""
    given = bom(a_lock(base=source("acme/base-135m", "llama3.2")))
    conflicting = bom(a_lock(base=source("acme/base-135m", "cc-by-nd-4.0")))
    chosen = bom(a_lock().model_copy(update={"recipe": a_recipe(publish={"license": "mit"})}))
    told = [made["metadata"]["component"]["licenses"] for made in (given, conflicting, chosen)]
    assert told == [[{"license": each}] for each in ({"name": "llama3.2"}, {"name": "other"}, {"id": "MIT"})]


def test_equal_locks_give_equal_bills_without_a_time_in_any_process() -> None:
    """The serial number is the lock's: another lock has another."""
    first = cyclonedx(WHOLE)
    script = "import sys; from hubexpert.bom import cyclonedx; from tests.lock.test_canonical import WHOLE; "
    done = subprocess.run(
        [sys.executable, "-c", f"{script}sys.stdout.buffer.write(cyclonedx(WHOLE).encode())"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == first
    assert "timestamp" not in first
    made = json.loads(first)
    assert facts(made["metadata"]["component"])["hubexpert:lock"] == digest_of(WHOLE)
    assert made["serialNumber"] != json.loads(cyclonedx(a_lock()))["serialNumber"]


@pytest.mark.parametrize(
    "name",
    ["evil\x1b[2J/x", "a\u202eb/<script>", "../../etc/passwd", "a b/c?d#e", "/home/alice/base", "x" * 500, "ß/é"],
)
def test_names_of_strangers_stay_names(name: str) -> None:
    """Still a valid bill: no control characters, no link where there is no repository id."""
    lock = a_lock(base=source(name, name), pool=tuple(source(f"{name}{i}", None) for i in range(4)))
    made = bom(lock.model_copy(update={"kard": a_kard(source(f"{name}-data", None, repo_type="dataset"))}))
    for part in (*of(made, "base"), *of(made, "expert")):
        assert not {"purl", "externalReferences"} & set(part)
    assert not any(ord(letter) < 32 or letter == "\u202e" for letter in json.dumps(made, ensure_ascii=False))


def test_two_files_of_the_same_name_and_contents_are_two() -> None:
    contents = "0" * 40
    twins = (Source(repo=f"./{folder}/rows.txt", revision=contents, repo_type="dataset") for folder in "ab")
    lock = a_lock().model_copy(update={"kard": a_kard(*twins)})
    assert len({each["bom-ref"] for each in of(bom(lock), "dataset")}) == 3
    assert cyclonedx(lock) == cyclonedx(lock)
