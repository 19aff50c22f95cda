import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.records import Source
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import CONFIG, WEIGHTS, adapter, card, shapes

# The client itself uploads large files in a way that its HTTP library deprecates.
PUBLISH = """
from pathlib import Path
from hubexpert import hub
done = hub.publish({repo!r}, Path({folder!r}), message="The expert", private=False, create_pr={create_pr})
print(done.model_dump_json())
"""


@pytest.fixture()
def source(store: Store, tmp_path: Path) -> Source:
    """An adapter on the Hub."""
    repo = f"door/{tmp_path.name}"
    commit = store.add_folder(repo, adapter(tmp_path / "made", "door/base", files={"bad.json": b'{"a": \xff}'}))
    return Source(repo=repo, revision=commit, license="apache-2.0")


@pytest.fixture()
def expert(tmp_path: Path) -> Path:
    """A folder to publish."""
    return adapter(tmp_path / "expert", "door/base", files={"router.safetensors": b"\0" * 99, ".hidden": b"x"})


def publish(repo: str, folder: Path, *, create_pr: bool = False) -> tuple[str, bool]:
    """The commit, and whether there was something to do."""
    done = hub.publish(repo, folder, message="The expert", private=False, create_pr=create_pr)
    return done.commit, done.changed


def titles(repo: str) -> list[str]:
    return [commit.title for commit in HfApi().list_repo_commits(repo)]


def error(repo: str, **arguments: Any) -> HubExpertError:
    with pytest.raises(HubExpertError) as caught:
        hub.resolve(repo, **arguments)
    return caught.value


def test_a_name_becomes_a_commit_with_its_licence(source: Source) -> None:
    assert hub.resolve(source.repo) == source
    assert hub.resolve(source.repo, revision="main") == source


@pytest.mark.parametrize(
    ("text", "license_"),
    [
        ("license: MIT", "mit"),
        ("license: other\nlicense_name: House-Rules", "house-rules"),
        ("license: [mit, gpl-3.0]", "gpl-3.0"),
        ("license: unknown", None),
        ("tags: [a]", None),
    ],
)
def test_licences_are_read_alike_from_the_hub_and_from_the_cache(
    store: Store, tmp_path: Path, text: str, license_: str | None
) -> None:
    (tmp_path / "README.md").write_text(f"---\n{text}\n---\n# x\n")
    repo = f"licences/{tmp_path.name}"
    commit = store.add_folder(repo, tmp_path, repo_type="dataset")
    source = hub.resolve(repo, repo_type="dataset", revision=commit)
    assert (source.license, source.repo_type) == (license_, "dataset")
    hub.download(source, ["README.md"])
    assert hub.resolve(repo, repo_type="dataset", revision=commit) == source


def test_what_is_missing_is_told_with_a_fix(source: Source) -> None:
    for failure in (error("door/nothing-here"), error("no name at all"), error(source.repo, revision="v9")):
        assert isinstance(failure, hub.SourceError)
        assert failure.kind == "missing"
        assert failure.fix
    assert "no such revision" in error(source.repo, revision="v9").message
    with pytest.raises(hub.SourceError, match=r"has no file nothing\.json"):
        hub.read_json(source, "nothing.json")
    with pytest.raises(hub.SourceError, match=r"has no file nothing\.bin"):
        hub.download(source, ["nothing.bin"])


def test_a_private_repository_looks_missing_and_a_gated_one_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_token: str
) -> None:
    commit = store.add_folder("tester/hidden", adapter(tmp_path / "h", "door/base"), private=True)
    store.add_folder("tester/closed", adapter(tmp_path / "c", "door/base"))
    HfApi().update_repo_settings("tester/closed", gated="manual")
    closed = hub.resolve("tester/closed")
    monkeypatch.setenv("HF_TOKEN", read_token)
    assert "private" in error("tester/hidden", revision=commit).message
    with pytest.raises(hub.SourceError) as caught:
        hub.download(closed, [CONFIG])
    assert caught.value.kind == "gated"
    assert "ask for access" in caught.value.fix


def test_a_wrong_token_is_told_and_never_shown(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    failure = error(source.repo)
    assert "does not accept the token" in failure.message
    assert "hf auth login" in failure.fix
    assert "secret" not in f"{failure.message}{failure.fix}"


def test_json_is_read_at_the_pinned_commit_and_never_beyond_its_limit(source: Source) -> None:
    assert hub.read_json(source, CONFIG)["r"] == 4
    with pytest.raises(hub.SourceError, match="larger than 10 bytes"):
        hub.read_json(source, CONFIG, 10)
    with pytest.raises(hub.SourceError, match="not JSON"):
        hub.read_json(source, "bad.json")


def test_the_header_tells_shapes_without_the_weights(source: Source, tmp_path: Path) -> None:
    size = (tmp_path / "made" / WEIGHTS).stat().st_size
    assert hub.weights_header(source, WEIGHTS) == hub.Header(shapes(4), size)
    told = hub.look(source.repo)
    assert (told.size, told.issues) == (size, ())


def test_a_download_is_the_snapshot_and_costs_nothing_again_even_offline(
    source: Source, store: Store, endpoint: str, tmp_path: Path
) -> None:
    deep = tmp_path / "deep"
    (deep / "a" / "b").mkdir(parents=True)
    (deep / "a" / "b" / "c.txt").write_text("deep")
    commit = store.add_folder(source.repo, deep)
    pinned = Source(repo=source.repo, revision=commit)
    script = f"""
from hubexpert import hub
source = hub.resolve({source.repo!r}, revision={commit!r})
print(hub.download(source, ["a/b/c.txt", "README.md", {WEIGHTS!r}]))
print(hub.read_json(source, {CONFIG!r})["r"] if {{again}} else hub.download(source, [{CONFIG!r}]))
print(source.license)
"""
    with faulty_hub(endpoint) as (address, seen):
        first = client(script.format(again=False), address, HF_HOME=str(tmp_path / "home"))
        assert first.returncode == 0, first.stderr
        asked = sum(seen.values())
        again = client(script.format(again=True), address, HF_HOME=str(tmp_path / "home"))
        assert again.returncode == 0, again.stderr
        assert sum(seen.values()) == asked
    folder = Path(first.stdout.splitlines()[0])
    assert (folder / "a" / "b" / "c.txt").read_text() == "deep"
    assert (folder / WEIGHTS).read_bytes() == (tmp_path / "made" / WEIGHTS).read_bytes()
    assert folder.name == commit == pinned.revision
    offline = script.format(again=True).replace(repr(commit), "None")
    branch = client(offline, "http://127.0.0.1:9", HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1")
    assert "not in the cache and offline mode is on" in branch.stderr  # no branch was ever asked for
    pinned_offline = client(
        script.format(again=True), "http://127.0.0.1:9", HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1"
    )
    assert pinned_offline.stdout.splitlines() == [str(folder), "4", "apache-2.0"]


def test_a_limit_is_waited_for_and_an_outage_is_survived_but_not_for_ever(source: Source, endpoint: str) -> None:
    def plan(method: str, path: str, before: int) -> Fault | None:
        faults = [Fault(429, {"RateLimit": '"api";r=0;t=3'}), Fault(502), Fault(reset="before"), None]
        return faults[before] if "door" in path else None

    script = f"from hubexpert import hub; print(hub.resolve({source.repo!r}).revision)"
    with faulty_hub(endpoint, plan) as (address, seen):
        done = client(script, address)
    assert done.stdout.strip() == source.revision
    assert done.stderr == "Within the Hub's rate limit: waiting 3 s.\n"
    assert list(seen.values()) == [4]

    with faulty_hub(endpoint, lambda method, path, before: Fault(429, {"Retry-After": "3600"})) as (address, seen):
        done = client(script, address)
    assert "HubExpertError: The Hub's rate limit is used up." in done.stderr
    assert list(seen.values()) == [1]


def test_publishing_is_one_commit_and_unchanged_content_is_none(expert: Path) -> None:
    repo = f"tester/{expert.parent.name}"
    commit, changed = publish(repo, expert)
    assert changed
    assert len(titles(repo)) == 2  # the Hub's own first commit, and ours
    assert hub.look(repo).source.revision == commit
    assert set(hub.look(repo).files) == {".gitattributes", "README.md", CONFIG, WEIGHTS, "router.safetensors"}
    assert publish(repo, expert) == (commit, False)
    assert len(titles(repo)) == 2
    assert publish(repo, expert, create_pr=True) == (commit, False)


def test_generated_files_that_are_gone_are_deleted_and_their_owners_stay(expert: Path) -> None:
    repo = f"tester/{expert.parent.name}"
    (expert / "figures").mkdir()
    (expert / "figures" / "pool.png").write_bytes(b"old")
    publish(repo, expert)
    own = ("notes.md", "adapter_notes.md", "adapter_model.gguf", "figures/mine.png")
    for name in own:
        HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo=name, repo_id=repo)
    (expert / "figures" / "pool.png").unlink()
    (expert / "router.safetensors").unlink()
    before = len(titles(repo))
    publish(repo, expert)
    assert len(titles(repo)) == before + 1
    assert set(hub.look(repo).files) == {".gitattributes", "README.md", CONFIG, WEIGHTS, *own}


def test_a_private_repository_is_made_when_asked_for(expert: Path) -> None:
    repo = f"tester/{expert.parent.name}"
    hub.publish(repo, expert, message="x", private=True, create_pr=False)
    assert hub.look(repo).private


def test_a_pull_request_needs_only_a_reader_and_is_not_opened_twice(
    expert: Path, read_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = f"tester/{expert.parent.name}"
    head, _ = publish(repo, expert)
    (expert / "README.md").write_text(card("door/base", "mit"))
    monkeypatch.setenv("HF_TOKEN", read_token)
    with pytest.raises(HubExpertError, match="no permission"):
        publish(repo, expert)
    first = hub.publish(repo, expert, message="Better", private=False, create_pr=True)
    assert first.changed
    assert first.url.endswith(f"{repo}/discussions/1")
    assert hub.look(repo).source.revision == head
    assert hub.look(repo, "refs/pr/1").source.revision == first.commit
    again = hub.publish(repo, expert, message="Better", private=False, create_pr=True)
    assert (again.url, again.commit, again.changed) == (first.url, first.commit, False)


def test_without_a_token_publishing_says_how_to_get_one(expert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubExpertError) as caught:
        publish("tester/x", expert)
    assert caught.value.fix == "hf auth login  (or set HF_TOKEN)"


def test_a_card_the_hub_refuses_is_told_and_nothing_is_committed(expert: Path) -> None:
    repo = f"tester/{expert.parent.name}"
    (expert / "README.md").write_text("---\nlicense: Not A Licence!!\n---\n")
    with pytest.raises(HubExpertError, match="model card's metadata"):
        publish(repo, expert)
    assert len(titles(repo)) == 1


def test_an_empty_folder_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(HubExpertError, match="nothing to publish"):
        publish("tester/empty", tmp_path)


@pytest.fixture()
def repo(expert: Path) -> Iterator[str]:
    """A published repository, and a folder that has changed since."""
    name = f"tester/{expert.parent.name}"
    publish(name, expert)
    (expert / "README.md").write_text(card("door/base", "mit"))
    yield name


@pytest.mark.parametrize(
    "lost",
    [Fault(reset="after"), Fault(reset="before"), Fault(503)],
    ids=["answer lost", "question lost", "refused"],
)
@pytest.mark.parametrize("create_pr", [False, True], ids=["commit", "pull request"])
def test_after_a_lost_answer_there_is_exactly_one_commit(
    repo: str, expert: Path, endpoint: str, lost: Fault, create_pr: bool
) -> None:
    def plan(method: str, path: str, before: int) -> Fault | None:
        return lost if "/commit/" in path and not before else None

    before = len(titles(repo))
    with faulty_hub(endpoint, plan) as (address, _):
        done = client(PUBLISH.format(repo=repo, folder=str(expert), create_pr=create_pr), address)
    assert done.returncode == 0, done.stderr
    published = json.loads(done.stdout)
    assert published["changed"]
    requests = list(HfApi().get_repo_discussions(repo))
    assert len(titles(repo)) == before + (not create_pr)
    assert len(requests) == create_pr
    assert hub.look(repo, "refs/pr/1" if create_pr else None).source.revision == published["commit"]


@pytest.mark.parametrize("same", [True, False], ids=["the same content", "another's content"])
def test_a_branch_that_moved_meanwhile_is_never_written_over(
    repo: str, expert: Path, endpoint: str, same: bool
) -> None:
    def plan(method: str, path: str, before: int) -> Fault | None:
        if "/commit/" in path and not before:  # someone is quicker, while our upload is on its way
            content = (expert / "README.md").read_bytes() if same else b"---\nlicense: mit\n---\n# Theirs\n"
            HfApi().upload_file(path_or_fileobj=content, path_in_repo="README.md", repo_id=repo)
        return None

    with faulty_hub(endpoint, plan) as (address, _):
        done = client(PUBLISH.format(repo=repo, folder=str(expert), create_pr=False), address)
    head = hub.look(repo).source.revision
    if same:
        assert json.loads(done.stdout) == {
            "repo": repo, "url": f"{address}/{repo}", "commit": head, "changed": False,
        }  # fmt: skip
    else:
        assert done.returncode == 1
        assert "Someone else's commit has moved the main branch" in done.stderr
    assert titles(repo)[0] == "Upload README.md with huggingface_hub"


def test_a_large_file_that_is_not_taken_is_told_in_one_sentence(repo: str, expert: Path, endpoint: str) -> None:
    (expert / "router.safetensors").write_bytes(b"new")
    with faulty_hub(endpoint, lambda method, path, before: Fault(403) if method == "PUT" else None) as (address, _):
        done = client(PUBLISH.format(repo=repo, folder=str(expert), create_pr=False), address)
    assert f"SourceError: The token has no permission for this on {repo}." in done.stderr
    assert len(titles(repo)) == 2


def test_the_door_reads_the_address_that_the_client_reads(endpoint: str) -> None:
    assert hub.endpoint() == endpoint == os.environ["HF_ENDPOINT"]


def test_a_password_in_the_address_is_never_told() -> None:
    script = """
from hubexpert import hub
from hubexpert.cli.main import main
print(hub.endpoint())
main(["discover", "--base", "a/b"])
"""
    done = client(script, "http://user:sec@ret@127.0.0.1:9/hub")
    assert done.stdout == "http://127.0.0.1:9/hub\n"
    told = done.stderr[done.stderr.index("Error: ") :]  # what comes before is the client's own
    assert told.startswith("Error: The Hub at http://127.0.0.1:9/hub cannot be reached")
    assert "sec" not in told


def test_what_the_hub_and_strangers_say_cannot_drive_a_terminal(store: Store, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text('---\nlicense: other\nlicense_name: "a\\e[2Jb"\n---\n')
    store.add_folder("door/escapes", tmp_path)
    assert hub.look("door/escapes").source.license == "a\ufffd[2jb"
    told = Fault(418, {"X-Error-Message": "no\x1b[2Jtea"})
    with faulty_hub(endpoint, lambda method, path, before: told) as (address, _):
        done = client("from hubexpert import hub; hub.resolve('a/b')", address)
    assert "SourceError: The Hub refuses the request for a/b (418: no\ufffd[2Jtea" in done.stderr


def test_second_copies_of_the_weights_are_not_downloaded(store: Store, tmp_path: Path) -> None:
    for name in (
        "config.json",
        "model.safetensors",
        "model.fp16.safetensors",
        "consolidated.safetensors",
        "onnx/m.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    store.add_folder("copies/base", tmp_path)
    folder = hub.snapshot(hub.resolve("copies/base"), ("*.json", "*.safetensors"))
    assert sorted(path.name for path in folder.rglob("*")) == ["config.json", "model.safetensors"]
