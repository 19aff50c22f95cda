"""The JSON Schema in the documentation is that of the records, and locks keep to it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hubexpert.lock import LOCK_VERSION, Lock, read_lock, render_lock, schema_text
from tests.commands import run
from tests.lock.test_canonical import WHOLE
from tests.locks import a_lock

WRITTEN = Path(__file__).parents[2] / "docs" / "lock.schema.json"
FIRST = Path(__file__).parents[1] / "data" / "lock-v1.lock"


def faults(text: str) -> list[str]:
    """What a validator that knows nothing of us says of a lock's text."""
    validator = Draft202012Validator(json.loads(WRITTEN.read_text()))
    return [error.json_path for error in validator.iter_errors(json.loads(text))]


def test_the_documented_schema_is_the_one_that_is_printed(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Written anew by `hubexpert lock --format schema --output docs/lock.schema.json`."""
    assert run("lock", "--format", "schema") == 0
    assert capfdbinary.readouterr().out == WRITTEN.read_bytes() == schema_text().encode()


def test_the_schema_is_one_and_has_a_version() -> None:
    schema = json.loads(WRITTEN.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:hubexpert:lock:{LOCK_VERSION}"
    assert schema["properties"]["version"]["const"] == LOCK_VERSION
    assert schema["$defs"]["ExpertRecord"]["properties"]["share"]["description"].startswith("mean routing share")


@pytest.mark.parametrize("lock", [a_lock(), WHOLE, read_lock(FIRST)], ids=["bare", "whole", "raised"])
def test_locks_keep_to_it(lock: Lock) -> None:
    assert faults(render_lock(lock)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"version": 1}, "$.version"),
        ({"base": {}}, "$.base"),
        ({"more": 1}, "$"),
        ({"digests": {"shots": 3}}, "$.digests.shots"),
    ],
)
def test_what_is_no_lock_does_not(change: dict[str, Any], where: str) -> None:
    found = faults(json.dumps({**json.loads(render_lock(WHOLE)), **change}))
    assert found and set(found) == {where}


def test_version_1_is_another_form() -> None:
    assert "$.version" in faults(FIRST.read_text())
