"""The store: what survives, what is refused, and ids as git computes them."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, get_session

from hubexpert.errors import HubExpertError
from hubexpert.localhub import LocalHub, Store, Token
from hubexpert.localhub.gitids import tree_ids
from hubexpert.localhub.records import Edit, FileEntry, Refusal
from hubexpert.localhub.trees import apply_edits
from tests.localhub.conftest import Site, write_folder


def test_adding_a_folder_twice_makes_one_commit(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    folder = write_folder(tmp_path / "f", {"README.md": "hi", "w/model.safetensors": b"\0" * 2000})
    first = store.add_folder("org/m", folder, message="one")
    assert len(first) == 40 and store.add_folder("org/m", folder, message="two") == first
    (folder / "README.md").write_text("new")
    second = Store(tmp_path / "hub").add_folder("org/m", folder)
    with LocalHub(store.root) as hub:
        api = HfApi(endpoint=hub.endpoint, token=False)
        assert [c.commit_id for c in api.list_repo_commits("org/m")][:2] == [second, first]
        assert api.get_paths_info("org/m", "w/model.safetensors")[0].lfs is not None  # type: ignore[union-attr]


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    tokens = [Token("t", "me", "write")]
    with LocalHub(tmp_path / "hub", tokens=tokens) as hub:
        api = HfApi(endpoint=hub.endpoint, token="t")
        api.create_repo("me/m", private=True)
        api.upload_file(path_or_fileobj=b"\0" * 50, path_in_repo="x.bin", repo_id="me/m")
        api.create_tag("me/m", tag="v1")
        api.create_discussion("me/m", "a talk")
        before = api.model_info("me/m", files_metadata=True)
    with LocalHub(tmp_path / "hub", tokens=tokens) as hub:
        api = HfApi(endpoint=hub.endpoint, token="t")
        assert api.model_info("me/m", revision="v1", files_metadata=True) == before
        assert Path(api.hf_hub_download("me/m", "x.bin", cache_dir=tmp_path)).read_bytes() == b"\0" * 50
        assert [d.title for d in api.get_repo_discussions("me/m")] == ["a talk"]


def test_killed_in_the_middle_of_an_upload_it_keeps_what_was_committed(tmp_path: Path) -> None:
    root, content = tmp_path / "hub", os.urandom(1 << 20) * 8
    command = [sys.executable, "-m", "hubexpert", "hub", "serve", "--root", str(root), "--port", "0"]
    server = subprocess.Popen([*command, "--token", "t:me:write"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        api = HfApi(endpoint=server.stdout.readline().strip(), token="t")
        api.create_repo("me/m")
        api.upload_file(path_or_fileobj=b"kept", path_in_repo="kept.txt", repo_id="me/m")
        with pytest.raises(httpx2.TransportError):
            get_session().put(
                _upload_address(api, content), content=_cut_short(content, server, root / "blobs" / ".partial")
            )
    finally:
        server.kill()
        server.communicate()
    store = Store(root)
    leftovers = list(store.blobs.partial.iterdir())
    assert leftovers and all(_sha256(blob.read_bytes()) == blob.name for blob in store.blobs.root.glob("??/*"))
    with LocalHub(root, tokens=[Token("t", "me", "write")]) as hub:
        api = HfApi(endpoint=hub.endpoint, token="t")
        assert api.list_repo_files("me/m") == [".gitattributes", "kept.txt"]
        api.upload_file(path_or_fileobj=content, path_in_repo="big.bin", repo_id="me/m")
        assert Path(api.hf_hub_download("me/m", "big.bin", cache_dir=tmp_path)).read_bytes() == content
    kept = [store.blobs.partial / name for name in ("notes.txt", f"{'0' * 12}-{'1' * 16}.txt")]
    for path in kept:
        path.write_text("somebody's")
    for path in [*leftovers, *kept]:
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    assert set(Store(root).blobs.partial.iterdir()) == set(kept)


def _upload_address(api: HfApi, content: bytes) -> str:
    batch = {"operation": "upload", "objects": [{"oid": _sha256(content), "size": len(content)}]}
    url = f"{api.endpoint}/me/m.git/info/lfs/objects/batch"
    answer = get_session().post(url, json=batch, headers={"Authorization": "Bearer t"})
    return str(answer.json()["objects"][0]["actions"]["upload"]["href"])


def _cut_short(content: bytes, server: subprocess.Popen[str], partial: Path) -> Iterator[bytes]:
    """The content, whose receiver is killed when it has written a part of it."""
    half = len(content) // 2
    yield content[:half]
    while not any(path.stat().st_size for path in partial.iterdir()):
        time.sleep(0.01)
    server.kill()
    server.wait()
    yield content[half:]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_change_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_folder("o/m", write_folder(tmp_path / "f", {"a": "1"}))
    with pytest.raises(ZeroDivisionError), store.writing() as db:
        db.execute("DELETE FROM repos")
        raise ZeroDivisionError
    with store.reading() as db:
        assert db.execute("SELECT COUNT(*) FROM repos").fetchone()[0] == 1


def test_many_repositories_are_made_at_once_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    shared, other = (write_folder(tmp_path / name, {"a.txt": name, "b.bin": b"\0"}) for name in ("shared", "other"))
    alone = store.add_folder("o/alone", shared)
    heads = store.add_folders([("o/1", shared), ("o/2", other), ("o/1", other), ("o/alone", shared)])
    with store.reading() as db:
        repos = {row["id"]: row["head"] for row in db.execute("SELECT id, head FROM repos")}
    assert heads[1:] == [repos["o/2"], repos["o/1"], alone] and heads[0] != repos["o/1"]
    both = write_folder(tmp_path / "both", {"b.bin/x": "a folder where the others have a file"})
    with pytest.raises(HubExpertError, match="3 repositories"):
        store.add_folders([("o/3", shared), ("o/1", both), ("o/4", shared)])
    with pytest.raises(HubExpertError, match="bad id"):
        store.add_folders([("o/3", shared), ("bad id", shared)])
    with store.reading() as db:
        assert db.execute("SELECT COUNT(*) FROM repos").fetchone()[0] == 3
    assert store.add_folders([]) == []


def test_folders_are_added_concurrently(tmp_path: Path) -> None:
    folders = [write_folder(tmp_path / str(n), {f"{n}.txt": str(n), "same.bin": b"\0"}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda folder: Store(tmp_path / "hub").add_folder("o/m", folder), folders))
    with LocalHub(tmp_path / "hub") as hub:
        files = HfApi(endpoint=hub.endpoint, token=False).list_repo_files("o/m")
    assert set(files) == {".gitattributes", "same.bin", *(f"{n}.txt" for n in range(8))}


def test_links_to_files_are_followed_as_in_the_cache_of_the_client(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {".git/config": "x", ".cache/y": "y", "d/z.txt": "z"})
    (tmp_path / "blob").write_text("content")
    (folder / "linked.txt").symlink_to(tmp_path / "blob")
    (folder / "looped").symlink_to(folder)
    store = Store(tmp_path / "hub")
    with pytest.raises(HubExpertError, match="looped"):
        Store(tmp_path / "other").add_folder("o/m", _with_dangling_link(tmp_path))
    store.add_folder("o/m", folder)
    with LocalHub(tmp_path / "hub") as hub:
        assert set(HfApi(endpoint=hub.endpoint, token=False).list_repo_files("o/m")) == {
            *(".gitattributes", "d/z.txt", "linked.txt")
        }


def _with_dangling_link(tmp_path: Path) -> Path:
    folder = write_folder(tmp_path / "dangling", {"a": "1"})
    (folder / "looped").symlink_to(tmp_path / "nothing")
    return folder


@pytest.mark.parametrize(
    "repo_id",
    [
        *("../x", "a/../b", "a", "a/b/c", "a/.hidden", "a/b.git", "a\\b/c", "a/b\0", "/a/b", "a--b/c", "api/x"),
        *("datasets/x", "é/x", ""),
    ],
)
def test_hostile_ids_are_refused(site: Site, repo: str, tmp_path: Path, repo_id: str) -> None:
    with pytest.raises(HubExpertError):
        Store(tmp_path / "hub").add_folder(repo_id, write_folder(tmp_path / "f", {"a": "1"}))
    namespace, _, name = repo_id.partition("/")
    new = {"organization": namespace or "/", "name": name}
    url, headers = f"{site.endpoint}/api/repos", {"Authorization": "Bearer hf_alice"}
    created = get_session().post(f"{url}/create", json=new, headers=headers)
    moved = get_session().post(f"{url}/move", json={"fromRepo": repo, "toRepo": repo_id}, headers=headers)
    assert (created.status_code, moved.status_code) == (400, 400)


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(HubExpertError):
            store.add_folder("o/m", folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(HubExpertError, match="cannot hold"):
        Store(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.sqlite3").write_text("not a database, but long enough to look at " * 99)
    with pytest.raises(HubExpertError, match="cannot hold"):
        Store(tmp_path / "other")


def test_in_a_folder_that_is_no_hub_nothing_is_touched(tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", {"index.sqlite3": "not a database, but long enough to look at " * 99})
    abandoned = write_folder(other / "blobs" / ".partial", {f"{'0' * 12}-{'1' * 16}": "theirs"})
    write_folder(other / "scratch", {"thesis.txt": "theirs"})
    for path in (*abandoned.iterdir(), *(other / "scratch").iterdir()):
        os.utime(path, (0, 0))
    before = sorted(other.rglob("*"))
    with pytest.raises(HubExpertError, match="cannot hold"):
        Store(other)
    assert sorted(other.rglob("*")) == before
    (other / "index.sqlite3").unlink()
    Store(other)
    assert (other / "scratch" / "thesis.txt").read_text() == "theirs"


def test_a_store_is_opened_while_others_write(tmp_path: Path) -> None:
    partial, done = Store(tmp_path).blobs.partial, threading.Event()

    def churn() -> None:
        while not done.is_set():
            for number in range(50):
                path = partial / f"{number:012x}-{'0' * 16}"
                path.touch()
                path.unlink()

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(churn)
        try:
            for _ in range(200):
                Store(tmp_path).blobs.prepare()
        finally:
            done.set()
        work.result()


def test_what_one_user_adds_others_can_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    store.add_folder("o/m", write_folder(tmp_path / "f", {"a.txt": "1", "b.bin": b"\0"}))
    usual = (tmp_path / "f" / "a.txt").stat().st_mode
    assert {path.stat().st_mode for path in store.blobs.root.glob("??/*")} == {usual}


def test_an_id_is_looked_at_before_contents_are_copied(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    with pytest.raises(HubExpertError):
        store.add_folder("no-namespace", write_folder(tmp_path / "f", {"b.bin": b"\0" * 99}))
    assert list(store.blobs.root.glob("??/*")) == []


def test_a_worktree_is_added_and_a_pipe_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {".git": "gitdir: elsewhere", "sub/.git": "gitdir: there", "sub/a.txt": "1"})
    store = Store(tmp_path / "hub")
    with LocalHub(store.root) as hub:
        store.add_folder("o/m", folder)
        files = HfApi(endpoint=hub.endpoint, token=False).list_repo_files("o/m")
    assert set(files) == {".gitattributes", "sub/a.txt"}
    os.mkfifo(folder / "pipe")
    with pytest.raises(HubExpertError, match="pipe is no regular file"):
        store.add_folder("o/m", folder)


def test_many_deletions_take_little_time() -> None:
    entry = FileEntry(oid="0" * 40, size=1, sha256="0" * 64, lfs=False)
    files = {f"{number}/{name}": entry for number in range(20_000) for name in "ab"}
    edits = [edit for number in range(20_000) for edit in (Edit(f"{number}", folder=True), Edit(f"{number}/c", entry))]
    start = time.monotonic()
    assert apply_edits(files, edits).keys() == {f"{number}/c" for number in range(20_000)}
    assert time.monotonic() - start < 10  # with a walk through all files for each, minutes
    assert apply_edits({}, [Edit("d/a", entry), Edit("d/a"), Edit("d/a", entry), Edit("d", folder=True)]) == {}
    with pytest.raises(Refusal, match="doesn't exist"):
        apply_edits({"d/a": entry, "d0": entry, "d.x": entry}, [Edit("d/a"), Edit("d", folder=True)])


def test_a_blob_is_named_by_its_sha256_and_by_nothing_else(tmp_path: Path) -> None:
    for name in ("../../etc/passwd", "0" * 63, "G" * 64, ""):
        with pytest.raises(Refusal):
            Store(tmp_path).blobs.path(name)


def test_tree_ids_are_those_of_git(tmp_path: Path) -> None:
    names = ["a.txt", "a/b.txt", "a/c/d.txt", "a.b/x", "z", "é/ü.txt", "deep/er/and/deeper"]
    write_folder(tmp_path, dict.fromkeys(names, "same"))

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    blob = git("hash-object", "a.txt").strip()
    entry = FileEntry(oid=blob, size=4, sha256="", lfs=False)
    ids = tree_ids(dict.fromkeys(names, entry))
    root = git("write-tree").strip()
    assert ids[""] == root
    listed = [line.split() for line in git("ls-tree", "-rdz", root).replace("\0", "\n").splitlines()]
    assert {path: oid for _, _, oid, path in listed} == {path: oid for path, oid in ids.items() if path}
