"""A published expert, checked by a stranger: what holds, what was tampered with, what became of its sources."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import HfApi
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.lock import Lock, read_lock, render_lock, write_lock
from hubexpert.publish import commit_message
from hubexpert.records import Distilled, KardReport, Source, SystemScore
from hubexpert.verify import Check, open_copy, state, verify
from hubexpert.workspace import file_digest
from tests import tiny
from tests.commands import run
from tests.discover.faults import Fault, faulty_hub
from tests.locks import FILES, a_build_folder, a_data, a_lock

BASE, EXPERTS = "tester/verify-base", ("tester/verify-one", "tester/verify-two")
WRONG_LABELS = 7  # of 60 held-out rows: a value that nothing gives by chance


@dataclass(frozen=True)
class Expert:
    """A really built expert: the folder that was published, where, and its held-out examples."""

    folder: Path
    repo: str
    test: Path
    lock: Lock


@pytest.fixture(scope="module")
def expert(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Expert:
    """From shots to a repository on the test Hub, by the whole line."""
    from hubexpert import pipeline
    from tests.pipeline.world import solver, write_project

    root, repo = tmp_path_factory.mktemp("verify"), "tester/verify-expert"
    store.add_folder(BASE, tiny.save_base(root / "base"))
    solver(root / "one")
    config = root / "one" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": BASE}))
    store.add_folder(EXPERTS[0], root / "one")
    store.add_folder(EXPERTS[1], tiny.lora(root / "two", seed=1, base=BASE))
    over: dict[str, Any] = {"experts": {"candidates": 2, "count": 2}, "evaluate": {"contributions": 0}}
    recipe = write_project(root / "project", repo=repo, base=BASE, discover={"include": [*EXPERTS], "limit": 2}, **over)
    test = root / "project" / "kshot" / "test.jsonl"
    rows = [json.loads(line) for line in test.read_text().splitlines()]
    for row in rows[:WRONG_LABELS]:
        row["output"] = "neither"
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lock = pipeline.run(pipeline.open_project(recipe, quiet=True))
    assert run("publish", "--recipe", str(recipe), "--force", "--quiet") == 0
    return Expert(root / "project" / ".hubexpert" / "publish", repo, test, lock)


@pytest.fixture
def copied(expert: Expert, tmp_path: Path) -> Path:
    """A copy of the published folder, to tamper with."""
    return Path(shutil.copytree(expert.folder, tmp_path / "copy"))


def checks(place: str | Path, **options: Any) -> list[Check]:
    offline = options.pop("offline", False)
    return list(verify(open_copy(str(place), offline=offline), offline=offline, quiet=True, **options))


def in_a_process(*arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of `hubexpert verify --json` in a process of its own, and what it prints."""
    command = [sys.executable, "-m", "hubexpert", "verify", *arguments, "--json", "--quiet"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def only(found: list[Check], check: str, about: str | None = None) -> Check:
    """The one check of that name."""
    (one,) = [each for each in found if each.check == check and about in (None, each.about)]
    return one


def faults(found: list[Check]) -> dict[str, str]:
    """Everything that is neither as it should be nor left out: what -> outcome."""
    return {f"{c.check} {c.about}".strip(): c.outcome for c in found if c.outcome in ("changed", "missing")}


def relock(folder: Path, **build: Any) -> Lock:
    """Write the folder's lock anew with these fields of its build, as a forger would."""
    lock = read_lock(folder / "hubexpert.lock")
    lock = lock.model_copy(update={"build": lock.build.model_copy(update=build)})
    write_lock(folder / "hubexpert.lock", lock)
    return lock


def forge(folder: Path, name: str) -> None:
    """Let the folder's lock name the file as it is now."""
    lock = read_lock(folder / "hubexpert.lock")
    relock(folder, files={**lock.build.files, name: file_digest(folder / name)})


def rewrite(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]], **described: Any) -> None:
    """Change the tensors of a file, and what its metadata describe."""
    with safe_open(file, framework="np") as opened:
        metadata = dict(opened.metadata())
    if described:
        metadata["hubexpert"] = json.dumps({**json.loads(metadata["hubexpert"]), **described})
    save_file(change(load_file(file)), file, metadata=metadata)


# what was published


def test_what_was_published_is_verified(expert: Expert, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", expert.repo) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{expert.repo} at ")
    for shown in ("router.safetensors", EXPERTS[0], BASE, "ok"):
        assert shown in printed.out
    found = checks(expert.repo)
    assert {check.outcome for check in found} == {"ok"}
    assert [check.check for check in found if check.check != "file"] == [
        *("lock", "commit", "configuration", "weights", "router", "card", "metadata", "base", "expert", "expert"),
    ]
    assert [check.about for check in found if check.check == "file"] == [*FILES]


def test_with_json_every_check_is_an_object_and_the_state_is_the_last(
    expert: Expert, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", expert.repo, "--json", "--quiet") == 0
    printed = capsys.readouterr()
    *each, last = [json.loads(line) for line in printed.out.splitlines()]
    assert all(one.keys() == {"check", "about", "outcome", "what", "wrong", "lines"} for one in each)
    assert last == {"state": "verified", "repo": expert.repo, "revision": HfApi().model_info(expert.repo).sha}
    assert printed.err == ""


def test_a_folder_is_checked_as_a_repository_is(expert: Expert, copied: Path) -> None:
    found = checks(copied)
    assert faults(found) == {}
    assert only(found, "commit").outcome == "unchecked"
    assert only(found, "card").outcome == "ok"
    with pytest.raises(HubExpertError, match="no revisions"):
        open_copy(str(copied), revision="v1")


def test_offline_a_repository_is_taken_from_the_cache_and_the_hub_is_not_asked(expert: Expert) -> None:
    assert run("verify", expert.repo, "--quiet") == 0
    code, (*each, last) = in_a_process(expert.repo, "--offline", HF_ENDPOINT="http://127.0.0.1:9")
    assert code == 0
    outcomes = {one["check"]: one["outcome"] for one in each}
    assert {name for name, outcome in outcomes.items() if outcome == "unchecked"} == {
        *("figures", "commit", "metadata", "base", "expert"),
    }
    assert last["state"] == "verified"
    with pytest.raises(HubExpertError, match="not in the cache"):
        open_copy("tester/never-seen", offline=True)


def test_requests_are_few(expert: Expert, endpoint: str, tmp_path: Path) -> None:
    """Two of the copy, two a file that is not in the cache, one of the card's metadata, one a source."""
    with faulty_hub(endpoint) as (address, seen):
        for files in (2 * (len(FILES) + len(("hubexpert.lock", "README.md"))), 0):
            seen.clear()
            code, _ = in_a_process(expert.repo, HF_ENDPOINT=address, HF_HOME=str(tmp_path / "home"))
            assert code == 0
            assert seen.total() == 2 + files + 1 + len((BASE, *EXPERTS)), seen


def test_an_earlier_revision_can_be_looked_at(expert: Expert, copied: Path, store: Store) -> None:
    first = store.add_folder("tester/verify-earlier", copied)
    HfApi().delete_file("router.safetensors", "tester/verify-earlier")
    gone = list(verify(open_copy("tester/verify-earlier"), quiet=True))
    assert only(gone, "file", "router.safetensors").outcome == "missing"
    there = list(verify(open_copy("tester/verify-earlier", revision=first), quiet=True))
    assert only(there, "file", "router.safetensors").outcome == "ok"


def test_what_does_not_exist_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "tester/verify-nobody", "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["state"] == "error"
    assert "does not exist" in printed.err
    assert run("verify", "./nobody") == 1
    assert "There is no folder at ./nobody" in capsys.readouterr().err


# files that were tampered with


def test_one_byte_of_the_weights_is_seen(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = copied / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    assert faults(checks(copied)) == {"file adapter_model.safetensors": "changed"}
    assert run("verify", str(copied)) == 1
    assert "not what was published" in capsys.readouterr().err


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "adapter_model.safetensors").unlink()
    (copied / "figures" / "comparison.png").unlink()
    found = checks(copied)
    assert faults(found) == {"file adapter_model.safetensors": "missing", "figures": "missing"}
    assert state(found) == "wrong"


def halved(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor[:, :-1].copy() if name.endswith(".router") else tensor for name, tensor in tensors.items()}


def with_nan(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: np.where(tensor > 1, tensor, np.nan).astype(tensor.dtype) for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("name", "change", "check", "told"),
    [
        ("router.safetensors", halved, "router", "does not fit its LoRA"),
        ("adapter_model.safetensors", with_nan, "weights", "NaN"),
        (
            "adapter_model.safetensors",
            lambda t: {k: v.astype(np.float16) for k, v in t.items()},
            "weights",
            "not float32",
        ),
        ("adapter_model.safetensors", lambda t: {k: v for k, v in t.items() if "q_proj" not in k}, "weights", "q_proj"),
        ("adapter_model.safetensors", lambda t: {**t, "extra": np.ones(3, np.float32)}, "weights", "extra"),
    ],
    ids=["router", "nan", "half", "modules", "extra"],
)
def test_contents_are_judged_also_where_the_lock_was_forged(
    name: str, change: Callable[[dict[str, Any]], dict[str, Any]], check: str, told: str, copied: Path
) -> None:
    """A digest says only that lock and file belong together."""
    rewrite(copied / name, change)
    forge(copied, name)
    found = checks(copied)
    assert only(found, "file", name).outcome == "ok"
    assert told in only(found, check).what
    assert only(found, check).wrong


def test_a_router_of_other_experts_is_seen(copied: Path) -> None:
    rewrite(copied / "router.safetensors", dict, experts=[f"tester/other@{'a' * 40}", f"tester/more@{'b' * 40}"])
    forge(copied, "router.safetensors")
    assert "tester/more" in only(checks(copied), "router").what


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"base_model_name_or_path": "tester/another"}, "base_model_name_or_path"),
        ({"r": 3}, "`r` is 3"),
        ({"lora_alpha": 1}, "lora_alpha"),
        ({"target_modules": ["lm_head"]}, "target_modules"),
        ({"use_rslora": True}, "scaling"),
        ({"rank_pattern": {"(a+)+$": 4}}, "expressions"),
        ({"layers_to_transform": [0]}, "layers_to_transform"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"peft_type": "LOHA"}, "peft_type"),
    ],
)
def test_a_configuration_that_says_something_else_is_seen(fields: dict[str, Any], told: str, copied: Path) -> None:
    file = copied / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
    forge(copied, "adapter_config.json")
    check = only(checks(copied), "configuration")
    assert told in check.what
    assert check.wrong


@pytest.mark.parametrize("content", [b"", b"\xff" * 999, b"[" * 100_000, b"null", b'{"version": 99}'])
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "router.safetensors"])
def test_rubbish_is_told_and_ends_nothing(name: str, content: bytes, copied: Path) -> None:
    (copied / name).write_bytes(content)
    forge(copied, name)
    found = checks(copied, offline=False)
    assert state(found) == "wrong"
    assert only(found, "card").outcome in ("ok", "changed")


class Armed:
    """A pickle of it writes a file as soon as it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.place,))


def test_a_pickle_is_told_and_never_opened(expert: Expert, copied: Path, store: Store, tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    (copied / "adapter_model.bin").write_bytes(pickle.dumps(Armed(fired)))
    (copied / "LICENSE").write_text("free")
    store.add_folder("tester/verify-pickle", copied)
    for place in (copied, "tester/verify-pickle"):
        found = checks(place)
        beside = {check.outcome: check.what for check in found if check.check == "beside"}
        assert "adapter_model.bin" in beside["changed"]
        assert "LICENSE" in beside["unchecked"]
        assert state(found) == "changed"
    assert not fired.exists()


@pytest.mark.parametrize("name", ["reranker/../../secret.json", "reranker//secret.json", "reranker/.hidden.json"])
def test_names_that_lead_out_of_the_folder_are_not_followed(name: str, copied: Path) -> None:
    (copied.parent / "secret.json").write_text("{}")
    lock = read_lock(copied / "hubexpert.lock")
    relock(copied, files={**lock.build.files, name: "ab" * 32})
    check = only(checks(copied), "file", name)
    assert (check.outcome, check.wrong) == ("missing", True)


def test_a_pickle_that_the_lock_itself_names_is_not_opened(copied: Path, tmp_path: Path) -> None:
    fired, file = tmp_path / "fired", copied / "reranker" / "model.pkl"
    file.parent.mkdir()
    file.write_bytes(pickle.dumps(Armed(fired)))
    forge(copied, "reranker/model.pkl")
    check = only(checks(copied), "file", "reranker/model.pkl")
    assert (check.outcome, check.what) == ("changed", "No file of this name is opened.")
    assert not fired.exists()


def test_what_a_listing_claims_is_not_trusted(expert: Expert, endpoint: str) -> None:
    """Paths that lead elsewhere are named, a huge file is not downloaded."""

    def claim(listing: dict[str, Any]) -> dict[str, Any]:
        siblings = [
            {**file, "size": 2**40 if file["rfilename"].startswith("adapter_model") else file["size"]}
            for file in listing["siblings"]
        ]
        return {**listing, "siblings": [*siblings, {"rfilename": "../../../etc/evil.json", "size": 3}]}

    def lies(method: str, path: str, before: int) -> Fault | None:
        return Fault(change=claim) if path.startswith(f"/api/models/{expert.repo}?") else None

    with faulty_hub(endpoint, lies) as (address, seen):
        code, found = in_a_process(expert.repo, HF_ENDPOINT=address)
    told = {one["about"] or one["check"]: one["what"] for one in found if "check" in one}
    assert code == 1
    assert "are opened" in told["adapter_model.safetensors"]
    assert "etc/evil.json" in told["beside"]
    assert not [path for _, path in seen if "adapter_model" in path or "evil" in path]


def test_a_huge_file_is_not_opened(copied: Path) -> None:
    with (copied / "adapter_config.json").open("wb") as file:
        file.truncate(65 * 1024**2)
    found = checks(copied)
    assert "are opened" in only(found, "file", "adapter_config.json").what
    assert not [check for check in found if check.check == "configuration"]


def test_passages_from_elsewhere_are_seen(copied: Path) -> None:
    """What an expert reads is what its lock says it reads."""
    file, facts = copied / "hubexpert.lock", Source(repo="tester/facts", revision="a" * 40, repo_type="dataset")
    report = KardReport(sources=(facts,), passages=1, distilled=Distilled(rationales=()), systems=(), retrieval=())
    write_lock(file, read_lock(file).model_copy(update={"kard": report}))
    for sources, outcome in (((facts,), "ok"), ((facts.model_copy(update={"repo": "tester/lies"}),), "changed")):
        named = [source.model_dump(mode="json") for source in sources]
        (copied / "knowledge.json").write_text(json.dumps({"sources": named}))
        forge(copied, "knowledge.json")
        assert only(checks(copied, offline=True), "knowledge").outcome == outcome


# the lock


def test_a_lock_that_was_edited_is_seen_by_the_commit(expert: Expert, copied: Path, store: Store) -> None:
    """Its form is right, and the card is made anew; the commit that published it names the other one."""
    from hubexpert.assemble import write_page

    lock = read_lock(copied / "hubexpert.lock")
    better = tuple(system.model_copy(update={"value": 1.0, "high": 1.0}) for system in lock.report.systems)
    forged = lock.model_copy(update={"report": lock.report.model_copy(update={"systems": better})})
    repo = "tester/verify-forged"
    store.add_folder(repo, copied, message=commit_message(lock))
    write_page(forged, copied, repo=repo)
    store.add_folder(repo, copied, message="a better card")
    found = checks(repo)
    assert faults(found) == {"commit": "changed"}
    assert state(found) == "wrong"


def test_a_lock_edited_by_hand_is_no_longer_canonical(copied: Path) -> None:
    file = copied / "hubexpert.lock"
    file.write_text(file.read_text().replace("\n ", "\n  "))
    check = only(checks(copied), "lock")
    assert (check.outcome, check.wrong) == ("changed", True)


def test_a_lock_of_an_older_release_is_no_edited_one(copied: Path) -> None:
    """A later release may know more fields."""
    file = copied / "hubexpert.lock"
    raw = json.loads(file.read_text())
    del raw["report"]["longest"]
    file.write_text(json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    check = only(checks(copied), "lock")
    assert (check.outcome, check.what.split(":")[0]) == ("ok", "As another release of hubexpert wrote it")


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 200_000, b"\xff\xfe", b'{"version": 99}', b'{"version": 1}', b"1" * 9999, b"[NaN]"],
    ids=["empty", "deep", "bytes", "newer", "bare", "number", "nan"],
)
def test_a_lock_that_cannot_be_read_ends_the_checks(content: bytes, copied: Path) -> None:
    (copied / "hubexpert.lock").write_bytes(content)
    (check,) = checks(copied)
    assert (check.check, check.outcome, check.wrong) == ("lock", "changed", True)
    (copied / "hubexpert.lock").unlink()
    (check,) = checks(copied)
    assert (check.check, check.outcome, check.wrong) == ("lock", "missing", True)


# the card


def test_a_card_edited_by_hand_is_shown_and_is_no_error(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = copied / "README.md"
    card.write_text(card.read_text().replace("## ", "## My \x1b[31m own ", 1))
    found = checks(copied)
    assert faults(found) == {"card": "changed"}
    assert run("verify", str(copied)) == 3
    printed = capsys.readouterr().out
    assert "+## My" in printed
    assert "\x1b" not in printed


def test_metadata_that_the_hub_refuses_are_told(copied: Path) -> None:
    card = copied / "README.md"
    card.write_text(card.read_text().replace("license: apache-2.0", "license: my-own-terms", 1))
    assert "license" in only(checks(copied), "metadata").what


def test_the_card_of_another_repository_is_told(expert: Expert, copied: Path, store: Store) -> None:
    """Renamed, or somebody's copy."""
    store.add_folder("tester/verify-copy", copied)
    found = checks("tester/verify-copy")
    assert faults(found) == {"card": "changed"}
    assert f"card of {expert.repo}, and lies at tester/verify-copy" in only(found, "card").what


# the sources


@pytest.fixture
def sources(request: pytest.FixtureRequest, copied: Path, store: Store) -> list[str]:
    """A base and two experts of this test alone, which the copied folder's lock names."""
    names = [f"tester/v{abs(hash(request.node.name)) % 10**8}-{name}" for name in ("base", "one", "two")]
    lock, revisions = read_lock(copied / "hubexpert.lock"), [upload(store, name) for name in names]
    pinned = [
        lock.base.model_copy(update={"repo": name, "revision": revision})
        for name, revision in zip(names, revisions, strict=True)
    ]
    chosen = tuple(
        record.model_copy(update={"source": source})
        for record, source in zip(lock.build.experts, pinned[1:], strict=True)
    )
    recipe = {**lock.recipe, "base": names[0]}
    build = lock.build.model_copy(update={"experts": chosen})
    write_lock(copied / "hubexpert.lock", lock.model_copy(update={"base": pinned[0], "build": build, "recipe": recipe}))
    return names


def upload(store: Store, repo: str, license_id: str = "apache-2.0", note: str = "") -> str:
    """Make `repo` hold a card with that licence, by one commit; its id."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "README.md").write_text(f"---\nlicense: {license_id}\n---\n{note}\n")
        Path(folder, "adapter_config.json").write_text("{}")
        Path(folder, "config.json").write_text("{}")
        return store.add_folder(repo, Path(folder))


def of_sources(copied: Path) -> dict[str, Check]:
    return {check.about: check for check in checks(copied) if check.check in ("base", "expert", "dataset")}


def test_sources_that_are_as_they_were(sources: list[str], copied: Path) -> None:
    found = of_sources(copied)
    assert [*found] == sources
    assert {check.outcome for check in found.values()} == {"ok"}


def test_a_deleted_expert_is_missing(sources: list[str], copied: Path) -> None:
    HfApi().delete_repo(sources[1])
    check = of_sources(copied)[sources[1]]
    assert (check.outcome, check.wrong) == ("missing", False)
    assert "does not exist" in check.what


def test_a_renamed_expert_is_followed(sources: list[str], copied: Path, endpoint: str) -> None:
    """The Hub leads from the old name to the new one."""
    old, new = sources[1], f"{sources[1]}-elsewhere"
    HfApi().move_repo(old, new)

    def led(method: str, path: str, before: int) -> Fault | None:
        there = path.replace(f"{old}?", f"{new}?")
        return Fault(status=307, headers={"Location": there}) if there != path else None

    with faulty_hub(endpoint, led) as (address, _):
        _, found = in_a_process(str(copied), HF_ENDPOINT=address)
    (told,) = [(one["outcome"], one["what"]) for one in found if one.get("about") == old]
    assert told == ("changed", f"{old} is called {new} now.")


def test_a_branch_that_moved_is_told_with_what_became_of_the_pinned_commit(
    sources: list[str], copied: Path, store: Store
) -> None:
    upload(store, sources[1], note="new weights")
    HfApi().delete_repo(sources[2])
    upload(store, sources[2], note="begun anew")
    found = of_sources(copied)
    assert found[sources[1]].outcome == "changed"
    assert "still there" in found[sources[1]].what
    assert found[sources[2]].outcome == "missing"
    assert "can no longer be had" in found[sources[2]].what


def test_a_changed_licence_is_told(sources: list[str], copied: Path, store: Store) -> None:
    upload(store, sources[0], license_id="cc-by-nc-4.0")
    check = of_sources(copied)[sources[0]]
    assert check.outcome == "changed"
    assert "from apache-2.0 to cc-by-nc-4.0" in check.what


def test_datasets_are_looked_at_and_what_lies_with_the_author_is_named(copied: Path, store: Store) -> None:
    file = copied / "hubexpert.lock"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
        revision = store.add_folder("tester/verify-rows", Path(folder), repo_type="dataset")
    pinned = Source(repo="tester/verify-rows", revision=revision, license="mit", repo_type="dataset")
    own = read_lock(file).base.model_copy(update={"repo": "~/models/mine"})
    write_lock(file, read_lock(file).model_copy(update={"data": a_data(pinned), "base": own}))
    found = of_sources(copied)
    assert found["tester/verify-rows"].outcome == "changed"
    assert "from mit to cc-by-4.0" in found["tester/verify-rows"].what
    assert found["mine"].outcome == "unchecked"


def test_a_gated_expert_is_told(
    sources: list[str], copied: Path, read_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    HfApi().update_repo_settings(sources[2], gated="manual")
    monkeypatch.setenv("HF_TOKEN", read_token)
    check = of_sources(copied)[sources[2]]
    assert (check.outcome, "gated" in check.what) == ("changed", True)


def test_only_sources_that_moved_end_with_3(
    expert: Expert, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Last of this expert: its second adapter is changed for good."""
    store.add_folder(EXPERTS[1], tiny.lora(tmp_path / "new", seed=9, base=BASE))
    assert run("verify", expert.repo, "--json") == 3
    *each, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert last["state"] == "changed"
    assert [(one["check"], one["about"]) for one in each if one["outcome"] == "changed"] == [("expert", EXPERTS[1])]


def test_a_hub_that_does_not_answer_leaves_the_sources_unchecked(copied: Path) -> None:
    """Files and lock of a folder are judged nevertheless; and no source is asked for after the first."""
    with faulty_hub("http://127.0.0.1:9", lambda *_: Fault(status=401)) as (address, seen):
        code, found = in_a_process(str(copied), HF_ENDPOINT=address)
    outcomes = {f"{one['check']} {one['about']}": one["outcome"] for one in found if "check" in one}
    assert code == 0
    assert {outcomes[f"base {BASE}"], outcomes[f"expert {EXPERTS[0]}"], outcomes["metadata "]} == {"unchecked"}
    assert outcomes["card "] == "ok"
    assert seen.total() == len(("metadata", "base"))


# the measurement again


def measured(place: str | Path, test: Path) -> dict[str, Check]:
    """What `--test` says of static and routed."""
    return {check.about: check for check in checks(place, test=test) if check.check == "test"}


def test_the_measurement_again_gives_exactly_the_locks_value(expert: Expert, copied: Path) -> None:
    """In a process of its own, from the published files alone."""
    value = expert.lock.report.system("routed").value
    assert 0 < value < 1
    _, found = in_a_process(str(copied), "--test", str(expert.test))
    again = {one["about"]: one for one in found if one.get("check") == "test"}
    assert {name: one["outcome"] for name, one in again.items()} == {"static": "ok", "routed": "ok"}
    assert again["routed"]["what"].startswith(f"{100 * value:.1f} [")


def test_other_examples_are_measured_beside_the_lock(expert: Expert, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("".join(f"{line}\n" for line in expert.test.read_text().splitlines()[:12]))
    again = measured(expert.repo, other)
    assert {check.outcome for check in again.values()} == {"unchecked"}
    assert "on 12 examples; the lock's" in again["routed"].what


def test_a_value_that_the_files_do_not_give_is_seen(expert: Expert, copied: Path) -> None:
    """Files, lock and card agree; only measuring shows it."""
    lock = read_lock(copied / "hubexpert.lock")
    better = tuple(s.model_copy(update={"value": 0.2}) if s.name == "routed" else s for s in lock.report.systems)
    write_lock(
        copied / "hubexpert.lock",
        lock.model_copy(update={"report": lock.report.model_copy(update={"systems": better})}),
    )
    again = measured(copied, expert.test)
    assert again["static"].outcome == "ok"
    assert (again["routed"].outcome, again["routed"].wrong) == ("changed", True)
    assert "more than chance" in again["routed"].what


def test_a_value_within_chance_is_told_and_is_no_proof(expert: Expert, copied: Path) -> None:
    """On another device an answer on the edge falls the other way."""
    lock = read_lock(copied / "hubexpert.lock")
    near = tuple(s.model_copy(update={"value": s.value - 1 / s.n}) for s in lock.report.systems)
    write_lock(
        copied / "hubexpert.lock",
        lock.model_copy(update={"report": lock.report.model_copy(update={"systems": near})}),
    )
    again = measured(copied, expert.test)["routed"]
    assert (again.outcome, again.wrong) == ("changed", False)
    assert "+1.7 points [" in again.what


def test_examples_that_the_lock_leaves_out_are_reckoned_with() -> None:
    """One of four stood among the shots: which one is not known, so the mean of three is one of two values."""
    from hubexpert.verify.evaluation import _agree

    def agree(value: float, removed: int, n: int) -> bool:
        score = SystemScore(name="routed", metric="exact_match", value=value, low=0, high=1, n=n)
        return _agree(score, (1.0, 0.0, 1.0, 0.0), removed)

    assert agree(0.5, 0, 4) and not agree(0.75, 0, 4)
    assert agree(1 / 3, 1, 3) and agree(2 / 3, 1, 3)
    assert not agree(0, 1, 3) and not agree(1, 1, 3) and not agree(0.5, 0, 3)


def test_files_that_are_not_the_locks_are_not_loaded(expert: Expert, copied: Path) -> None:
    file = copied / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    found = checks(copied, test=expert.test)
    assert only(found, "test").what.startswith("Not measured: the files")


def test_a_metric_that_is_code_is_not_run(expert: Expert, copied: Path) -> None:
    lock = read_lock(copied / "hubexpert.lock")
    write_lock(
        copied / "hubexpert.lock",
        lock.model_copy(update={"scores": lock.scores.model_copy(update={"metric": "stranger/metric"})}),
    )
    assert "code that a lock names" in only(checks(copied, test=expert.test), "test").what


def test_a_lock_without_real_weights_is_wrong_whatever_its_digests(tmp_path: Path) -> None:
    """Made up from the first byte to the last."""
    from hubexpert.assemble import assemble

    lock = a_lock()
    assemble(lock, a_build_folder(tmp_path / "build"), tmp_path / "folder", repo="tester/made-up")
    found = checks(tmp_path / "folder", offline=True)
    assert {check.check for check in found if check.wrong} == {"configuration", "weights", "router"}
    assert render_lock(lock).encode() == (tmp_path / "folder" / "hubexpert.lock").read_bytes()
