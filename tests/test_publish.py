"""Publishing against a real Hub over HTTP: refused, dry, sent, repeated, proposed."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi, ModelCard

from hubexpert.errors import HubExpertError
from hubexpert.lock import Lock
from hubexpert.publish import Wish, commit_message, publish, rehearse
from hubexpert.records import Published
from hubexpert.workspace import Workspace
from tests.commands import run
from tests.locks import a_lock, a_report, source
from tests.publishing.making import a_project, assembled


def send(lock: Lock, folder: Path, repo: str, *, create_pr: bool = False, force: bool = False) -> Published:
    return publish(lock, folder, Wish(repo, create_pr, force=force), private=False)


def test_the_published_repository_holds_the_folder_and_a_card_the_client_reads(tmp_path: Path) -> None:
    lock = a_lock()
    published = send(lock, assembled(tmp_path, lock, "tester/whole"), "tester/whole")
    assert published.changed
    info = HfApi().model_info("tester/whole")
    assert info.sha == published.commit
    files = {sibling.rfilename for sibling in info.siblings or []} - {".gitattributes"}
    folder = tmp_path / "publish"
    assert files == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "base_model:adapter:acme/base-135m" in (info.tags or [])
    assert ModelCard.load("tester/whole").data.get("license") == "apache-2.0"
    assert HfApi().list_repo_commits("tester/whole")[0].title == commit_message(lock)


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    lock = a_lock()
    folder = assembled(tmp_path, lock)
    first = send(lock, folder, "tester/again")
    second = send(lock, folder, "tester/again")
    assert (first.changed, second.changed) == (True, False)
    assert first.commit == second.commit


@pytest.mark.parametrize("verdict", ["ship-single", "do-not-ship"])
def test_only_force_publishes_what_should_not_ship(verdict: str, tmp_path: Path) -> None:
    report = a_report().model_copy(update={"verdict": verdict, "sentence": "Do not ship: it is worse."})
    lock = a_lock(report=report)
    folder = assembled(tmp_path, lock)
    with pytest.raises(HubExpertError) as error:
        send(lock, folder, f"tester/refused-{verdict}")
    assert "Do not ship: it is worse." in error.value.message
    assert "--force" in error.value.fix
    assert not HfApi().repo_exists(f"tester/refused-{verdict}")
    assert send(lock, folder, f"tester/refused-{verdict}", force=True).changed


def test_weights_that_were_not_measured_are_not_sent(tmp_path: Path) -> None:
    lock = a_lock()
    folder = assembled(tmp_path, lock)
    (folder / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(HubExpertError, match="not the file that was measured"):
        send(lock, folder, "tester/altered")
    with pytest.raises(HubExpertError, match="not the file that was measured"):
        rehearse(lock, folder, Wish("tester/altered"))
    assert not HfApi().repo_exists("tester/altered")


def test_a_folder_of_another_lock_is_not_sent(tmp_path: Path) -> None:
    folder = assembled(tmp_path, a_lock())
    with pytest.raises(HubExpertError, match="assembled from another lock"):
        send(a_lock(report=a_report().model_copy(update={"removed": 7})), folder, "tester/other")


def test_a_folder_without_weights_is_not_sent(tmp_path: Path) -> None:
    folder = assembled(tmp_path, a_lock())
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(HubExpertError, match="missing"):
        send(a_lock(), folder, "tester/other")
    with pytest.raises(HubExpertError, match="nothing assembled"):
        send(a_lock(), tmp_path / "nowhere", "tester/other")


def test_only_a_base_on_the_hub_is_published_whatever_folders_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = a_lock(base=source("./acme/base-135m"))
    with pytest.raises(HubExpertError, match="folder on this machine"):
        send(local, assembled(tmp_path / "local", local), "tester/local-base")
    (tmp_path / "acme" / "base-135m").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert send(a_lock(), assembled(tmp_path, a_lock()), "tester/hub-base").changed


@pytest.mark.parametrize("repo", ["acme/base-135m", "Acme/Science-LoRA"])
def test_nothing_is_published_over_a_part_of_the_mixture(repo: str, tmp_path: Path) -> None:
    """Not even by force: the base or an expert of one's own is a likely slip, and its card would be gone."""
    with pytest.raises(HubExpertError, match="is a part of this mixture") as error:
        send(a_lock(), assembled(tmp_path, a_lock()), repo, force=True)
    assert "publish.repo" in error.value.fix


@pytest.mark.parametrize("weights", ["adapter_model.safetensors", "gguf/model-q4.gguf"])
def test_nothing_is_published_over_another_model(weights: str, tmp_path: Path) -> None:
    """Not even by force, since a verdict is overruled for other reasons; it may be proposed there."""
    repo = f"tester/holds-{weights.replace('/', '-')}"
    api, folder = HfApi(), assembled(tmp_path, a_lock())
    api.create_repo(repo)
    api.upload_file(path_or_fileobj=b"weeks of work", path_in_repo=weights, repo_id=repo)
    with pytest.raises(HubExpertError, match=r"holds a model without a hubexpert\.lock") as error:
        send(a_lock(), folder, repo, force=True)
    assert "--create-pr" in error.value.fix
    assert "discussions" in send(a_lock(), folder, repo, create_pr=True).url
    assert api.list_repo_files(repo) == [".gitattributes", weights]


def test_a_repository_with_a_page_and_no_model_is_published_to(tmp_path: Path) -> None:
    """As the Hub's own form makes one."""
    repo = "tester/only-a-page"
    HfApi().create_repo(repo)
    HfApi().upload_file(path_or_fileobj=b"---\nlicense: mit\n---\nSoon.", path_in_repo="README.md", repo_id=repo)
    assert send(a_lock(), assembled(tmp_path, a_lock()), repo).changed


def test_a_repository_without_an_owner_is_told_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(HubExpertError, match="'science-expert' names no owner") as error:
        send(a_lock(), assembled(tmp_path, a_lock()), "science-expert")
    assert "owner/name" in error.value.fix


def test_equal_locks_have_equal_messages_of_one_line() -> None:
    message = commit_message(a_lock())
    assert message == commit_message(a_lock())
    assert message.startswith("science-qa: 3 experts on acme/base-135m (lock ")
    assert message != commit_message(a_lock(report=a_report().model_copy(update={"removed": 7})))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A recipe that publishes to tester/from-recipe, its lock, and the assembled folder."""
    a_project(tmp_path, "tester/from-recipe")
    return tmp_path


def publish_command(project: Path, *options: str) -> int:
    """The exit code of `hubexpert publish` there."""
    return run("publish", "--recipe", str(project / "hubexpert.yaml"), *options)


def test_the_command_publishes_where_the_recipe_says(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish_command(project, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"url", "commit", "changed"}
    assert HfApi().model_info("tester/from-recipe").sha == answer["commit"]
    assert publish_command(project) == 0
    printed = capsys.readouterr()
    assert printed.out == answer["url"] + "\n"
    assert "Nothing changed" in printed.err
    assert "The lock is of an older recipe" in printed.err
    assert publish_command(project, "--quiet") == 0
    assert capsys.readouterr() == (answer["url"] + "\n", "")


def test_another_repository_is_named_in_the_snippets_of_its_card_alone(project: Path) -> None:
    folder = project / ".hubexpert" / "publish"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert publish_command(project, "--repo", "tester/elsewhere", "--dry-run") == 0
    assert publish_command(project, "--repo", "tester/elsewhere", "--private") == 0
    assert 'hubexpert.load("tester/elsewhere")' in ModelCard.load("tester/elsewhere").text
    assert HfApi().model_info("tester/elsewhere").private
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert 'hubexpert.load("tester/from-recipe")' in (folder / "README.md").read_text(encoding="utf-8")


def test_nothing_is_published_while_another_command_writes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace(project / ".hubexpert").locked():
        assert publish_command(project, "--repo", "tester/busy") == 1
    assert "Another hubexpert works" in capsys.readouterr().err
    assert not HfApi().repo_exists("tester/busy")


def test_a_pull_request_is_opened_on_a_repository_that_exists(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    HfApi().create_repo("tester/proposed")
    head = HfApi().model_info("tester/proposed").sha
    assert publish_command(project, "--repo", "tester/proposed", "--create-pr", "--json") == 0
    assert json.loads(capsys.readouterr().out)["url"].endswith("/tester/proposed/discussions/1")
    assert HfApi().model_info("tester/proposed").sha == head


def test_a_dry_run_lists_the_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish_command(project, "--repo", "tester/dry-command", "--dry-run") == 0
    printed = capsys.readouterr()
    assert "router.safetensors" in printed.out
    assert "nothing was sent" in printed.err
    assert not HfApi().repo_exists("tester/dry-command")


def test_without_a_repository_the_command_says_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "hubexpert.yaml").write_text("base: acme/base-135m\ntask: {name: q, shots: shots.jsonl}\n")
    assert publish_command(project) == 1
    assert "--repo OWNER/NAME" in capsys.readouterr().err
