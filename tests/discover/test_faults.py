"""Discovery while the Hub misbehaves: a real client, in its own process, behind a real faulty proxy."""

import json
from pathlib import Path
from typing import Any

from hubexpert.localhub import Store
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import adapter

DISCOVER = """
import sys
from hubexpert.discover import discover
from hubexpert.recipe import DiscoverSection
print(discover({base!r}, DiscoverSection({section})).model_dump_json())
"""


def verdicts(output: str) -> dict[str, str]:
    return {c["source"]["repo"]: c["verdict"] for c in json.loads(output)["candidates"]}


def test_what_the_scans_and_sizes_say_counts_and_a_repository_that_keeps_failing_is_refused(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    for name in ("large", "unsafe", "failing", "good"):
        store.add_folder(f"facts/{name}", adapter(tmp_path / name, "facts/base"))

    def enlarge(info: Any) -> Any:
        for file in info["siblings"]:
            file["size"] = 3 * 1024**3
        return info

    def condemn(info: Any) -> Any:
        issues = [{"path": "training_args.bin", "level": "unsafe"}, "nonsense"]
        return info | {"securityRepoStatus": {"scansDone": True, "filesWithIssues": issues}}

    def plan(method: str, path: str, before: int) -> Fault | None:
        if path.startswith("/api/models/facts/large?"):
            return Fault(change=enlarge)
        if path.startswith("/api/models/facts/unsafe?"):
            return Fault(change=condemn)
        return Fault(500) if path.startswith("/facts/failing/") else None

    with faulty_hub(endpoint, plan) as (address, _):
        done = client(DISCOVER.format(base="facts/base", section="include=('facts/large', 'facts/unsafe')"), address)
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == {
        "facts/large": "too-large",
        "facts/unsafe": "unsafe-scan",
        "facts/failing": "unreadable",
        "facts/good": "accepted",
    }


def test_a_hub_that_goes_away_midway_ends_the_run_with_one_sentence(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    for name in "ab":
        store.add_folder(f"away/{name}", adapter(tmp_path / name, "away/base"))

    def plan(method: str, path: str, before: int) -> Fault | None:
        return Fault(reset="before") if path.startswith("/away/") else None

    with faulty_hub(endpoint, plan) as (address, seen):
        done = client(DISCOVER.format(base="away/base", section=""), address)
        tries = [count for (_, path), count in seen.items() if path.startswith("/away/")]
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert max(tries) == 5


def test_an_adapter_costs_two_requests_and_a_refused_listing_none(store: Store, endpoint: str, tmp_path: Path) -> None:
    store.add_folder("cost/good", adapter(tmp_path / "g", "cost/base"))
    store.add_folder("cost/bad", adapter(tmp_path / "b", "cost/base", text="---\nbase_model: cost/base\n---\n"))
    with faulty_hub(endpoint) as (address, seen):
        done = client(DISCOVER.format(base="cost/base", section=""), address)
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == {"cost/good": "accepted"}
    own = sum(count for (_, path), count in seen.items() if "/cost/good" in path)
    assert own == 2, seen  # configuration, header
    assert not [path for (_, path) in seen if "/cost/bad" in path]
