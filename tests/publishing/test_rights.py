"""What a token may not do is told with what helps, and no token is ever told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from hubexpert import hub
from hubexpert.errors import HubExpertError
from tests.discover.faults import Fault, faulty_hub
from tests.discover.making import adapter, card
from tests.publishing.making import a_project, ended, start

PLANTED = "hf_" + "plantedPLANTED" * 3


@pytest.fixture
def expert(tmp_path: Path) -> Path:
    """A folder that has changed since it was published."""
    folder = adapter(tmp_path / "expert", "door/base")
    publish(folder)
    (folder / "README.md").write_text(card("door/base", "mit"))
    return folder


def publish(folder: Path, *, repo: str | None = None, create_pr: bool = False, tag: str | None = None) -> str:
    name = repo or f"tester/{folder.parent.name}"
    return hub.publish(name, folder, message="x", private=False, create_pr=create_pr, tag=tag).url


def fix(folder: Path, *, repo: str | None = None, tag: str | None = None) -> str:
    """The way out that a refusal names."""
    with pytest.raises(HubExpertError, match="no permission") as caught:
        publish(folder, repo=repo, tag=tag)
    return caught.value.fix


def test_a_token_that_only_reads_is_pointed_to_a_pull_request_which_it_may_open(
    expert: Path, read_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", read_token)
    assert "add --create-pr, for which reading suffices" in fix(expert)
    assert publish(expert, create_pr=True).endswith("/discussions/1")


def test_a_tag_alone_needs_the_right_to_write(expert: Path, read_token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(expert)
    monkeypatch.setenv("HF_TOKEN", read_token)
    assert publish(expert)  # nothing to do needs no right
    assert "a token that may write to" in fix(expert, tag="v1")


def test_a_repository_that_may_not_be_made_is_to_be_made_by_hand(
    expert: Path, other_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", other_token)
    assert fix(expert, repo="tester/of-someone-else").startswith("create tester/of-someone-else once by hand")


@pytest.fixture
def workflow(tmp_path: Path, endpoint: str) -> Callable[[str | None], tuple[int, str]]:
    """Publish as a workflow whose identity the Hub takes for that token, or refuses: the exit code, what is told."""
    recipe = a_project(tmp_path / "project", f"tester/{tmp_path.name}")
    identity = {"HF_OIDC_RESOURCE": f"tester/{tmp_path.name}", "HF_OIDC_ID_TOKEN": PLANTED, "HF_TOKEN": ""}

    def run(token: str | None) -> tuple[int, str]:
        body = json.dumps({"access_token": token, "expires_in": 3600}).encode()
        exchange = Fault(200 if token else 403, {"Content-Type": "application/json"}, body=body)
        with faulty_hub(endpoint, lambda method, path, _: exchange if path == "/oauth/token" else None) as (address, _):
            code, out, err = ended(start(recipe, HF_ENDPOINT=address, **identity))
        assert PLANTED not in out + err
        return code, err

    return run


def test_a_workflow_publishes_with_its_own_identity(
    workflow: Callable[[str | None], tuple[int, str]], tmp_path: Path, token: str, read_token: str
) -> None:
    repo = f"tester/{tmp_path.name}"
    trust = f"make this workflow a trusted publisher of {repo} on the Hub, and set HF_OIDC_RESOURCE={repo}"
    code, told = workflow(None)
    assert code == 1
    assert f"The Hub does not take this workflow's identity for a token.\nFix: {trust}, or set HF_TOKEN" in told
    code, told = workflow(read_token)
    assert code == 1
    assert f"Fix: {trust}; or create {repo} once by hand" in told
    assert workflow(token)[0] == 0
    assert HfApi().repo_exists(repo)


def test_a_workflow_that_may_not_ask_for_an_identity_is_told_what_to_grant(tmp_path: Path) -> None:
    recipe = a_project(tmp_path, "tester/no-identity")
    code, _, err = ended(start(recipe, HF_TOKEN="", HF_OIDC_RESOURCE="tester/x", GITHUB_ACTIONS=""))
    assert code == 1
    assert (
        "The exchange of the workflow's identity for a Hub token failed.\nFix: grant the workflow `id-token: write`"
        in err
    )


def test_without_a_token_it_is_told_how_to_get_one(tmp_path: Path) -> None:
    recipe = a_project(tmp_path, "tester/no-token")
    code, out, err = ended(start(recipe, HF_TOKEN="", HF_HOME=str(tmp_path / "home")))
    assert (code, out) == (1, "")
    assert "Error: Publishing needs a Hub token and there is none.\nFix: hf auth login  (or set HF_TOKEN)" in err


def test_no_token_is_told_published_or_in_a_traceback(tmp_path: Path, token: str) -> None:
    recipe, debug = a_project(tmp_path, f"tester/{tmp_path.name}"), {"HF_DEBUG": "1", "HUBEXPERT_DEBUG": "1"}
    code, out, err = ended(start(recipe, HF_TOKEN=PLANTED, **debug))
    assert code == 1
    assert "does not accept the token" in err
    assert "Traceback" in err
    assert "planted" not in (out + err).lower()
    code, out, err = ended(start(recipe, HF_TOKEN=token, **debug))
    assert code == 0
    assert "Request" in err  # the client tells what it sends
    assert token not in out + err
    for name in ("README.md", "hubexpert.lock"):
        assert token not in Path(hf_hub_download(f"tester/{tmp_path.name}", name)).read_text(encoding="utf-8")
