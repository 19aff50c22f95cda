"""Trusted publishers: a workflow's identity for a token, and what that token may do."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from huggingface_hub import CommitOperationAdd, HfApi, get_session
from huggingface_hub._oidc import exchange_oidc_token, oidc_login
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from hubexpert.errors import HubExpertError
from hubexpert.localhub import LocalHub, Publisher, Store
from hubexpert.localhub.publishers import read_publishers
from tests.issuer import Issuer, issuer
from tests.localhub.conftest import TOKENS, write_folder
from tests.localhub.test_access import status

CLAIMS = {"repository": "octo/expert", "ref": "refs/heads/main"}
MINE, OTHER, DATA, PRIVATE, GATED = "alice/mine", "alice/other", "alice/rows", "alice/private", "alice/gated"


@pytest.fixture(scope="module")
def github() -> Iterator[Issuer]:
    with issuer() as server:
        yield server


@pytest.fixture(scope="module")
def hub(github: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Hub of alice's that trusts one workflow with a model, a dataset, and alice's gated models."""
    folder = tmp_path_factory.mktemp("trusting")
    store = Store(folder / "hub")
    for repo, kind in ((MINE, "model"), (OTHER, "model"), (PRIVATE, "model"), (GATED, "model"), (DATA, "dataset")):
        files = write_folder(folder / repo, {"a.txt": "a"})
        store.add_folder(repo, files, repo_type=kind, private=repo in (MINE, PRIVATE))  # type: ignore[arg-type]
    publishers = [
        Publisher(MINE, github.address, {**CLAIMS, "environment": "none"}),
        Publisher(MINE, github.address, CLAIMS),
        Publisher(f"datasets/{DATA}", github.address, CLAIMS, read_only=True),
        Publisher("alice", github.address, CLAIMS),
        Publisher("nobody", github.address, CLAIMS),
        Publisher("alice/never-made", github.address, CLAIMS),
    ]
    with LocalHub(folder / "hub", tokens=TOKENS, publishers=publishers) as running:
        HfApi(endpoint=running.endpoint, token="hf_alice").update_repo_settings(GATED, gated="auto")
        yield running.endpoint


def exchanged(hub: str, identity: str, resource: str = MINE) -> HfApi:
    """The API, as seen with the token that was given for this identity."""
    given = exchange_oidc_token(subject_token=identity, resource=resource, endpoint=hub)
    assert (given["token_type"], given["expires_in"]) == ("bearer", 3600)
    return HfApi(endpoint=hub, token=given["access_token"])


def refusal(hub: str, identity: str, resource: str = MINE) -> str:
    """Which OAuth error an exchange ends with."""
    with pytest.raises(HfHubHTTPError) as caught:
        exchange_oidc_token(subject_token=identity, resource=resource, endpoint=hub)
    assert caught.value.response.status_code == 400
    answer = caught.value.response.json()
    assert set(answer) == {"error", "error_description"}
    return str(answer["error"])


def test_a_workflow_writes_to_its_repository(hub: str, github: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the client does it on GitHub: the runner's address gives the identity, made for this Hub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{github.address}/identity?api-version=2.0")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-runner-may-ask")
    api = HfApi(endpoint=hub, token=oidc_login(resource=MINE, endpoint=hub)["access_token"])
    api.upload_file(path_or_fileobj=b"1", path_in_repo="x.txt", repo_id=MINE)
    assert api.list_repo_commits(MINE)[0].authors == ["[OIDC]"]
    api.upload_file(path_or_fileobj=bytes(range(256)) * 40, path_in_repo="x.bin", repo_id=MINE)
    pull = api.create_commit(MINE, [CommitOperationAdd("y", b"1")], commit_message="y", create_pr=True)
    assert pull.pr_num is not None
    api.comment_discussion(MINE, pull.pr_num, "mine")
    api.merge_pull_request(MINE, pull.pr_num)
    api.create_tag(MINE, tag="v1")
    assert "y" in api.list_repo_files(MINE)


def test_and_to_nothing_else(hub: str, github: Issuer) -> None:
    """What is public it reads, as everyone does."""
    api = exchanged(hub, github.identity(hub))
    assert "a.txt" in api.list_repo_files(OTHER)
    assert PRIVATE not in [each.id for each in api.list_models()]
    for call in (api.model_info, api.list_repo_files, api.delete_repo):
        with pytest.raises(RepositoryNotFoundError):
            call(PRIVATE)
    with pytest.raises(GatedRepoError):
        api.auth_check(GATED)
    add = [CommitOperationAdd("x", b"1")]
    refused: list[Callable[[], object]] = [
        lambda: api.create_commit(OTHER, add, commit_message="x"),
        lambda: api.create_commit(OTHER, add, commit_message="x", create_pr=True),
        lambda: api.create_discussion(OTHER, "x"),
        lambda: api.create_repo("alice/new"),
        lambda: api.create_repo("lab/new"),
        lambda: api.delete_repo(MINE),
        lambda: api.move_repo(MINE, "alice/moved"),
        lambda: api.update_repo_settings(MINE, private=False),
        lambda: api.whoami(cache=False),
        lambda: list(api.list_jobs(namespace="alice")),
    ]
    assert [status(each) for each in refused] == [403] * len(refused)


def test_a_dataset_of_the_same_name_is_another_repository(hub: str, github: Issuer) -> None:
    HfApi(endpoint=hub, token="hf_alice").create_repo(MINE, repo_type="dataset", private=True)
    api = exchanged(hub, github.identity(hub))
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(MINE)


def test_a_publisher_that_reads_only_gives_no_right_to_write(hub: str, github: Issuer) -> None:
    api = exchanged(hub, github.identity(hub), f"datasets/{DATA}")
    assert "a.txt" in api.list_repo_files(DATA, repo_type="dataset")
    assert status(lambda: api.delete_file("a.txt", DATA, repo_type="dataset")) == 403


def test_a_workflow_that_reads_as_a_user_reads_what_is_gated_and_nothing_private(hub: str, github: Issuer) -> None:
    api = exchanged(hub, github.identity(hub), "alice")
    assert Path(api.hf_hub_download(GATED, "a.txt", force_download=True)).read_text() == "a"
    assert PRIVATE not in [each.id for each in api.list_models()]
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(PRIVATE)
    assert status(lambda: api.upload_file(path_or_fileobj=b"1", path_in_repo="x", repo_id=GATED)) == 403
    assert status(lambda: api.create_discussion(GATED, "x")) == 403
    assert status(lambda: api.create_repo("alice/new")) == 403


FALSE: dict[str, dict[str, Any]] = {
    "of another repository": {"repository": "mallory/expert"},
    "of another branch": {"ref": "refs/heads/main-backup"},
    "of a branch that is not told": {"ref": None},
    "for another service": {"audience": "https://pypi.org"},
    "for nobody": {"audience": None},
    "of another issuer": {"iss": "https://token.actions.githubusercontent.com"},
    "of yesterday": {"iat": int(time.time()) - 90_000, "exp": int(time.time()) - 86_400},
    "for ever": {"exp": None},
    "not valid yet": {"nbf": int(time.time()) + 900},
    "without a subject": {"sub": None},
}


@pytest.mark.parametrize("changed", FALSE.values(), ids=FALSE)
def test_an_identity_that_is_not_the_publishers_gets_nothing(hub: str, github: Issuer, changed: dict[str, Any]) -> None:
    assert refusal(hub, github.identity(**{"audience": hub, **changed})) == "invalid_grant"


def test_what_the_issuer_did_not_sign_gets_nothing(hub: str, github: Issuer) -> None:
    import jwt

    true = github.identity(hub)
    claims = jwt.decode(true, options={"verify_signature": False})
    stranger = rsa.generate_private_key(65537, 2048)
    public = str(github.published()["keys"][0]["n"])
    head, body, signature = true.split(".")
    for forged in (
        jwt.encode(claims, stranger, "RS256", {"kid": "1"}),
        jwt.encode(claims, stranger, "RS256", {"kid": "7"}),
        jwt.encode(claims, None, "none", {"kid": "1"}),  # type: ignore[arg-type]
        jwt.encode(claims, public, "HS256", {"kid": "1"}),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-6]}AAAAAA",
        "no-token",
        "",
    ):
        assert refusal(hub, forged) == "invalid_grant"


@pytest.mark.parametrize(
    "resource", [OTHER, DATA, MINE.upper(), f"datasets/{MINE}", "alice/never-made", "bob", "nobody", ""]
)
def test_a_resource_without_such_a_publisher_gets_nothing(hub: str, github: Issuer, resource: str) -> None:
    assert refusal(hub, github.identity(hub), resource) == "invalid_grant"


def test_what_anybody_sends_is_logged_in_short(hub: str, github: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    """Else it would fill the disk that the log lies on."""
    refusal(hub, github.identity(hub, iss="https://" + "i" * 100_000), "r" * 100_000)
    (record,) = caplog.records
    assert "rrr" in record.getMessage() and "iii" in record.getMessage()
    assert len(record.getMessage()) < 1000


def test_requests_of_another_form_are_told_so(hub: str) -> None:
    good = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "subject_token": "x",
        "resource": MINE,
    }
    cases: list[tuple[dict[str, Any], str]] = [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"subject_token_type": "x"}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"resource": 1}, "invalid_request"),
        ({"subject_token": "\ud800.x.y"}, "invalid_grant"),
    ]
    for changed, error in cases:
        answer = get_session().post(f"{hub}/oauth/token", content=json.dumps({**good, **changed}))
        assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_new_key_of_the_issuer_is_looked_for(tmp_path: Path) -> None:
    """Once: who sends names of keys that there are not makes this server ask no more often than every ten seconds."""
    with issuer() as github:
        Store(tmp_path / "hub").add_folder(MINE, write_folder(tmp_path / "f", {"a.txt": "a"}))
        with LocalHub(tmp_path / "hub", publishers=[Publisher(MINE, github.address, CLAIMS)]) as running:
            exchanged(running.endpoint, github.identity(running.endpoint))
            github.keys.append(rsa.generate_private_key(65537, 2048))
            for _ in range(3):
                assert refusal(running.endpoint, github.identity(running.endpoint)) == "invalid_grant"
            assert github.asked.count("/keys") == 1
            github.keys.pop()
            exchanged(running.endpoint, github.identity(running.endpoint))


def test_an_issuer_that_describes_another_or_is_away_vouches_for_nothing(tmp_path: Path) -> None:
    with issuer() as github:
        Store(tmp_path / "hub").add_folder(MINE, write_folder(tmp_path / "f", {"a.txt": "a"}))
        with LocalHub(tmp_path / "hub", publishers=[Publisher(MINE, github.address, CLAIMS)]) as running:
            keys = ("http://example.org/keys", "https://example.org/\n", "https://[", 1)
            for name, told in (("issuer", "https://example.org"), *(("jwks_uri", each) for each in keys)):
                before, github.describes = github.describes, {**github.describes, name: told}
                assert refusal(running.endpoint, github.identity(running.endpoint)) == "invalid_grant"
                github.describes = before
            github.shutdown()
            github.server_close()
            assert refusal(running.endpoint, github.identity(running.endpoint)) == "invalid_grant"


def test_the_audience_is_the_address_that_is_told(tmp_path: Path, github: Issuer) -> None:
    """Behind a proxy clients know the Hub by another name; what a request calls it counts for nothing."""
    Store(tmp_path / "hub").add_folder(MINE, write_folder(tmp_path / "f", {"a.txt": "a"}))
    publisher = Publisher(MINE, github.address, CLAIMS)
    with LocalHub(tmp_path / "hub", publishers=[publisher], audience="https://hub.example.org") as running:
        exchanged(running.endpoint, github.identity("https://hub.example.org"))
        assert refusal(running.endpoint, github.identity(running.endpoint)) == "invalid_grant"


def test_publishers_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "publishers.yaml"
    file.write_text(
        "- {resource: me/expert, issuer: 'https://token.actions.githubusercontent.com', claims: {repository: me/x}}\n"
        "- {resource: me, issuer: 'http://localhost:1', claims: {sub: x}, read_only: true}\n"
    )
    first, second = read_publishers(file)
    assert first == Publisher("me/expert", "https://token.actions.githubusercontent.com", {"repository": "me/x"})
    assert (second.is_user, second.read_only) == (True, True)


BAD = {
    "no list": "resource: me/x",
    "nothing": "",
    "no YAML": "- {",
    "no claims": "- {resource: me/x, issuer: 'https://a.b'}",
    "empty claims": "- {resource: me/x, issuer: 'https://a.b', claims: {}}",
    "claims that are no text": "- {resource: me/x, issuer: 'https://a.b', claims: {run: 1}}",
    "an unknown member": "- {resource: me/x, issuer: 'https://a.b', claims: {a: b}, readonly: true}",
    "no resource": "- {resource: a/b/c, issuer: 'https://a.b', claims: {a: b}}",
    "an issuer at no address": "- {resource: me/x, issuer: 'https://[a', claims: {a: b}}",
    "an issuer without TLS": "- {resource: me/x, issuer: 'http://a.b', claims: {a: b}}",
    "an issuer with a slash": "- {resource: me/x, issuer: 'https://a.b/', claims: {a: b}}",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "publishers.yaml").write_text(text)
    with pytest.raises(HubExpertError) as caught:
        read_publishers(tmp_path / "publishers.yaml")
    assert caught.value.fix
