"""What `status` asks of the Hub: how little, what it sees of every source, and which adapters are new."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert.hub import look, look_dataset
from hubexpert.localhub import Store
from hubexpert.lock import Lock, locked_recipe, read_lock, write_lock
from hubexpert.publish import Wish, publish
from hubexpert.recipe import read_recipe
from hubexpert.records import Candidate
from hubexpert.shots import digest, read_task
from hubexpert.status import status
from tests.commands import run
from tests.discover.data import dataset
from tests.discover.faults import Fault, Plan, faulty_hub, no_fault
from tests.discover.making import adapter, card
from tests.locks import FILES, a_build, a_build_folder, a_data, a_lock

SHOTS = '{"input": "When was the planet found?", "output": "long ago"}\n'


def a_project(folder: Path, store: Store, prefix: str, owners: tuple[str, ...], *, published: bool = False) -> Path:
    """A recipe, and a lock of a base, four experts and four datasets, dealt out to the owners; the recipe."""
    base = f"tester/{prefix}-base"
    store.add_folder(base, adapter(folder / "base", "none", text=card(None)))
    experts = [f"{owners[i % len(owners)]}/{prefix}-lora-{i}" for i in range(4)]
    for name in experts:
        store.add_folder(name, adapter(folder / name, base))
    datasets = [f"{owners[i % len(owners)]}/{prefix}-rows-{i}" for i in range(4)]
    for name in datasets:
        dataset(store, folder, name)
    (folder / "shots.jsonl").write_text(SHOTS)
    own = f"publish: {{repo: tester/{prefix}-own}}\n" if published else ""
    path = folder / "hubexpert.yaml"
    path.write_text(f"base: {base}\ntask: {{name: astronomy, shots: shots.jsonl}}\n{own}")
    recipe, pool = read_recipe(path), tuple(look(name).source for name in experts)
    lock = a_lock(base=look(base).source, pool=pool, recipe=locked_recipe(recipe))
    lock = lock.model_copy(
        update={
            "build": a_build(pool, FILES),
            "data": a_data(*(look_dataset(name).source for name in datasets)),
            "digests": {"shots": digest(read_task(recipe, folder).shots)},
        }
    )
    write_lock(folder / "hubexpert.lock", lock)
    if published:
        published_now(folder, lock, f"tester/{prefix}-own")
    return path


def published_now(folder: Path, lock: Lock, repo: str) -> None:
    """Publish the lock of the folder."""
    from hubexpert.assemble import assemble

    assemble(lock, a_build_folder(folder / "build"), folder / "out", repo=repo)
    publish(lock, folder / "out", Wish(repo, force=True), private=False)


def led(old: str, new: str) -> Plan:
    """The Hub leads from the old name to the new one."""

    def plan(method: str, path: str, before: int) -> Fault | None:
        there = path.replace(f"{old}?", f"{new}?")
        return Fault(status=307, headers={"Location": there}) if there != path else None

    return plan


def asked(
    recipe: Path, endpoint: str, *options: str, home: Path, plan: Plan = no_fault
) -> tuple[int, Counter[tuple[str, str]], str]:
    """The exit code of `hubexpert status` in a process of its own, what it asked for, and what it printed."""
    command = [sys.executable, "-m", "hubexpert", "status", "--recipe", str(recipe), *options]
    with faulty_hub(endpoint, plan) as (address, seen):
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, Counter(seen), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("owners", "requests"), [(("one", "two"), 6), (("one", "two", "three"), 6), (("one", "two", "three", "four"), 7)]
)
def test_each_source_costs_a_request_at_most_and_those_of_one_owner_share_one(
    store: Store, endpoint: str, tmp_path: Path, owners: tuple[str, ...], requests: int
) -> None:
    """With nothing in the cache: of a base, four experts, four datasets and the published repository."""
    recipe = a_project(tmp_path, store, f"few-{len(owners)}", owners, published=True)
    code, seen, told = asked(recipe, endpoint, home=tmp_path / "home")
    assert (code, seen.total()) == (0, requests), (told, seen)
    assert max(seen.values()) == 1


@pytest.mark.parametrize(("owners", "listings"), [(("one",), 2), (("one", "two", "three", "four"), 1)])
def test_where_a_listing_is_refused_each_source_is_asked_for(
    store: Store, endpoint: str, tmp_path: Path, owners: tuple[str, ...], listings: int
) -> None:
    """Of an owner, or of a base's adapters."""
    recipe = a_project(tmp_path, store, f"refused-{listings}", owners)

    def refuses(method: str, path: str, before: int) -> Fault | None:
        return Fault(status=400) if "author=" in path or "filter=" in path else None

    code, seen, told = asked(recipe, endpoint, home=tmp_path / "home", plan=refuses)
    assert (code, seen.total()) == (0, listings + 9), told


@pytest.mark.parametrize(("options", "lines"), [((), 1), (("--quiet",), 0)])
def test_a_wait_for_the_rate_limit_is_told_once(
    store: Store, endpoint: str, tmp_path: Path, options: tuple[str, ...], lines: int
) -> None:
    """However many requests run into it side by side; with --quiet it is not told."""
    recipe = a_project(tmp_path, store, f"limit-{lines}", ("one", "two"))

    def refuses(method: str, path: str, before: int) -> Fault | None:
        return Fault(status=429, headers={"Retry-After": "3"}) if "author=" in path and not before else None

    code, seen, told = asked(recipe, endpoint, *options, home=tmp_path / "home", plan=refuses)
    assert (code, seen.total(), told.count("waiting 3 s")) == (0, 9, lines), told


def test_a_published_repository_that_may_not_be_read_is_not_called_missing(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    recipe = a_project(tmp_path, store, "forbidden", ("one",), published=True)

    def refuses(method: str, path: str, before: int) -> Fault | None:
        return Fault(status=403) if "/commits/" in path else None

    code, _, told = asked(recipe, endpoint, home=tmp_path / "home", plan=refuses)
    (reason,) = [line for line in told.splitlines() if line.startswith("- ")]
    repo = "tester/forbidden-own"
    assert (code, reason) == (3, f"- {repo}: The token has no permission for this on {repo}.")


def test_another_lock_under_the_title_of_none_is_read(store: Store, endpoint: str, tmp_path: Path) -> None:
    """A commit made by hand says nothing about the lock: the file does, which is asked for once."""
    recipe = a_project(tmp_path, store, "by-hand", ("one",), published=True)
    api, repo, path = HfApi(), "tester/by-hand-own", tmp_path / "hubexpert.lock"
    api.upload_file(path_or_fileobj=b"notes", path_in_repo="notes.md", repo_id=repo)
    for requests in (6, 4):
        code, seen, _ = asked(recipe, endpoint, home=tmp_path / "home")
        assert (code, seen.total()) == (0, requests)
    other = path.read_bytes().replace(b'"seed": 0', b'"seed": 7')
    assert other != path.read_bytes()
    api.upload_file(path_or_fileobj=other, path_in_repo="hubexpert.lock", repo_id=repo)
    assert status(recipe).reasons == (f"{repo} carries another lock: this one is not published yet",)


def test_every_way_in_which_sources_change_is_told(store: Store, endpoint: str, tmp_path: Path) -> None:
    """All of one owner, of whom one listing is asked: what it does not hold is looked for by itself."""
    recipe = a_project(tmp_path, store, "ways", ("tester",))
    assert status(recipe).state == "fresh"
    base, lora, rows = "tester/ways-base", "tester/ways-lora-{}".format, "tester/ways-rows-{}".format
    api = HfApi()
    store.add_folder(lora(0), adapter(tmp_path / "again", base, rank=2))
    api.delete_repo(lora(1))
    new = "tester/ways-called-so"
    api.move_repo(lora(2), new)
    dataset(store, tmp_path / "more", rows(0), license_="cc-by-nc-4.0")
    api.delete_repo(rows(1), repo_type="dataset")
    dataset(store, tmp_path / "more", rows(2), [{"question": "?", "answer": "!"}])
    code, _, told = asked(recipe, endpoint, home=tmp_path / "home", plan=led(lora(2), new))
    state, *found = [line for line in told.splitlines() if line == "stale" or line.startswith("- ")]
    starts = (
        f"the expert {lora(0)} moved from ",
        f"the expert {lora(1)}: {lora(1)} does not exist",
        f"the expert {lora(2)} is called {new} now",
        f"the dataset {rows(0)} moved from ",
        f"the dataset {rows(0)} changed its licence from mit to cc-by-nc-4.0",
        f"the dataset {rows(1)}: {rows(1)} does not exist",
        f"the dataset {rows(2)} moved from ",
    )
    assert (code, state, len(found)) == (3, "stale", len(starts))
    assert all(line.startswith(f"- {start}") for line, start in zip(found, starts, strict=True)), found


def test_what_became_gated_is_told_though_it_is_in_the_cache(
    store: Store, tmp_path: Path, read_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models and datasets, also moved ones: that they are described to everyone does not open them."""
    recipe = a_project(tmp_path, store, "shut", ("tester",))
    api, lora, rows = HfApi(), "tester/shut-lora-{}".format, "tester/shut-rows-{}".format
    api.hf_hub_download(lora(0), "adapter_config.json", revision=look(lora(0)).source.revision)
    store.add_folder(lora(1), adapter(tmp_path / "again", "tester/shut-base", rank=2))
    for name, kind in ((lora(0), "model"), (lora(1), "model"), (rows(0), "dataset")):
        api.update_repo_settings(name, repo_type=kind, gated="manual")
    moved = status(recipe).reasons
    assert len(moved) == 1 and moved[0].startswith(f"the expert {lora(1)} moved")
    monkeypatch.setenv("HF_TOKEN", read_token)
    assert status(recipe).reasons == (
        f"the expert {lora(0)}: {lora(0)} is gated and you have no access.",
        f"the expert {lora(1)}: {lora(1)} is gated and you have no access.",
        f"the dataset {rows(0)}: {rows(0)} is gated and you have no access.",
    )


def test_a_base_that_the_recipe_calls_by_its_former_name_says_what_to_write(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    recipe, old, new = a_project(tmp_path, store, "former", ("one",)), "tester/former-base", "tester/latter-base"
    HfApi().move_repo(old, new)
    code, _, told = asked(recipe, endpoint, home=tmp_path / "home", plan=led(old, new))
    assert (code, told.splitlines()[:2]) == (
        3,
        ["stale", f"- the base {old} is called {new} now: name it so in the recipe"],
    )


def test_a_licence_that_no_longer_goes_with_the_others_is_told(store: Store, tmp_path: Path) -> None:
    recipe = a_project(tmp_path, store, "terms", ("one",))
    dataset(store, tmp_path / "more", "one/terms-rows-3", license_="cc-by-nd-4.0")
    moved, changed, conflict = status(recipe).reasons
    assert moved.startswith("the dataset one/terms-rows-3 moved")
    assert changed.endswith("from mit to cc-by-nd-4.0")
    assert conflict == (
        "the licences conflict now, so a new build could not be published: "
        "one/terms-rows-3 (cc-by-nd-4.0) forbids derivatives"
    )
    recipe.write_text(recipe.read_text() + "publish: {license: mit}\n")  # whose owner answers for it
    lock = read_lock(tmp_path / "hubexpert.lock")
    lock = lock.model_copy(update={"recipe": locked_recipe(read_recipe(recipe))})
    write_lock(tmp_path / "hubexpert.lock", lock)
    assert status(recipe).reasons == (moved, changed)


def test_new_adapters_are_told_when_asked_for_the_most_promising_first(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = a_project(tmp_path, store, "new", ("one",))
    base = "tester/new-base"
    assert status(recipe, discover=True).state == "fresh"
    store.add_folder("two/new-cooking", adapter(tmp_path / "x", base, text=card(base) + "All about soups and stews.\n"))
    cited = card(base, extra="datasets: [one/new-rows-0]") + "Answers to: when was the planet found?\n"
    store.add_folder("two/new-astronomy", adapter(tmp_path / "y", base, rank=8, text=cited))
    store.add_folder("two/new-refused", adapter(tmp_path / "z", base, text=card(base, license_=None)))
    assert status(recipe).state == "fresh"
    (reason,) = status(recipe, discover=True).reasons
    assert reason.startswith(
        "2 new adapters of the base are accepted: "
        "two/new-astronomy (rank 8, cites your dataset, place 1 of 6 by name and card), "
        "two/new-cooking (rank 4, place "
    )
    assert run("status", "--recipe", str(recipe), "--discover", "--json") == 3
    assert json.loads(capsys.readouterr().out) == {"state": "stale", "reasons": [reason]}
    assert run("status", "--recipe", str(recipe), "--discover", "--offline") == 2

    path = tmp_path / "hubexpert.lock"
    lock = read_lock(path)
    known = (
        Candidate(source=look("two/new-astronomy").source, verdict="accepted", found_by=("tag",)),
        Candidate(source=look("two/new-cooking").source, verdict="too-large", found_by=("tag",)),
    )
    found = lock.discovery.model_copy(update={"candidates": (*lock.discovery.candidates, *known)})
    write_lock(path, lock.model_copy(update={"discovery": found}))
    assert status(recipe, discover=True).state == "fresh"
