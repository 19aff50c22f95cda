"""Commits, branches, uploads."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, get_session
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RevisionNotFoundError,
)

from hubexpert.localhub.commits import commit_edits
from hubexpert.localhub.discussions import open_discussion
from hubexpert.localhub.records import MAIN, Edit, FileEntry
from hubexpert.localhub.repos import find
from tests.localhub.conftest import Site, head

AUTH = {"Authorization": "Bearer hf_alice"}


def raw_commit(site: Site, repo: str, *changes: Mapping[str, object]) -> tuple[int, str]:
    """Send a commit the client would not; the status and the message of the answer."""
    items = [{"key": "header", "value": {"summary": "raw"}}, *changes]
    body = "\n".join(json.dumps(item) for item in items)
    answer = get_session().post(f"{site.endpoint}/api/models/{repo}/commit/main", content=body, headers=AUTH)
    return answer.status_code, answer.text


def file_change(path: str, content: bytes = b"x") -> dict[str, object]:
    value = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    return {"key": "file", "value": value}


def test_a_commit_on_a_stale_parent_is_refused(site: Site, repo: str) -> None:
    parent = head(site.alice, repo)
    site.alice.create_commit(repo, [CommitOperationAdd("x", b"1")], commit_message="1", parent_commit=parent)
    with pytest.raises(HfHubHTTPError) as caught:
        site.alice.create_commit(repo, [CommitOperationAdd("y", b"1")], commit_message="2", parent_commit=parent)
    assert caught.value.response is not None and caught.value.response.status_code == 412
    assert "y" not in site.alice.list_repo_files(repo)


def test_of_concurrent_commits_on_one_parent_exactly_one_wins(site: Site, repo: str) -> None:
    parent = head(site.alice, repo)

    def attempt(number: int) -> bool:
        api = HfApi(endpoint=site.endpoint, token="hf_alice")
        try:
            add = [CommitOperationAdd(f"{number}.txt", b"1")]
            api.create_commit(repo, add, commit_message=str(number), parent_commit=parent)
        except HfHubHTTPError as error:
            assert error.response is not None and error.response.status_code == 412
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1
    assert len(site.alice.list_repo_commits(repo)) == 4


def test_concurrent_commits_without_a_parent_all_land(site: Site, repo: str) -> None:
    def attempt(number: int) -> None:
        add = [CommitOperationAdd(f"{number}.bin", bytes([0, number]) * 500)]
        HfApi(endpoint=site.endpoint, token="hf_alice").create_commit(repo, add, commit_message=str(number))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, range(6)))
    assert {f"{n}.bin" for n in range(6)} <= set(site.alice.list_repo_files(repo))
    assert len(site.alice.list_repo_commits(repo)) == 3 + 6


def test_files_are_copied_and_deleted(site: Site, repo: str) -> None:
    change = [CommitOperationCopy("b.bin", "d/c.bin"), CommitOperationCopy("a.txt", "d/c.txt")]
    site.alice.create_commit(repo, [*change, CommitOperationDelete("a.txt")], commit_message="move")
    assert set(site.alice.list_repo_files(repo)) == {".gitattributes", "b.bin", "d/c.bin", "d/c.txt"}
    site.alice.create_commit(repo, [CommitOperationDelete("d/")], commit_message="drop")
    assert set(site.alice.list_repo_files(repo)) == {".gitattributes", "b.bin"}
    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        site.alice.create_commit(repo, [CommitOperationDelete("a.txt")], commit_message="again")


def test_committing_what_is_there_makes_no_commit(site: Site, repo: str) -> None:
    before = head(site.alice, repo)
    assert site.alice.upload_file(path_or_fileobj=b"hello", path_in_repo="a.txt", repo_id=repo).oid == before
    assert raw_commit(site, repo, file_change("a.txt", b"hello"))[0] == 200
    assert head(site.alice, repo) == before


def test_the_history_is_told_newest_first(site: Site, repo: str) -> None:
    site.alice.upload_file(
        path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=repo, commit_message="T", commit_description="D"
    )
    newest, *_, first = site.alice.list_repo_commits(repo, formatted=True)
    assert (newest.title, newest.message, newest.authors, newest.formatted_title) == ("T", "D", ["alice"], "T")
    assert first.title == "initial commit" and newest.commit_id == head(site.alice, repo)
    assert site.alice.list_repo_files(repo, revision=first.commit_id) == [".gitattributes"]
    assert site.alice.model_info(repo, revision=newest.commit_id[:9]).sha == newest.commit_id


def test_squashing_leaves_the_files_and_one_commit(site: Site, repo: str) -> None:
    files = site.alice.list_repo_files(repo)
    site.alice.super_squash_history(repo, commit_message="all")
    assert [c.title for c in site.alice.list_repo_commits(repo)] == ["all"]
    assert site.alice.list_repo_files(repo) == files


def test_branches_and_tags_live_and_die(site: Site, repo: str) -> None:
    start = head(site.alice, repo)
    site.alice.create_branch(repo, branch="feature/x")
    site.alice.upload_file(path_or_fileobj=b"1", path_in_repo="d/x.txt", repo_id=repo, revision="feature/x")
    assert "d/x.txt" in site.alice.list_repo_files(repo, revision="feature/x")
    assert [f.path for f in site.alice.list_repo_tree(repo, "d", revision="feature/x")] == ["d/x.txt"]
    assert site.alice.file_exists(repo, "d/x.txt", revision="feature/x")
    assert head(site.alice, repo) == start
    site.alice.create_tag(repo, tag="v1", revision="feature/x")
    refs = site.alice.list_repo_refs(repo, include_pull_requests=True)
    assert [b.name for b in refs.branches] == ["feature/x", "main"] and [t.ref for t in refs.tags] == ["refs/tags/v1"]
    with pytest.raises(HfHubHTTPError, match="409"):
        site.alice.create_branch(repo, branch="feature/x")
    site.alice.delete_branch(repo, branch="feature/x")
    assert site.alice.file_exists(repo, "d/x.txt", revision="v1")
    site.alice.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        site.alice.delete_branch(repo, branch="v1")
    with pytest.raises(RevisionNotFoundError):
        site.alice.list_repo_files(repo, revision="v1")
    with pytest.raises(HfHubHTTPError, match="403"):
        site.alice.delete_branch(repo, branch="main")


@pytest.mark.parametrize("name", ["a..b", "refs/heads/x", "-x", "a b", "x.lock", "f" * 40, "a\\b", "refs"])
def test_unusable_names_of_branches_are_refused(site: Site, repo: str, name: str) -> None:
    with pytest.raises(BadRequestError):
        site.alice.create_branch(repo, branch=name)


def test_long_histories_and_lists_of_discussions_come_in_pages(site: Site, repo: str) -> None:
    with site.store.writing() as db:
        found = find(db, "model", repo)
        assert found is not None
        for number in range(1100):
            edit = Edit("n.txt", FileEntry(f"{number:040x}", 1, "0" * 64, lfs=False))
            commit_edits(db, site.store.blobs, found, MAIN, [edit], title=str(number), author="alice")
        for number in range(120):
            open_discussion(db, found, title=str(number), author="bob", status="open", base=None)
    titles = [commit.title for commit in site.nobody.list_repo_commits(repo)]
    assert titles[:1100] == [str(number) for number in reversed(range(1100))] and len(titles) == 1103
    numbers = [item.num for item in site.nobody.get_repo_discussions(repo)]
    assert numbers == list(range(120, 0, -1))


def test_a_moved_repository_answers_under_its_new_id_only(site: Site, repo: str, new_id: Callable[..., str]) -> None:
    files, target = site.alice.list_repo_files(repo), new_id("moved", "lab")
    site.alice.move_repo(repo, target)
    assert not site.alice.repo_exists(repo) and site.bob.list_repo_files(target) == files
    site.bob.upload_file(path_or_fileobj=b"1", path_in_repo="x", repo_id=target)
    assert "x" in site.nobody.list_repo_files(target)


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../b", "/etc/passwd", "a//b", "a/./b", "x\0y", "a\\b", "", ".", "a/", ".git/config", "a\nb", "\u202ex"],
)
def test_hostile_paths_are_refused(site: Site, repo: str, path: str) -> None:
    before = head(site.alice, repo)
    assert raw_commit(site, repo, file_change(path))[0] == 400
    assert head(site.alice, repo) == before


def test_a_file_cannot_be_a_folder(site: Site, repo: str) -> None:
    assert raw_commit(site, repo, file_change("a.txt/b"))[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"key": "lfsFile", "value": {"path": "x", "algo": "sha256", "oid": "0" * 64, "size": 1}},
        {"key": "lfsFile", "value": {"path": "x", "algo": "sha256", "oid": "../../x", "size": 1}},
        {"key": "file", "value": {"path": "x", "content": "?", "encoding": "base64"}},
        {"key": "file", "value": {"path": "x", "content": "\ud800"}},
        {"key": "surprise", "value": {"path": "x"}},
        {"key": "file"},
        {"key": "header", "value": {"summary": 1}},
    ],
)
def test_a_malformed_change_is_refused(site: Site, repo: str, change: dict[str, object]) -> None:
    before = head(site.alice, repo)
    assert raw_commit(site, repo, change)[0] == 400
    assert head(site.alice, repo) == before


def test_a_commit_beyond_any_sane_size_is_refused(site: Site, repo: str) -> None:
    huge = {"key": "file", "value": {"path": "x", "content": "A" * (34 << 20), "encoding": "base64"}}
    assert raw_commit(site, repo, huge)[0] == 413
    many = {"key": "deletedFile", "value": {"path": "x"}}
    assert raw_commit(site, repo, *[many] * 100_001)[0] == 413


def test_a_commit_has_one_header_and_it_comes_first(site: Site, repo: str) -> None:
    before, header = head(site.alice, repo), json.dumps({"key": "header", "value": {"summary": "x"}})
    line, url = json.dumps(file_change("x.txt")), f"{site.endpoint}/api/models/{repo}/commit/main"
    for body in (f"{line}\n{header}", f"{header}\n{line}\n{header}", line, ""):
        assert get_session().post(url, content=body, headers=AUTH).status_code == 400
    assert head(site.alice, repo) == before


def test_an_upload_must_be_what_was_announced(site: Site, repo: str) -> None:
    content = b"\0announced"
    sha256 = hashlib.sha256(content).hexdigest()
    batch = {"operation": "upload", "objects": [{"oid": sha256, "size": len(content)}]}
    url = f"{site.endpoint}/{repo}.git/info/lfs/objects/batch"
    href = get_session().post(url, json=batch, headers=AUTH).json()["objects"][0]["actions"]["upload"]["href"]
    for wrong in (b"\0another..", content + b"more", b""):
        assert get_session().put(href, content=wrong).status_code == 400
    assert get_session().put(href.replace("size=10", "size=11"), content=content + b"!").status_code == 403
    assert site.store.blobs.size(sha256) is None
    assert get_session().put(href, content=content).status_code == 200
    assert "actions" not in get_session().post(url, json=batch, headers=AUTH).json()["objects"][0]
    assert list(site.store.blobs.partial.iterdir()) == []


def test_xet_uploads_are_told_what_to_do(site: Site, repo: str) -> None:
    answer = get_session().get(f"{site.endpoint}/api/models/{repo}/xet-write-token/main", headers=AUTH)
    assert answer.status_code == 404 and "HF_HUB_DISABLE_XET=1" in answer.headers["X-Error-Message"]
