"""Discussions and pull requests."""

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from tests.localhub.conftest import Site, head


def test_a_pull_request_is_discussed_merged_and_closed(site: Site, repo: str) -> None:
    add = [CommitOperationAdd("a.txt", b"theirs")]
    pull = site.bob.create_commit(repo, add, commit_message="better", commit_description="why", create_pr=True)
    assert pull.pr_num is not None
    site.carol.comment_discussion(repo, pull.pr_num, "nice")
    site.bob.rename_discussion(repo, pull.pr_num, "much better")
    details = site.nobody.get_discussion_details(repo, pull.pr_num)
    assert [e.type for e in details.events] == ["comment", "comment", "title-change"]
    assert (details.title, details.status, details.target_branch) == ("much better", "open", "refs/heads/main")
    assert details.conflicting_files == []
    site.alice.merge_pull_request(repo, pull.pr_num)
    merged = site.nobody.get_discussion_details(repo, pull.pr_num)
    assert (merged.status, merged.merge_commit_oid) == ("merged", head(site.alice, repo))
    with pytest.raises(BadRequestError):
        site.alice.merge_pull_request(repo, pull.pr_num)
    talk = site.carol.create_discussion(repo, "a question")
    site.alice.change_discussion_status(repo, talk.num, "closed")
    found = {d.num: (d.is_pull_request, d.status) for d in site.nobody.get_repo_discussions(repo)}
    assert found == {1: (True, "merged"), 2: (False, "closed")}
    pulls = site.nobody.get_repo_discussions(repo, discussion_type="pull_request")
    assert [d.num for d in pulls] == [1]


def test_a_draft_is_filled_opened_and_merged(site: Site, repo: str) -> None:
    draft = site.bob.create_pull_request(repo, "an idea", description="soon")
    assert (draft.status, draft.is_pull_request, draft.git_reference) == ("draft", True, "refs/pr/1")
    site.bob.upload_file(path_or_fileobj=b"1", path_in_repo="new.txt", repo_id=repo, revision="refs/pr/1")
    site.bob.change_discussion_status(repo, 1, "open")
    site.alice.merge_pull_request(repo, 1)
    assert site.nobody.file_exists(repo, "new.txt")


def test_what_is_merged_stays_merged_and_what_is_closed_takes_no_commits(site: Site, repo: str) -> None:
    for number in (1, 2):
        add = [CommitOperationAdd(f"{number}.txt", b"1")]
        site.carol.create_commit(repo, add, commit_message=str(number), create_pr=True)
    site.alice.merge_pull_request(repo, 1)
    site.carol.change_discussion_status(repo, 2, "closed")
    for api in (site.carol, site.alice):
        for status in ("open", "closed"):
            with pytest.raises(BadRequestError, match="stays so"):
                api.change_discussion_status(repo, 1, status)
        for number, state in ((1, "merged"), (2, "closed")):
            with pytest.raises(BadRequestError, match=f"is {state}"):
                api.upload_file(
                    path_or_fileobj=b"2", path_in_repo="late.txt", repo_id=repo, revision=f"refs/pr/{number}"
                )
    site.carol.change_discussion_status(repo, 2, "open")
    site.alice.merge_pull_request(repo, 2)


def test_a_merge_cannot_make_a_file_of_a_folder(site: Site, repo: str) -> None:
    site.bob.create_commit(repo, [CommitOperationAdd("d", b"a file")], commit_message="file", create_pr=True)
    site.alice.upload_file(path_or_fileobj=b"1", path_in_repo="d/x", repo_id=repo)
    before = head(site.alice, repo)
    with pytest.raises(BadRequestError, match="a file and a folder"):
        site.alice.merge_pull_request(repo, 1)
    assert head(site.alice, repo) == before
    assert site.nobody.get_discussion_details(repo, 1).status == "open"


def test_discussions_are_filtered(site: Site, repo: str) -> None:
    site.bob.create_discussion(repo, "one")
    site.carol.create_discussion(repo, "two")
    site.carol.create_pull_request(repo, "three")
    site.bob.change_discussion_status(repo, 1, "closed")

    def numbers(**query: str) -> list[int]:
        return [item.num for item in site.nobody.get_repo_discussions(repo, **query)]  # type: ignore[arg-type]

    assert numbers(discussion_status="closed") == [1] and numbers(discussion_status="open") == [3, 2]
    assert numbers(discussion_type="discussion") == [2, 1] and numbers(discussion_type="pull_request") == [3]
    assert numbers(author="carol") == [3, 2] and numbers(author="carol", discussion_type="discussion") == [2]


def test_a_conflicting_pull_request_is_not_merged(site: Site, repo: str) -> None:
    pull = site.bob.create_commit(repo, [CommitOperationAdd("a.txt", b"theirs")], commit_message="mine", create_pr=True)
    assert pull.pr_num is not None
    site.alice.upload_file(path_or_fileobj=b"ours", path_in_repo="a.txt", repo_id=repo)
    assert site.nobody.get_discussion_details(repo, pull.pr_num).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError, match=r"a\.txt"):
        site.alice.merge_pull_request(repo, pull.pr_num)
