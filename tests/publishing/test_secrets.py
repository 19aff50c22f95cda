"""Secrets are found before anything is sent, and are never shown."""

import json
import struct
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert.errors import HubExpertError
from hubexpert.secrets import SHAPES, find_secrets, refuse_secrets
from tests.commands import run
from tests.locks import a_lock, a_recipe
from tests.publishing.making import a_project

# Put together here, so that scanners of this repository do not take them for real ones.
LONG = "Ab1" * 20
PLANTED = {
    "hugging-face": "hf_" + LONG[:34],
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "github": "ghp_" + LONG[:36],
    "gitlab": "glpat-" + LONG[:20],
    "openai": "sk-proj-" + LONG[:48],
    "slack": "xoxb-" + "123456789012-" + LONG[:24],
    "google": "AIza" + LONG[:35],
    "npm": "npm_" + LONG[:36],
    "pypi": "pypi-AgE" + LONG[:55],
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "jwt": "eyJ" + LONG[:20] + ".eyJ" + LONG[:20] + "." + LONG[:20],
    "url-password": "postgres://me:" + "pass%40word@",
}
HARMLESS = (
    "a commit 3f786850e387550fdab836ed7e6dc881de23001b and sha256 " + "ab" * 32,
    "hf_hub_download, hf_transfer and hf_olmo are names; task-sk-learn-based-adapters-for-classification-of-things",
    "https://huggingface.co/acme/science-lora/tree/main, https://user@host/x, http://127.0.0.1:8080/a@b",
    "ssh://host:22/me@there, say user:password@host, {'key': 'value'}",
    "risk-assessment-of-sk-models-with-a-very-long-name-that-nobody-can-remember",
)


@pytest.mark.parametrize("kind", SHAPES)
def test_every_documented_shape_is_found_in_texts_lock_and_weights_headers(kind: str, tmp_path: Path) -> None:
    secret = PLANTED[kind]
    (tmp_path / "README.md").write_text(f"# x\n\nUse `{secret}` or {secret.replace('_', chr(92) + '_')}.\n")
    (tmp_path / "hubexpert.lock").write_text(json.dumps({"task": f"line\n{secret}\n"}, indent=1))
    (tmp_path / "prompt.jinja").write_text(f"Für {secret}", encoding="latin-1")
    header = json.dumps({"__metadata__": {"note": secret}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\xff\x00")
    found = find_secrets(tmp_path, None)
    places = {(f.file, f.line) for f in found if f.kind == kind}
    assert places == {("README.md", 3), ("hubexpert.lock", 2), ("prompt.jinja", 1), ("a.safetensors", 1)}
    assert {f.kind for f in found} == {kind}
    assert {(f.begins, f.length) for f in found} == {(secret[:4], len(secret))}
    assert len({f.name for f in found}) == 1


def test_names_commits_and_plain_addresses_are_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("\n".join(HARMLESS))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0" + PLANTED["aws"].encode())
    assert find_secrets(tmp_path, None) == []


def test_the_clients_own_token_is_found_whatever_its_shape_and_cannot_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"a": "our-odd-token"}')
    (found,) = find_secrets(tmp_path, "our-odd-token")
    assert (found.kind, found.begins, found.length) == ("token", "our-", 13)
    with pytest.raises(HubExpertError) as caught:
        refuse_secrets(tmp_path, "our-odd-token", [found.name])
    assert "--allow-secret" not in caught.value.fix


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """A project in whose recipe, and so in lock and card, an address with a password stands."""
    recipe = a_recipe()
    recipe["task"]["instruction"] = f"Answer as the rows of {PLANTED['url-password']}db.example/x do."
    return a_project(tmp_path, f"tester/{tmp_path.name}", a_lock(recipe=recipe))


def test_a_finding_is_named_by_file_line_and_kind_and_nothing_is_sent(
    leaking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = f"tester/{leaking.parent.name}"
    for option in ((), ("--dry-run",)):
        assert run("publish", "--recipe", str(leaking), *option) == 1
        printed = capsys.readouterr()
        lines = (leaking.parent / "hubexpert.lock").read_text().splitlines()
        (number,) = (n for n, line in enumerate(lines, start=1) if "postgres" in line)
        assert f"hubexpert.lock line {number}: url-password post… (" in printed.err
        assert "pass%40" not in printed.out + printed.err
        assert not HfApi().repo_exists(repo)
    name = next(word for word in printed.err.split() if word.startswith("url-password-"))
    assert run("publish", "--recipe", str(leaking), "--allow-secret", "url-password-000000") == 1
    assert run("publish", "--recipe", str(leaking), "--allow-secret", name) == 0
    assert HfApi().repo_exists(repo)


def test_many_findings_are_counted(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("\n".join(f"AKIA{'ABCDEFGHIJKLMN'}A{letter}" for letter in "ABCDEFGH"))
    with pytest.raises(HubExpertError, match="and 3 more"):
        refuse_secrets(tmp_path, None, [])
