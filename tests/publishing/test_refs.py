"""Publishing to branches and pull requests, and with tags."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.records import Published
from tests.commands import run
from tests.discover.making import adapter, card
from tests.publishing.making import a_project


@pytest.fixture
def expert(tmp_path: Path) -> Path:
    """A folder to publish."""
    return adapter(tmp_path / "expert", "door/base")


@pytest.fixture
def repo(expert: Path) -> str:
    """A repository that holds it, but for a README that has changed since."""
    name = f"tester/{expert.parent.name}"
    publish(name, expert)
    (expert / "README.md").write_text(card("door/base", "mit"))
    return name


def publish(repo: str, folder: Path, *, revision: str | None = None, tag: str | None = None) -> Published:
    return hub.publish(repo, folder, message="The expert", private=False, create_pr=False, revision=revision, tag=tag)


def refs(repo: str) -> dict[str, str]:
    """Where every branch and tag stands."""
    found = HfApi().list_repo_refs(repo)
    return {ref.name: ref.target_commit for ref in (*found.branches, *found.tags)}


def test_a_branch_is_made_from_main_and_main_stays(repo: str, expert: Path) -> None:
    main = refs(repo)["main"]
    done = publish(repo, expert, revision="next/one")
    assert done.changed
    assert refs(repo) == {"main": main, "next/one": done.commit}
    assert done.url == f"{hub.endpoint()}/{repo}/tree/next%2Fone"
    commits = HfApi().list_repo_commits(repo, revision="next/one")
    assert [commit.commit_id for commit in commits][:2] == [done.commit, main]
    again = publish(repo, expert, revision="refs/heads/next/one")
    assert (again.commit, again.changed) == (done.commit, False)


def test_a_missing_repository_gets_the_branch_too(expert: Path) -> None:
    name = f"tester/{expert.parent.name}"
    done = publish(name, expert, revision="dev", tag="v1")
    assert refs(name) == {"main": refs(name)["main"], "dev": done.commit, "v1": done.commit}
    assert refs(name)["main"] != done.commit


def test_an_open_pull_request_takes_another_commit(repo: str, expert: Path) -> None:
    opened = hub.publish(repo, expert, message="Better", private=False, create_pr=True)
    (expert / "README.md").write_text(card("door/base", "apache-2.0", extra="tags: [b]"))
    done = publish(repo, expert, revision="refs/pr/1")
    assert (done.changed, done.url) == (True, opened.url)
    assert HfApi().model_info(repo, revision="refs/pr/1").sha == done.commit
    assert refs(repo)["main"] not in (opened.commit, done.commit)


def test_only_branches_and_pull_requests_can_be_published_to(repo: str, expert: Path) -> None:
    main = publish(repo, expert, tag="v1").commit
    (expert / "README.md").write_text(card("door/base", "apache-2.0", extra="tags: [b]"))
    for revision, why in (
        ("v1", "is a tag"), (main, "is a commit"), ("refs/pr/7", "has no refs/pr/7"), ("a..b", "no name for a branch"),
        ("refs/tags/v2", "has no refs/tags/v2"),
    ):  # fmt: skip
        with pytest.raises(HubExpertError, match=why):
            publish(repo, expert, revision=revision)
    assert refs(repo) == {"main": main, "v1": main}


def test_a_tag_names_the_commit_and_naming_it_again_changes_nothing(repo: str, expert: Path) -> None:
    done = publish(repo, expert, tag="v1")
    assert refs(repo) == {"main": done.commit, "v1": done.commit}
    again = publish(repo, expert, tag="v1")
    assert (again.commit, again.changed) == (done.commit, False)
    assert not publish(repo, expert, tag="v1.0").changed  # unchanged content: the tag alone
    assert refs(repo) == {"main": done.commit, "v1": done.commit, "v1.0": done.commit}


def test_a_tag_that_stands_elsewhere_is_explained_and_nothing_is_sent(repo: str, expert: Path) -> None:
    HfApi().create_tag(repo, tag="v1")
    before = refs(repo)
    with pytest.raises(HubExpertError, match=f"stands at the commit {before['v1'][:12]}") as caught:
        publish(repo, expert, tag="v1")
    assert f"hf repos tag delete {repo} v1" in caught.value.fix
    with pytest.raises(HubExpertError, match="stands at the commit"):
        hub.compare(repo, expert, create_pr=False, tag="v1")
    for tag, why in (("main", "is a branch"), ("bad name", "no name for a tag"), ("x.lock", "no name for a tag")):
        with pytest.raises(HubExpertError, match=why):
            publish(repo, expert, tag=tag)
    assert refs(repo) == before


def test_a_tag_that_was_not_set_because_the_process_ended_is_set_by_the_next_run(repo: str, expert: Path) -> None:
    done = publish(repo, expert)
    assert not publish(repo, expert, tag="v1").changed
    assert refs(repo)["v1"] == done.commit


def test_a_pull_request_goes_with_neither_a_branch_nor_a_tag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = a_project(tmp_path, "tester/no-such")
    for option in ("--revision", "--tag"):
        assert run("publish", "--recipe", str(recipe), "--create-pr", option, "x") == 2
        assert "it goes with neither --revision nor --tag" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(ValueError, match="starts from main"):
        hub.publish("tester/no-such", tmp_path, message="x", private=False, create_pr=True, tag="x")
    assert not HfApi().repo_exists("tester/no-such")


def test_the_command_tells_branch_and_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = a_project(tmp_path, "tester/told-refs")
    assert run("publish", "--recipe", str(recipe), "--revision", "next", "--tag", "v1", "--json") == 0
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert answer["url"] in printed.err
    assert answer["url"].endswith("/tester/told-refs/tree/next")
    assert "The tag v1 stands at this commit." in printed.err
    assert refs("tester/told-refs")["v1"] == refs("tester/told-refs")["next"] == answer["commit"]
