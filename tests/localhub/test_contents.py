"""Contents are kept once for all repositories, and still nobody reads what is not theirs by knowing its sha256."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, get_session
from huggingface_hub.hf_api import RepoFile

from hubexpert.localhub import LocalHub
from hubexpert.localhub.records import Refusal
from hubexpert.localhub.signing import Signer
from tests.localhub.conftest import TOKENS, Site

SECRET = b"---\nlicense: mit\npretty_name: the secret\n---\n\0" + bytes(range(256)) * 8
SHA256 = hashlib.sha256(SECRET).hexdigest()


@pytest.fixture(params=["gated", "private"])
def guarded(request: pytest.FixtureRequest, site: Site, new_id: Callable[..., str]) -> str:
    """A repository of alice whose one large file others cannot read."""
    repo_id = new_id("guarded")
    site.alice.create_repo(repo_id, private=request.param == "private")
    if request.param == "gated":
        site.alice.update_repo_settings(repo_id, gated="auto")
    site.alice.upload_file(path_or_fileobj=SECRET, path_in_repo="w.bin", repo_id=repo_id)
    return repo_id


def announce(endpoint: str, repo: str, token: str) -> str | None:
    """Where the Hub wants the content to be put, if it does."""
    batch = {"operation": "upload", "objects": [{"oid": SHA256, "size": len(SECRET)}]}
    url, headers = f"{endpoint}/{repo}.git/info/lfs/objects/batch", {"Authorization": f"Bearer {token}"}
    answer = get_session().post(url, json=batch, headers=headers).json()["objects"][0]
    return str(answer["actions"]["upload"]["href"]) if "actions" in answer else None


def name_it(endpoint: str, repo: str, token: str, path: str = "stolen.bin") -> tuple[int, str]:
    """Propose a commit that names the content without sending it; the status and the message."""
    change = {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": SHA256, "size": len(SECRET)}}
    body = "\n".join(map(json.dumps, ({"key": "header", "value": {"summary": "x"}}, change)))
    url, headers = f"{endpoint}/api/models/{repo}/commit/main?create_pr=1", {"Authorization": f"Bearer {token}"}
    answer = get_session().post(url, content=body, headers=headers)
    return answer.status_code, answer.headers.get("X-Error-Message", "")


def test_a_guarded_content_cannot_be_named_elsewhere(site: Site, repo: str, guarded: str) -> None:
    for token in ("hf_carol", "hf_bob", "hf_alice"):
        status, message = name_it(site.endpoint, repo, token)
        assert (status, message) == (400, "The LFS object of stolen.bin was not uploaded.")
        assert announce(site.endpoint, repo, token)
    assert get_session().get(f"{site.endpoint}/{repo}/resolve/refs%2Fpr%2F1/stolen.bin").status_code == 404


def test_who_may_not_open_a_repository_cannot_read_it_by_a_proposal_to_it(site: Site, guarded: str) -> None:
    """The metadata of a gated repository's README is for everyone: its weights must not become its README."""
    if site.alice.model_info(guarded).private:
        assert name_it(site.endpoint, guarded, "hf_carol")[0] == 404
        return
    assert name_it(site.endpoint, guarded, "hf_carol", "README.md")[0] == 400
    assert announce(site.endpoint, guarded, "hf_carol")
    assert site.nobody.model_info(guarded).card_data is None


def test_what_is_in_a_repository_is_not_sent_again(site: Site, guarded: str) -> None:
    assert announce(site.endpoint, guarded, "hf_alice") is None
    assert name_it(site.endpoint, guarded, "hf_alice", "again.bin")[0] == 200


def test_who_has_the_content_commits_it_anywhere(site: Site, repo: str, guarded: str) -> None:
    add = [CommitOperationAdd("mine.bin", SECRET)]
    proposal = site.carol.create_commit(repo, add, commit_message="mine", create_pr=True)
    found = site.nobody.get_paths_info(repo, "mine.bin", revision=proposal.pr_revision)[0]
    assert isinstance(found, RepoFile) and found.lfs is not None and found.lfs.sha256 == SHA256
    assert announce(site.endpoint, repo, "hf_bob") is None  # now everyone can read it there


def test_an_upload_is_its_sender_s_alone_and_survives_a_restart(tmp_path: Path) -> None:
    with LocalHub(tmp_path, tokens=TOKENS) as hub:
        HfApi(endpoint=hub.endpoint, token="hf_alice").create_repo("alice/m")
        href = announce(hub.endpoint, "alice/m", "hf_carol")
        assert href is not None and get_session().put(href, content=SECRET).status_code == 200
    with LocalHub(tmp_path, tokens=TOKENS) as hub:
        assert announce(hub.endpoint, "alice/m", "hf_bob")
        assert announce(hub.endpoint, "alice/m", "hf_carol") is None
        assert name_it(hub.endpoint, "alice/m", "hf_bob")[0] == 400
        assert name_it(hub.endpoint, "alice/m", "hf_carol")[0] == 200


def test_an_upload_cannot_be_passed_off_as_another_s(site: Site, repo: str) -> None:
    href = announce(site.endpoint, repo, "hf_carol")
    assert href is not None
    assert get_session().put(href.replace("user=carol", "user=alice"), content=SECRET).status_code == 403


def test_a_signed_address_expires() -> None:
    fresh, stale = Signer(b"secret", 60), Signer(b"secret", -1)

    def query(signer: Signer) -> dict[str, str]:
        return dict(part.split("=") for part in signer.path("get", SHA256, {"name": "x"}).partition("?")[2].split("&"))

    assert fresh.check("get", SHA256, query(fresh))["name"] == "x"
    later = str(int(query(fresh)["expires"]) + 60)
    for refused in (query(stale), query(stale) | {"expires": later}, query(fresh) | {"expires": later}):
        with pytest.raises(Refusal, match="not any more"):
            fresh.check("get", SHA256, refused)
