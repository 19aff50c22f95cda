"""Faults on the way: whatever happens, repeating gives one commit with the content, and nothing of others is lost."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from hubexpert import hub
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import adapter, card
from tests.locks import FILES, a_lock, a_report
from tests.publishing.making import a_project, ended, start

PUBLISH = """
from pathlib import Path
from hubexpert import hub
print(hub.publish({repo!r}, Path({folder!r}), message="The expert", private=False, create_pr=False).model_dump_json())
"""
LARGE = 4_000_000  # bytes: more than the buffers between client and Hub hold
ONCE = {
    "refused before the upload": ("POST", "/preupload/", Fault(503)),
    "refused a place for a large file": ("POST", "/info/lfs/objects/batch", Fault(503)),
    "refused a large file": ("PUT", "/lfs/", Fault(500)),
    "cut in the middle of a large file": ("PUT", "/lfs/", Fault(reset="during")),
    "refused the commit": ("POST", "/commit/", Fault(503)),
    "cut in the middle of the commit": ("POST", "/commit/", Fault(reset="during")),
    "cut after the commit": ("POST", "/commit/", Fault(reset="after")),
    "told that the branch moved, which it did not": ("POST", "/commit/", Fault(412)),
}
FOR_EVER = {
    "the branch moved": (Fault(412), "shows it where it was"),
    "out of order": (Fault(503), "keeps answering with error 503"),
}


@pytest.fixture
def expert(tmp_path: Path) -> Path:
    """A folder with a large file that is new, and a README that has changed, since it was published."""
    folder = adapter(tmp_path / "expert", "door/base")
    repo = f"tester/{tmp_path.name}"
    hub.publish(repo, folder, message="The expert", private=False, create_pr=False)
    HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo="notes.md", repo_id=repo)
    (folder / "README.md").write_text(card("door/base", "mit"))
    (folder / "router.safetensors").write_bytes(os.urandom(LARGE))
    return folder


def commits(repo: str, branch: str = "main") -> list[str]:
    return [commit.commit_id for commit in HfApi().list_repo_commits(repo, revision=branch)]


def holds(repo: str, folder: Path) -> bool:
    """Whether the repository holds exactly the folder's files, and what is not ours."""
    here = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    there = set(HfApi().list_repo_files(repo))
    assert there - set(here) == {"notes.md", ".gitattributes"}
    return all(Path(hf_hub_download(repo, name)).read_bytes() == file.read_bytes() for name, file in here.items())


def again(repo: str, folder: Path) -> tuple[str, bool]:
    """Publish once more, undisturbed: the commit, and whether it was needed."""
    done = hub.publish(repo, folder, message="The expert", private=False, create_pr=False)
    return done.commit, done.changed


@pytest.mark.parametrize("case", ONCE)
def test_a_fault_that_passes_leaves_one_commit_with_the_content(case: str, expert: Path, endpoint: str) -> None:
    repo, (wanted, part, fault) = f"tester/{expert.parent.name}", ONCE[case]
    hit: list[str] = []

    def plan(method: str, path: str, before: int) -> Fault | None:
        if method != wanted or part not in path or hit:
            return None
        hit.append(path)
        return fault

    before = commits(repo)
    with faulty_hub(endpoint, plan) as (address, _):
        done = client(PUBLISH.format(repo=repo, folder=str(expert)), address)
    assert done.returncode == 0, done.stderr
    assert hit
    told = json.loads(done.stdout)
    assert told["changed"]
    assert commits(repo) == [told["commit"], *before]
    assert holds(repo, expert)
    assert again(repo, expert) == (told["commit"], False)


@pytest.mark.parametrize("case", FOR_EVER)
def test_a_fault_that_stays_is_told_and_the_next_run_makes_the_one_commit(
    case: str, expert: Path, endpoint: str
) -> None:
    repo, (fault, sentence) = f"tester/{expert.parent.name}", FOR_EVER[case]
    before = commits(repo)
    with faulty_hub(endpoint, lambda method, path, _: fault if "/commit/" in path else None) as (address, _):
        done = client(PUBLISH.format(repo=repo, folder=str(expert)), address)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert commits(repo) == before
    commit, changed = again(repo, expert)
    assert changed
    assert commits(repo) == [commit, *before]
    assert holds(repo, expert)


def test_a_process_that_is_killed_in_the_middle_of_an_upload_is_repeated_as_if_it_had_not_been(
    expert: Path, endpoint: str
) -> None:
    repo = f"tester/{expert.parent.name}"
    before = commits(repo)
    running: list[subprocess.Popen[str]] = []

    def plan(method: str, path: str, _: int) -> Fault | None:
        if method != "PUT":
            return None
        running[0].kill()
        running[0].wait()
        return Fault(reset="during")

    script = PUBLISH.format(repo=repo, folder=str(expert))
    with faulty_hub(endpoint, plan) as (address, _):
        environment = {**os.environ, "HF_ENDPOINT": address}
        running.append(subprocess.Popen([sys.executable, "-c", script], env=environment, text=True))
        assert running[0].wait(timeout=120) == -signal.SIGKILL
    assert commits(repo) == before
    commit, changed = again(repo, expert)
    assert changed
    assert commits(repo) == [commit, *before]
    assert holds(repo, expert)


def test_without_room_for_the_page_nothing_is_sent_and_the_next_run_sends_it(tmp_path: Path, endpoint: str) -> None:
    recipe = a_project(tmp_path, "tester/no-room")
    limited = (
        "import resource, sys\n"
        "from hubexpert.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"  # bytes that a file may have
        f"main(['publish', '--recipe', {str(recipe)!r}])"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with faulty_hub(endpoint) as (address, seen):
        done = client(limited, address)
    assert done.returncode == 1
    assert "Nothing was sent: the page cannot be written in" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not seen
    assert ended(start(recipe))[0] == 0
    assert HfApi().repo_exists("tester/no-room")


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two projects whose mixtures have nothing in common: other weights, another report."""
    folder = tmp_path_factory.mktemp("rivals")
    made = []
    for number in (1, 2):
        files = {name: content + b"%d" % number for name, content in FILES.items() if name != "adapter_config.json"}
        files["adapter_config.json"] = json.dumps({"peft_type": "LORA", "r": number}).encode()
        lock = a_lock(files=files, report=a_report().model_copy(update={"removed": number}))
        made.append(a_project(folder / str(number), "tester/rivals", lock, files))
    return made


def race(rivals: list[Path], endpoint: str, *options: str) -> list[tuple[int, str, str]]:
    """Both publish; neither's commit is passed on before both have looked where the branch stands."""
    met = threading.Barrier(2, timeout=60)

    def plan(method: str, path: str, before: int) -> Fault | None:
        if "/commit/" in path and before < 2:
            met.wait()
        return None

    with faulty_hub(endpoint, plan) as (address, _):
        running = [start(recipe, *options, HF_ENDPOINT=address) for recipe in rivals]
        return [ended(process) for process in running]


def files_of(recipe: Path) -> dict[str, bytes]:
    folder = recipe.parent / ".hubexpert" / "publish"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["new", "main", pytest.param("next", marks=pytest.mark.slow)])
def test_of_two_that_publish_at_once_one_wins_and_the_other_is_told(
    place: str, rivals: list[Path], endpoint: str
) -> None:
    """In a repository that both would make, on its main branch, and on a branch that both would make."""
    repo, branch = f"tester/race-{place}", "next" if place == "next" else "main"
    if place != "new":
        HfApi().create_repo(repo)
        HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo="notes.md", repo_id=repo)
    results = race(rivals, endpoint, "--repo", repo, "--revision", branch)
    assert sorted(code for code, _, _ in results) == [0, 1], results
    winner, loser = sorted((0, 1), key=lambda each: results[each][0])
    told = results[loser][2]
    assert f"Someone else's commit has moved the {branch} branch of {repo} meanwhile." in told
    assert f"then run `hubexpert publish --recipe {rivals[loser]}` again, or with --create-pr" in told
    wanted = {name: content for name, content in files_of(rivals[winner]).items() if name != "README.md"}
    there = set(HfApi().list_repo_files(repo, revision=branch))
    assert there == {*wanted, "README.md", ".gitattributes", *({"notes.md"} if place != "new" else ())}
    for name, content in wanted.items():
        assert Path(hf_hub_download(repo, name, revision=branch)).read_bytes() == content
    assert len(commits(repo, branch)) == 2 + (place != "new")


def test_two_that_propose_at_once_get_a_pull_request_each(rivals: list[Path], endpoint: str) -> None:
    HfApi().create_repo("tester/race-pr")
    results = race(rivals, endpoint, "--repo", "tester/race-pr", "--create-pr")
    assert [code for code, _, _ in results] == [0, 0], results
    urls = [out.strip() for _, out, _ in results]
    assert {url.rsplit("/", 1)[1] for url in urls} == {"1", "2"}
    for recipe, url in zip(rivals, urls, strict=True):
        revision = f"refs/pr/{url.rsplit('/', 1)[1]}"
        lock = Path(hf_hub_download("tester/race-pr", "hubexpert.lock", revision=revision))
        assert lock.read_bytes() == files_of(recipe)["hubexpert.lock"]
    assert len(commits("tester/race-pr")) == 1


def test_where_xet_storage_cannot_be_reached_the_way_without_it_is_told(tmp_path: Path) -> None:
    """The Hub of the tests has none; a client that is not told so asks for it."""
    code, _, err = ended(start(a_project(tmp_path / "project", "tester/by-xet"), HF_HUB_DISABLE_XET="0"))
    assert code == 1
    assert "The connection failed for tester/by-xet" in err
    assert "HF_HUB_DISABLE_XET=1" in err
    assert "make room" not in err
