"""Contents and lists of files."""

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi, HfFileSystem, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, RemoteEntryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder
from huggingface_hub.utils._http import parse_ratelimit_headers
from huggingface_hub.utils.sha import git_hash

from hubexpert.localhub import LocalHub
from tests.localhub.conftest import Site, write_folder

LARGE = bytes(range(256)) * 40


def test_downloads_are_what_was_uploaded(site: Site, repo: str, tmp_path: Path) -> None:
    assert Path(site.nobody.hf_hub_download(repo, "a.txt", cache_dir=tmp_path)).read_bytes() == b"hello"
    assert Path(site.nobody.hf_hub_download(repo, "b.bin", cache_dir=tmp_path)).read_bytes() == LARGE
    snapshot = site.nobody.snapshot_download(repo, cache_dir=tmp_path / "s", allow_patterns="*.bin")
    assert [p.name for p in Path(snapshot).iterdir()] == ["b.bin"]


def test_a_head_tells_commit_size_and_etag(site: Site, repo: str) -> None:
    sha = site.nobody.model_info(repo).sha
    small = get_hf_file_metadata(hf_hub_url(repo, "a.txt", endpoint=site.endpoint), token=False)
    assert (small.commit_hash, small.etag, small.size) == (sha, git_hash(b"hello"), 5)
    large = get_hf_file_metadata(hf_hub_url(repo, "b.bin", endpoint=site.endpoint), token=False)
    assert (large.commit_hash, large.size) == (sha, len(LARGE)) and len(large.etag or "") == 64


def test_a_large_file_comes_from_another_origin_without_a_token(site: Site, repo: str) -> None:
    site.alice.update_repo_settings(repo, private=True)
    url = f"{site.endpoint}/{repo}/resolve/main/b.bin"
    answer = get_session().get(url, headers={"Authorization": "Bearer hf_alice"}, follow_redirects=False)
    location = answer.headers["Location"]
    assert answer.status_code == 302 and urlsplit(location).hostname == "localhost"
    assert (answer.headers["X-Linked-Size"], len(answer.headers["X-Repo-Commit"])) == (str(len(LARGE)), 40)
    content = get_session().get(location)
    assert content.content == LARGE and 'filename="b.bin"' in content.headers["Content-Disposition"]
    assert get_session().get(location[:-1] + ("0" if location[-1] != "0" else "1")).status_code == 403
    assert get_session().put(location, content=b"").status_code == 403
    assert get_session().get(location.replace("b.bin", "b.html")).status_code == 403


def test_where_others_can_reach_the_server_it_keeps_to_one_origin(tmp_path: Path) -> None:
    with LocalHub(tmp_path / "hub", host="0.0.0.0") as hub:  # noqa: S104 - what is tested, for a moment
        from hubexpert.localhub import Store

        Store(tmp_path / "hub").add_folder("o/m", write_folder(tmp_path / "f", {"b.bin": LARGE}))
        answer = get_session().get(f"{hub.endpoint}/o/m/resolve/main/b.bin", follow_redirects=False)
        assert answer.status_code == 200 and answer.content == LARGE
        assert answer.headers["X-Linked-ETag"] == answer.headers["ETag"]
        named = get_session().get(f"{hub.endpoint}/api/models", headers={"Host": "node7:80"})
        assert named.status_code == 200


@pytest.mark.parametrize("name", ["a.txt", "b.bin"])
def test_ranges_are_served(site: Site, repo: str, name: str) -> None:
    content = b"hello" if name == "a.txt" else LARGE
    url = f"{site.endpoint}/{repo}/resolve/main/{name}"

    def get(span: str) -> tuple[int, bytes, str | None]:
        answer = get_session().get(url, headers={"Range": f"bytes={span}"}, follow_redirects=True)
        return answer.status_code, answer.content, answer.headers.get("Content-Range")

    size = len(content)
    assert get("1-3") == (206, content[1:4], f"bytes 1-3/{size}")
    assert get("2-") == (206, content[2:], f"bytes 2-{size - 1}/{size}")
    assert get("-2") == (206, content[-2:], f"bytes {size - 2}-{size - 1}/{size}")
    assert get(f"0-{size * 9}") == (206, content, f"bytes 0-{size - 1}/{size}")
    assert get(f"{size}-")[::2] == (416, f"bytes */{size}")


def test_a_file_system_reads_in_the_middle(site: Site, repo: str) -> None:
    files = HfFileSystem(endpoint=site.endpoint, token=False)
    with files.open(f"{repo}/b.bin") as file:
        file.seek(300)
        assert file.read(5) == LARGE[300:305]
    assert f"{repo}/a.txt" in files.ls(repo, detail=False)


def test_what_is_missing_is_named(site: Site, repo: str) -> None:
    with pytest.raises(EntryNotFoundError):
        site.nobody.hf_hub_download(repo, "zz.txt")
    with pytest.raises(RevisionNotFoundError):
        site.nobody.hf_hub_download(repo, "a.txt", revision="zz")
    with pytest.raises(RemoteEntryNotFoundError):
        list(site.nobody.list_repo_tree(repo, "zz"))
    assert not site.nobody.file_exists(repo, "zz") and not site.nobody.revision_exists(repo, "zz")
    assert not site.nobody.repo_exists("gpt2")


def test_the_tree_tells_ids_sizes_and_last_commits(site: Site, repo: str) -> None:
    made = site.alice.upload_folder(
        repo_id=repo, folder_path=_folder(site, repo), commit_message="more", path_in_repo="d"
    ).oid
    every = {item.path: item for item in site.nobody.list_repo_tree(repo, recursive=True, expand=True)}
    assert set(every) == {".gitattributes", "a.txt", "b.bin", "d", "d/é 1.txt", "d/e", "d/e/y.bin"}
    small, folder, large = every["a.txt"], every["d"], every["d/e/y.bin"]
    assert isinstance(small, RepoFile) and isinstance(folder, RepoFolder) and isinstance(large, RepoFile)
    assert (small.blob_id, small.size, small.lfs) == (git_hash(b"hello"), 5, None)
    assert large.lfs is not None and large.lfs.size == large.size == 3
    assert folder.last_commit is not None and folder.last_commit.oid == made
    assert small.last_commit is not None and small.last_commit.title.startswith("Add a.txt")
    assert {i.path for i in site.nobody.list_repo_tree(repo)} == {".gitattributes", "a.txt", "b.bin", "d"}
    assert {i.path for i in site.nobody.list_repo_tree(repo, "d")} == {"d/é 1.txt", "d/e"}
    infos = site.nobody.get_paths_info(repo, ["d", "d/é 1.txt", "zz"], expand=True)
    assert [i.path for i in infos] == ["d", "d/é 1.txt"] and all(i.last_commit for i in infos)
    assert site.nobody.file_exists(repo, "d/é 1.txt")
    blobs = site.nobody.model_info(repo, files_metadata=True).siblings or []
    assert {s.rfilename: s.size for s in blobs}["b.bin"] == len(LARGE)


def _folder(site: Site, repo: str) -> Path:
    return write_folder(site.store.root.parent / repo, {"é 1.txt": "1", "e/y.bin": b"\0\1\2"})


def test_long_trees_come_in_pages(tmp_path: Path) -> None:
    from hubexpert.localhub import Store

    store = Store(tmp_path / "hub")
    store.add_folder(
        "o/d", write_folder(tmp_path / "f", {f"{n:04}.txt": "same" for n in range(1200)}), repo_type="dataset"
    )
    with LocalHub(store.root) as hub:
        api = HfApi(endpoint=hub.endpoint, token=False)
        assert len(api.list_repo_files("o/d", repo_type="dataset")) == 1201
        some = api.list_repo_tree("o/d", repo_type="dataset", expand=True)
        assert sum(item.last_commit is not None for item, _ in zip(some, range(120), strict=False)) == 120


def test_uploads_are_served_as_inert_text(site: Site, repo: str) -> None:
    page = b"<script>alert(1)</script>"
    for name in ("x.html", "x.svg", "x.md"):
        site.alice.upload_file(path_or_fileobj=page, path_in_repo=name, repo_id=repo)
        headers = get_session().get(f"{site.endpoint}/{repo}/resolve/main/{name}").headers
        assert headers["Content-Type"].split(";")[0] in ("text/plain", "application/octet-stream")
        assert headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in headers["Content-Security-Policy"]


def test_pages_for_people_show_strangers_text_as_text(site: Site, repo: str) -> None:
    card = "---\nlicense: mit\n---\n<script>alert(1)</script> & <img src=x>"
    site.alice.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=repo)
    site.alice.upload_file(path_or_fileobj=b"1", path_in_repo="<b>.txt", repo_id=repo)
    for path in ("/", f"/{repo}"):
        answer = get_session().get(site.endpoint + path)
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"
        )
        assert "<script>" not in answer.text and "<img" not in answer.text and "<b>" not in answer.text
        assert repo in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in get_session().get(f"{site.endpoint}/{repo}").text


@pytest.mark.parametrize(
    "path",
    [
        "/{repo}/../../etc/passwd/resolve/main/x",
        "/api/models/..%2F..%2Fetc/passwd",
        "/{repo}/resolve/main/..%2F..%2F..%2Fetc%2Fpasswd",
        "/{repo}/resolve/../../../etc/passwd",
        "/lfs/..%2F..%2Fetc%2Fpasswd?size=1&expires=9999999999&signature=0",
        "/lfs/%00?size=1",
        "/{repo}/resolve/main/%00x",
        "/{repo}/resolve/main/a%1bb%7f%c2%85",
        "/{repo}/resolve/%01/a.txt",
        "/api/models/{repo}/tree/main/%00",
        "/api/models/a%00b/c",
        "/%ff%fe/%c3%28",
        "/api/models/a/b/tree/",
        "//",
    ],
)
def test_hostile_addresses_find_nothing(site: Site, repo: str, path: str) -> None:
    """The path goes out as written: a client would tidy it up."""
    address = urlsplit(site.endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    try:
        connection.putrequest("GET", path.format(repo=repo), skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status in (400, 401, 403, 404)
        assert b"root:" not in answer.read()
    finally:
        connection.close()


def test_every_answer_tells_what_is_left_of_the_quota(site: Site, repo: str) -> None:
    for path, kind in ((f"/{repo}/resolve/main/a.txt", "resolvers"), ("/api/models", "api"), ("/zz", "api")):
        info = parse_ratelimit_headers(get_session().get(site.endpoint + path).headers)
        assert info is not None and info.resource_type == kind and info.limit and info.window_seconds == 300
        assert 0 < info.remaining < info.limit and 0 < info.reset_in_seconds <= 300
