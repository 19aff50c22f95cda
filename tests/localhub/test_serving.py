"""The server itself: names, slow clients, a store that fails."""

import contextlib
import hashlib
import http.client
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi, get_session

from hubexpert.errors import HubExpertError
from hubexpert.localhub import LocalHub, Store
from tests.localhub.conftest import TOKENS, Site, write_folder

AUTH = {"Authorization": "Bearer hf_alice"}


def status_for(endpoint: str, host: str) -> int:
    """The status of an answer to a request with this `Host`, sent as written."""
    address = urlsplit(endpoint)
    with contextlib.closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        connection.putrequest("GET", "/api/models", skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status


MALFORMED = [
    "localhost:[",
    "localhost:@evil.example",
    "[::1",
    "[::::]",
    "localhost:99999",
    "a b",
    "localhost:8x",
    "[::1]x",
]


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_is_refused(site: Site, host: str) -> None:
    assert status_for(site.endpoint, host) == 400


def test_a_server_for_this_machine_answers_to_its_names_only(site: Site) -> None:
    for host, status in (("127.0.0.2:1", 200), ("LocalHost", 200), ("[::1]:80", 200), ("evil.example", 421)):
        assert status_for(site.endpoint, host) == status
    for host in ("localhost.evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "[2001:db8::1]"):
        assert status_for(site.endpoint, host) == 421


def test_a_server_for_all_refuses_what_is_no_name_too(tmp_path: Path) -> None:
    with LocalHub(tmp_path, host="0.0.0.0") as hub:  # noqa: S104 - what is tested, for a moment
        assert [status_for(hub.endpoint, host) for host in ("node_7:80", "[::::]", "a:99999")] == [200, 400, 400]


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_any_loopback_address_serves_under_its_own_name(tmp_path: Path, host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        pytest.skip(f"this machine has no {host}")
    Store(tmp_path / "hub").add_folder("o/m", write_folder(tmp_path / "f", {"b.bin": b"\0" * 20}))
    with LocalHub(tmp_path / "hub", host=host) as hub:
        port = urlsplit(hub.endpoint).port
        for name in (urlsplit(hub.endpoint).netloc, f"localhost:{port}"):
            url = f"{hub.endpoint}/o/m/resolve/main/b.bin"
            # No redirect: nothing listens under the other names of this machine.
            answer = get_session().get(url, headers={"Host": name}, follow_redirects=False)
            assert (answer.status_code, answer.content) == (200, b"\0" * 20)


def test_uploads_that_stall_hold_up_nothing_else(site: Site, repo: str) -> None:
    with contextlib.ExitStack() as stalled:
        for number in range(45):
            content = b"\0%d" % number
            batch = {"operation": "upload", "objects": [{"oid": hashlib.sha256(content).hexdigest(), "size": 99}]}
            url = f"{site.endpoint}/{repo}.git/info/lfs/objects/batch"
            href = get_session().post(url, json=batch, headers=AUTH).json()["objects"][0]["actions"]["upload"]["href"]
            address = urlsplit(href)
            connection = socket.create_connection((str(address.hostname), address.port), timeout=20)
            stalled.enter_context(contextlib.closing(connection))
            request = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
            connection.sendall(request.encode() + content)
        assert get_session().get(f"{site.endpoint}/{repo}/resolve/main/a.txt", timeout=10).content == b"hello"
        assert site.alice.whoami()["name"] == "alice"


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[Store, str]]:
    """A store and the endpoint of its Hub, with one repository."""
    store = Store(tmp_path / "hub")
    store.add_folder("alice/m", write_folder(tmp_path / "first", {"a.txt": "1"}))
    with LocalHub(store.root, tokens=TOKENS) as hub:
        yield store, hub.endpoint


def break_index(store: Store) -> None:
    with contextlib.closing(sqlite3.connect(store.root / "index.sqlite3")) as db:
        db.execute("DROP TABLE refs")


def break_blobs(store: Store) -> None:
    shutil.rmtree(store.blobs.partial)


@pytest.mark.parametrize("break_it", [break_index, break_blobs])
def test_a_store_that_fails_is_worth_another_try(
    failing: tuple[Store, str], tmp_path: Path, break_it: Callable[[Store], None]
) -> None:
    store, endpoint = failing
    folder = write_folder(tmp_path / "f", {"new.txt": "2"})
    break_it(store)
    body = '{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "b", "content": "new"}}'
    answer = get_session().post(f"{endpoint}/api/models/alice/m/commit/main", content=body, headers=AUTH)
    assert answer.status_code == 503 and str(store.root) not in answer.text
    with pytest.raises(HubExpertError, match="cannot take"):
        store.add_folder("alice/m", folder)


def test_reading_does_not_wait_for_a_writer_to_count_downloads(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    store.add_folder("o/m", write_folder(tmp_path / "f", {"adapter_config.json": "{}"}))
    url = "/o/m/resolve/main/adapter_config.json"
    with LocalHub(store.root) as hub:
        with store.writing():
            assert get_session().get(hub.endpoint + url).status_code == 200
            assert get_session().get(f"{hub.endpoint}/api/models", timeout=10).json()[0]["downloads"] == 0
        assert get_session().get(f"{hub.endpoint}/api/models").json()[0]["downloads"] == 1
        get_session().get(hub.endpoint + url)
    with LocalHub(store.root) as hub:  # what was counted last is not lost
        assert HfApi(endpoint=hub.endpoint, token=False).model_info("o/m").downloads == 2
