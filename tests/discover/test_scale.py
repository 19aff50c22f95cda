"""Discovery among many repositories: what it asks the Hub for, and that nothing is lost or told twice.

The same makers and the same counting as `benchmarks/discovery.py`, at a size of seconds.
"""

from collections.abc import Iterator

import pytest
from benchmarks.hubscale.pool import BASE
from benchmarks.hubscale.runs import discover, run_killed
from benchmarks.hubscale.sizes import (
    CHANGED,
    DELETED,
    Scene,
    after_changes,
    changes,
    first_and_second,
    needed_pages,
    planted,
    same,
    scene,
    tags_asked,
)

LIMIT = 60


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """500 adapters of a base among 1,800 repositories: the listing of `peft` takes two pages."""
    with scene(tmp_path_factory.mktemp("scale"), adapters=500, repos=1800, limit=LIMIT) as made:
        yield made


def test_every_adapter_is_told_once_in_few_requests_and_a_changed_hub_costs_only_its_changes(hub: Scene) -> None:
    cold, warm = hub.discover("home"), hub.discover("home")
    tags = tags_asked(cold)
    assert tags["peft"] == 2
    failed = [check for check in first_and_second(hub, cold, warm, len(tags) / cold.of_adapters) if not check.holds]
    assert not failed
    assert warm.counts["listing"] == warm.requests == len(tags)

    pool, new, deleted = changes(hub, cold)
    later = hub.discover("home")
    assert not [check for check in after_changes(hub, pool, new, later) if not check.holds]
    assert (len(new), len(deleted)) == (CHANGED, DELETED)
    anew = hub.discover("home", "--refresh")
    assert planted(anew, pool).holds
    assert anew.counts["listing"] == needed_pages(hub, tags)


def test_a_run_killed_while_it_reads_the_listings_is_finished_by_the_next_one(hub: Scene) -> None:
    command = discover(BASE, "--limit", str(LIMIT))
    asked = run_killed(command, hub.proxy, hub.homes / "killed", after=4)
    whole, resumed = hub.discover("other"), hub.discover("killed")
    pages = sum(request.kind == "listing" for request in asked) + resumed.counts["listing"]
    assert pages <= whole.counts["listing"] + len(tags_asked(whole))  # each listing loses the page in hand at most
    assert same("resumed", whole, resumed).holds
