"""Who may do what: tokens, scopes, private and gated repositories."""

from collections.abc import Callable

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, get_session
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tests.localhub.conftest import Site


def status(call: Callable[[], object]) -> int:
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    assert caught.value.response is not None
    return int(caught.value.response.status_code)


def test_a_token_tells_its_user_and_scope(site: Site) -> None:
    assert (site.alice.whoami()["name"], site.alice.whoami()["auth"]["accessToken"]["role"]) == ("alice", "write")
    assert (site.carol.whoami()["name"], site.carol.whoami()["auth"]["accessToken"]["role"]) == ("carol", "read")


def test_an_unknown_token_is_refused_even_for_what_is_public(site: Site, repo: str) -> None:
    stranger = HfApi(endpoint=site.endpoint, token="hf_stranger")
    assert status(stranger.whoami) == 401
    assert status(lambda: stranger.model_info(repo)) == 401
    basic = {"Authorization": "Basic aGZfYWxpY2U="}
    assert get_session().get(f"{site.endpoint}/api/models", headers=basic).status_code == 401


def test_everyone_reads_what_is_public(site: Site, repo: str) -> None:
    assert site.nobody.model_info(repo).author == "alice"
    assert "a.txt" in site.nobody.list_repo_files(repo)


def test_writing_needs_a_token_of_scope_write_and_the_right_user(site: Site, repo: str) -> None:
    def write(api: HfApi) -> int:
        return status(lambda: api.upload_file(path_or_fileobj=b"1", path_in_repo="x", repo_id=repo))

    assert (write(site.nobody), write(site.carol), write(site.bob)) == (401, 403, 403)
    for api, expected in ((site.nobody, 401), (site.carol, 403), (site.bob, 403)):
        assert status(lambda api=api: api.create_repo("alice/other")) == expected  # type: ignore[misc]
        assert status(lambda api=api: api.delete_repo(repo)) == expected  # type: ignore[misc]
        assert status(lambda api=api: api.create_branch(repo, branch="b")) == expected  # type: ignore[misc]
        assert status(lambda api=api: api.update_repo_settings(repo, gated="auto")) == expected  # type: ignore[misc]
        assert status(lambda api=api: api.super_squash_history(repo)) == expected  # type: ignore[misc]
        assert status(lambda api=api: api.move_repo(repo, "bob/taken")) == expected  # type: ignore[misc]
    assert status(lambda: site.alice.move_repo(repo, "bob/gift")) == 403


def test_an_organisation_is_open_to_everyone_with_a_token(site: Site, new_id: Callable[..., str]) -> None:
    repo_id = new_id(user="lab")
    site.alice.create_repo(repo_id, private=True)
    site.bob.upload_file(path_or_fileobj=b"1", path_in_repo="x", repo_id=repo_id)
    assert "x" in site.carol.list_repo_files(repo_id)
    with pytest.raises(RepositoryNotFoundError):
        site.nobody.list_repo_files(repo_id)


def test_a_namespace_is_its_user_s_in_upper_and_lower_case(site: Site, new_id: Callable[..., str]) -> None:
    repo_id = new_id(user="Alice")
    assert status(lambda: site.bob.create_repo(repo_id)) == 403
    site.alice.create_repo(repo_id, private=True)
    for api in (site.bob, site.carol):
        assert not api.repo_exists(repo_id) and repo_id not in [model.id for model in api.list_models()]
    assert repo_id in [model.id for model in site.alice.list_models()]


def test_a_private_repository_looks_missing_to_others(site: Site, new_id: Callable[..., str]) -> None:
    repo_id = new_id()
    site.alice.create_repo(repo_id, private=True)
    for api, expected in ((site.nobody, 401), (site.bob, 404)):
        for call in (api.model_info, api.list_repo_files, api.list_repo_refs, api.delete_repo):
            with pytest.raises(RepositoryNotFoundError) as hidden:
                call(repo_id)
            with pytest.raises(RepositoryNotFoundError) as missing:
                call("alice/never-made")
            assert hidden.value.response.status_code == missing.value.response.status_code == expected
    assert get_session().get(f"{site.endpoint}/{repo_id}").status_code == 401
    assert site.alice.model_info(repo_id).private


def test_a_gated_repository_shows_itself_but_not_its_files(site: Site, repo: str) -> None:
    site.alice.update_repo_settings(repo, gated="manual")
    assert site.nobody.model_info(repo).gated == "manual"
    for api in (site.nobody, site.bob):
        for name in ("a.txt", "b.bin"):
            with pytest.raises(GatedRepoError):
                api.hf_hub_download(repo, name)
        with pytest.raises(GatedRepoError):
            api.auth_check(repo)
    site.alice.auth_check(repo, write=True)
    assert site.alice.file_exists(repo, "a.txt")
    site.alice.update_repo_settings(repo, gated=False)
    assert site.nobody.file_exists(repo, "a.txt")


def test_a_reader_may_propose_and_only_a_writer_may_merge(site: Site, repo: str) -> None:
    add = [CommitOperationAdd("new.txt", b"1"), CommitOperationAdd("new.bin", b"\0" * 100)]
    proposal = site.carol.create_commit(repo, add, commit_message="idea", create_pr=True)
    assert proposal.pr_num == 1 and proposal.pr_revision == "refs/pr/1"
    assert "new.txt" not in site.nobody.list_repo_files(repo)
    assert {"new.txt", "new.bin"} <= set(site.nobody.list_repo_files(repo, revision="refs/pr/1"))
    more = [CommitOperationAdd("more.txt", b"2")]
    assert status(lambda: site.bob.create_commit(repo, more, commit_message="m", revision="refs/pr/1")) == 403
    more = [CommitOperationAdd("more.txt", b"2")]
    site.carol.create_commit(repo, more, commit_message="more", revision="refs/pr/1")
    assert status(lambda: site.carol.merge_pull_request(repo, 1)) == 403
    site.alice.merge_pull_request(repo, 1)
    assert {"new.txt", "new.bin", "more.txt"} <= set(site.nobody.list_repo_files(repo))
