"""Reading the Hub's listings: page by page, through every kind of fault, and later only what changed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from hubexpert.discover.snapshot import Snapshot, _prepare
from hubexpert.hub import Pace
from hubexpert.localhub import Store
from hubexpert.records import Source
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import CONFIG, WEIGHTS, adapter, card, listing

SCRIPT = """
import json
from hubexpert.discover import discover
from hubexpert.recipe import DiscoverSection
refused = []
found = discover({base!r}, DiscoverSection({section}), each=refused.append, quiet={quiet}, {options})
print(json.dumps([c.model_dump(mode="json") for c in (*found.candidates, *refused)]))
"""
LIMITED = {"RateLimit-Policy": '"fixed window";"api";q=500;w=300', "RateLimit": '"api";r=0;t=1'}
RESOLVERS = {"RateLimit-Policy": '"fixed window";"resolvers";q=3000;w=300', "RateLimit": '"resolvers";r=0;t=1'}


def found(
    address: str, home: Path, base: str, *, section: str = "", options: str = "", quiet: bool = True
) -> tuple[list[dict[str, Any]], str]:
    """All candidates, by name, as a new process with that `HF_HOME` finds them, and what it says on stderr.

    Without their downloads: to the Hub, reading a configuration is one.
    """
    done = client(SCRIPT.format(base=base, section=section, options=options, quiet=quiet), address, HF_HOME=str(home))
    assert done.returncode == 0, done.stderr
    candidates = [{**candidate, "downloads": 0} for candidate in json.loads(done.stdout)]
    return sorted(candidates, key=lambda candidate: candidate["source"]["repo"]), done.stderr


@pytest.fixture(scope="module")
def crowd(store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base with twelve adapters, of which three are found by their configuration alone and two are refused."""
    folder = tmp_path_factory.mktemp("crowd")
    for index in range(12):
        text = card("crowd/base", None if index in (3, 4) else "mit")
        if index in (5, 6, 7):
            text = "---\nlicense: mit\n---\n"
        store.add_folder(f"crowd/a{index}", adapter(folder / str(index), "crowd/base", rank=index + 1, text=text))
    return "crowd/base"


def files(seen: "Counter[tuple[str, str]]") -> set[str]:
    return {path for _, path in seen if "/resolve/" in path}


def kinds(path: str) -> list[Fault]:
    """Every way in which a request can fail for a while."""
    limited = LIMITED if path.startswith("/api/") else RESOLVERS
    passing = [
        Fault(429, limited),
        Fault(429, {"Retry-After": "1"}),
        Fault(500),
        Fault(503),
        Fault(504),
        Fault(reset="before"),
        Fault(reset="after"),
    ]
    leads_on = "/resolve/" in path and WEIGHTS in path  # has no content that could be cut
    return passing if leads_on else [*passing, Fault(cut=1), Fault(cut=1, silent=True)]


def test_every_request_may_fail_in_every_way_and_nothing_is_lost_or_doubled(
    crowd: str, endpoint: str, tmp_path: Path
) -> None:
    turn = iter(range(10**6))

    def plan(method: str, path: str, before: int) -> Fault | None:
        faults = kinds(path)
        return faults[next(turn) % len(faults)] if before == 0 else None

    with faulty_hub(endpoint, page=3) as (address, seen):
        expected, _ = found(address, tmp_path / "calm", crowd)
        calm = files(seen)
    with faulty_hub(endpoint, plan, page=3) as (address, seen):
        got, _ = found(address, tmp_path / "stormy", crowd)
    assert got == expected
    assert len({c["source"]["repo"] for c in expected}) == len(expected) == 12
    assert sum(c["verdict"] == "accepted" for c in expected) == 10
    assert files(seen) == calm
    assert all(count > 1 for count in seen.values())


def test_bursts_of_faults_in_the_middle_of_paging_are_outlived(crowd: str, endpoint: str, tmp_path: Path) -> None:
    def plan(method: str, path: str, before: int) -> Fault | None:
        burst = "cursor=" in path and "base_model%3Aadapter" in path and before < 3
        return [Fault(503), Fault(reset="after"), Fault(429, LIMITED)][before] if burst else None

    with faulty_hub(endpoint, plan, page=4) as (address, _):
        got, _ = found(address, tmp_path, crowd)
    assert len({c["source"]["repo"] for c in got}) == len(got) == 12


@pytest.mark.parametrize("status", [400, 404, 410])
def test_an_expired_cursor_begins_the_listing_anew(crowd: str, endpoint: str, tmp_path: Path, status: int) -> None:
    expired: set[str] = set()

    def plan(method: str, path: str, before: int) -> Fault | None:
        """The second cursor of every listing is forgotten once, and with it the whole way there."""
        if "cursor=" not in path or before:
            return None
        tag = path.split("filter=")[1].split("&")[0]
        known = f"{tag} first" in expired
        expired.add(f"{tag} first")
        if known and tag not in expired:
            expired.add(tag)
            return Fault(status)
        return None

    with faulty_hub(endpoint, plan, page=3) as (address, _):
        got, _ = found(address, tmp_path, crowd)
    assert "base_model%3Aadapter%3Acrowd%2Fbase" in expired
    assert len({c["source"]["repo"] for c in got}) == len(got) == 12


def test_a_cursor_that_is_lost_again_and_again_ends_with_a_sentence(crowd: str, endpoint: str, tmp_path: Path) -> None:
    with faulty_hub(endpoint, lambda method, path, before: Fault(410) if "cursor=" in path else None, page=3) as (
        address,
        _,
    ):
        done = client(SCRIPT.format(base=crowd, section="", options="", quiet=True), address, HF_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "loses the place in its listing" in done.stderr


def test_the_token_goes_to_no_other_place_than_the_hub(crowd: str, endpoint: str, tmp_path: Path) -> None:
    """The next page is asked for at the Hub's own address, whatever host its link names."""
    with faulty_hub(endpoint) as (other, elsewhere):
        link = {"Link": f'<{other}/api/models?filter=peft&limit=3&cursor=elsewhere>; rel="next"'}

        def lead_away(method: str, path: str, before: int) -> Fault | None:
            return Fault(add=link) if "filter=peft" in path and "cursor=" not in path and not before else None

        with faulty_hub(endpoint, lead_away, page=3) as (address, seen):
            got, _ = found(address, tmp_path, crowd)
    assert len(got) == 12
    assert not elsewhere
    assert any("cursor=elsewhere" in path for _, path in seen)


def test_a_second_run_asks_once_for_each_listing_and_finds_the_same(crowd: str, endpoint: str, tmp_path: Path) -> None:
    with faulty_hub(endpoint) as (address, seen):
        first, _ = found(address, tmp_path, crowd)
        cold = dict(seen)
        second, _ = found(address, tmp_path, crowd)
    again = seen - Counter(cold)
    assert second == first
    assert sum(again.values()) == 5, again  # tag, quantised copies, fine-tunes, two libraries
    assert all("sort=lastModified" in path and "limit=100&" in path for _, path in again)


def test_later_runs_see_what_is_new_what_changed_and_after_a_refresh_what_is_gone(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    base = "moving/base"
    for name in ("moving/kept", "moving/changed", "moving/gone"):
        store.add_folder(name, adapter(tmp_path / name, base))
    with faulty_hub(endpoint) as (address, _):

        def now(options: str = "") -> dict[str, tuple[str, int]]:
            candidates, _ = found(address, tmp_path / "home", base, options=options)
            return {c["source"]["repo"]: (c["verdict"], c["rank"]) for c in candidates}

        good = ("accepted", 4)
        assert now() == {"moving/kept": good, "moving/changed": good, "moving/gone": good}
        store.add_folder("moving/new", adapter(tmp_path / "new", base, rank=2))
        store.add_folder("moving/changed", adapter(tmp_path / "changed2", base, rank=8))
        HfApi().delete_repo("moving/gone")
        changed = {"moving/kept": good, "moving/changed": ("accepted", 8), "moving/new": ("accepted", 2)}
        assert now() == {**changed, "moving/gone": good}  # listings tell of no deletions
        assert now("refresh=True") == changed
        assert now("offline=True") == changed


def test_offline_what_is_known_is_judged_and_nothing_is_asked(crowd: str, endpoint: str, tmp_path: Path) -> None:
    with faulty_hub(endpoint) as (address, seen):
        script = SCRIPT.format(base=crowd, section="", options="offline=True", quiet=True)
        nothing = client(script, address, HF_HOME=str(tmp_path))
        assert nothing.returncode == 1
        assert "Nothing is known of this base" in nothing.stderr
        assert not seen
        known, _ = found(address, tmp_path, crowd, section="limit=2")
        asked = sum(seen.values())
        offline, _ = found(address, tmp_path, crowd, options="offline=True", section="include=['crowd/a3', 'x/y']")
        assert sum(seen.values()) == asked
    verdicts = Counter(c["verdict"] for c in offline)
    assert Counter(c["verdict"] for c in known) == {"accepted": 2, "beyond-limit": 8, "license-unknown": 2}
    assert verdicts == {"accepted": 2, "not-inspected": 9, "license-unknown": 2}
    assert next(c for c in offline if c["source"]["repo"] == "crowd/a3")["found_by"] == ["tag", "config", "id"]


def test_the_wait_for_the_next_window_is_told_once_and_a_fifth_of_it_is_left(
    crowd: str, endpoint: str, tmp_path: Path
) -> None:
    """With 100 of 500 requests left the fifth that belongs to others is reached: wait, also without any 429."""
    begun: list[float] = []

    def low(method: str, path: str, before: int) -> Fault | None:
        begun.append(time.monotonic())
        left = "r=100;t=6" if time.monotonic() < begun[0] + 5 else "r=499;t=300"
        headers = {"RateLimit-Policy": '"fixed window";"api";q=500;w=300', "RateLimit": f'"api";{left}'}
        return Fault(add=headers) if path.startswith("/api/") else None

    with faulty_hub(endpoint, low, page=3) as (address, _):
        got, told = found(address, tmp_path, crowd, quiet=False)
    assert len(got) == 12
    assert not any("429" in line for line in told.splitlines())
    assert len(re.findall(r"Within the Hub's rate limit: waiting [3-6] s\.", told)) == 1, told


def test_a_killed_crawl_goes_on_at_the_page_where_it_was(crowd: str, endpoint: str, tmp_path: Path) -> None:
    def slow(method: str, path: str, before: int) -> Fault | None:
        if "cursor=" in path and "filter=peft" in path:
            time.sleep(0.3)
        return None

    def reading(seen: "Counter[tuple[str, str]]") -> int:
        return sum("filter=peft" in path and "sort=downloads" in path for _, path in seen)

    script = SCRIPT.format(base=crowd, section="", options="", quiet=True)
    with faulty_hub(endpoint, page=2) as (address, seen):
        expected, _ = found(address, tmp_path / "calm", crowd)
        whole = reading(seen)
    with faulty_hub(endpoint, slow, page=2) as (address, seen):
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "killed")}
        process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.DEVNULL)
        wait_for(lambda: reading(seen) >= 3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = reading(seen)
        assert before < whole
        got, _ = found(address, tmp_path / "killed", crowd)
        assert reading(seen) - before <= whole - before + 1  # the page in hand is asked for again
    assert got == expected


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_damaged_snapshot_is_made_anew(crowd: str, endpoint: str, tmp_path: Path) -> None:
    with faulty_hub(endpoint) as (address, _):
        first, _ = found(address, tmp_path, crowd)
        (snapshot,) = (tmp_path / "hubexpert").glob("*.sqlite3")
        snapshot.write_bytes(b"no database" * 1000)
        assert found(address, tmp_path, crowd)[0] == first


def test_what_a_file_says_is_not_taken_from_a_part_of_it(store: Store, endpoint: str, tmp_path: Path) -> None:
    """Answers cut short that tell a fitting length: the Hub's ETag and sizes show it, so they are asked for again."""
    store.add_folder(
        "cut/a", adapter(tmp_path / "a", "cut/base", files={CONFIG: b'{"peft_type": "LORA", "r": 4}'.ljust(99)})
    )

    def plan(method: str, path: str, before: int) -> Fault | None:
        if before == 0 and CONFIG in path:
            return Fault(cut=29, silent=True)  # still JSON
        return Fault(cut=7, silent=True) if before == 0 and path.startswith("/lfs/") else None

    with faulty_hub(endpoint, plan) as (address, seen):
        got, _ = found(address, tmp_path / "home", "cut/base")
    assert [c["verdict"] for c in got] == ["accepted"]
    assert sum(count for (_, path), count in seen.items() if "/cut/a/" in path) == 4


@pytest.mark.parametrize("circle", ["the same page", "empty pages"])
def test_a_listing_without_an_end_is_given_up(crowd: str, endpoint: str, tmp_path: Path, circle: str) -> None:
    def lead_round(method: str, path: str, before: int) -> Fault | None:
        if "filter=peft" not in path:
            return None
        if circle == "the same page":
            return Fault(add={"Link": f'<{endpoint}/api/models?filter=peft&limit=3>; rel="next"'})
        link = f'<{endpoint}/api/models?filter=peft&limit=3&cursor={next(numbers)}>; rel="next"'
        return Fault(add={"Link": link}, status=None, change=lambda _: [])

    numbers = iter(range(10**6))
    with faulty_hub(endpoint, lead_round, page=3) as (address, seen):
        done = client(SCRIPT.format(base=crowd, section="", options="", quiet=True), address, HF_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "loses the place in its listing" in done.stderr
    assert sum(seen.values()) < 60


def test_a_newer_reading_is_not_undone_by_an_older_one_in_another_process(tmp_path: Path) -> None:
    """Both read the same listing; whoever ends first or last, nothing that the newer one saw is lost."""
    pages = {name: listing(source=Source(repo=f"o/{name}", revision="1" * 40)) for name in "abcd"}
    _prepare(tmp_path / "s.sqlite3")
    snapshot = Snapshot(tmp_path / "s.sqlite3")
    old = snapshot.begin("t")
    new = snapshot.begin("t")
    assert old.run < new.run
    snapshot.add("t", [pages["a"], pages["b"]], replace(new, next="later"), full=True)
    snapshot.add("t", [pages["a"], pages["c"]], replace(old, next="elsewhere"), full=True)
    assert snapshot.state("t").next == "later"
    snapshot.add("t", [pages["d"]], replace(old, newest=1.0, finished=1.0), full=True, last=True)
    assert snapshot.state("t").finished is None
    snapshot.add("t", [], replace(new, newest=2.0, finished=2.0), full=True, last=True)
    assert snapshot.names("t") == ("o/a", "o/b")
    assert snapshot.state("t").finished == 2.0


def test_who_reads_the_snapshot_keeps_nobody_from_writing_and_is_misled_by_nobody(tmp_path: Path) -> None:
    """While it is read, every listing is written again, one is gone, and strangers come."""
    _prepare(tmp_path / "s.sqlite3")
    snapshot = Snapshot(tmp_path / "s.sqlite3")
    many = [listing(source=Source(repo=f"o/{i:03}", revision="1" * 40), downloads=i) for i in range(600)]
    snapshot.add("t", many, snapshot.begin("t"), full=True)
    seen: list[int] = []
    for model, tagged, stated in snapshot.adapters(["t"], [], lambda _: True, sort="downloads"):
        assert (tagged, stated) == (True, False)
        if not seen:
            again = snapshot.begin("t")
            snapshot.add("t", many[1:], replace(again, newest=1.0, finished=1.0), full=True, last=True)
            strangers = [listing(source=Source(repo=f"x/{i}", revision="1" * 40)) for i in range(50)]
            snapshot.add("u", strangers, snapshot.begin("u"), full=True)
        seen.append(model.downloads)
    assert seen == list(range(599, 0, -1))


def test_a_refresh_that_fails_at_once_costs_nothing_of_what_was_read(crowd: str, endpoint: str, tmp_path: Path) -> None:
    """A first run is cut off, a refresh is refused, and the next run finds everything."""

    def cut_off(method: str, path: str, before: int) -> Fault | None:
        return Fault(401) if "cursor=" in path and "filter=base_model%3Aadapter" in path else None

    def script(options: str) -> str:
        return SCRIPT.format(base=crowd, section="", options=options, quiet=True)

    with faulty_hub(endpoint, cut_off, page=3) as (address, _):
        assert client(script(""), address, HF_HOME=str(tmp_path)).returncode == 1
    with faulty_hub(endpoint, lambda method, path, before: Fault(401), page=3) as (address, _):
        assert client(script("refresh=True"), address, HF_HOME=str(tmp_path)).returncode == 1
    with faulty_hub(endpoint, page=3) as (address, _):
        got, _ = found(address, tmp_path, crowd)
    assert len(got) == 12


@pytest.mark.parametrize("told", ["r=0;t=1000000000", f"r=0;t={10**20}", f"r=0;t={'9' * 5000}", "r=-1;t=x", ""])
def test_no_answer_makes_us_wait_longer_than_a_window(told: str) -> None:
    pace = Pace(quiet=True)
    pace.after({"RateLimit": f'"api";{told}', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'})
    assert pace._reserve("api") <= 300
    threading.Timer(0.2, pace.stop).start()
    begun = time.monotonic()
    pace.before("https://hub.example/api/models")  # ends at once when the work is stopped
    assert time.monotonic() - begun < 5
