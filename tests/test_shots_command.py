"""`hubexpert shots`: what it prints, writes and returns; without torch."""

import json
from pathlib import Path

import pytest

from tests.commands import run
from tests.test_light import light

QUESTION = "Which of the two brothers who kept bees on the hill sold his honey to the abbot first?"
ROWS = [f'{{"input":  "{noun} came by the old road", "output": "{noun[-1]} it was"}}' for noun in ("abbot", "smith")]


def write(path: Path, *rows: str) -> str:
    path.write_bytes("".join(row + "\n" for row in rows).encode())
    return str(path)


def test_clean_warnings_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 on errors alone; with --json an object a finding, and the state last."""
    shots, test = tmp_path / "shots.jsonl", tmp_path / "test.jsonl"
    for rows, code, told, state in (
        (ROWS, 0, [], "clean"),
        ([*ROWS, ROWS[0]], 0, ["duplicate-exact"], "warnings"),
        ([*ROWS, f'{{"input": "{QUESTION}", "output": "x"}}'], 1, ["leak-exact"], "errors"),
    ):
        files = (write(shots, *rows), "--test", write(test, f'{{"input": "{QUESTION}", "output": "the elder"}}'))
        assert run("shots", "check", *files, "--json") == code
        *found, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert last == {"state": state, "examples": len(rows) + 1}
        assert [one["code"] for one in found] == told
        assert all(set(one) == {"code", "severity", "file", "lines", "elsewhere", "sentence", "fix"} for one in found)
        assert run("shots", "check", *files) == code
        shown = capsys.readouterr()
        assert all(one["sentence"] in shown.out and f"Fix: {one['fix']}" in shown.out for one in found)
        assert shown.err == f"Errors: {code}. Warnings: {len(told) - code}.\n"
    assert f"error: leak-exact in {shots} lines 3 and {test}:1" in shown.out


def test_by_default_the_recipes_examples(tmp_path: Path) -> None:
    """Its shots, its held-out examples and its instruction; no torch is needed."""
    row = '{"input": "a b", "output": "left"}'
    other = '{"instruction": "Sort.", "input": "A B", "output": "right"}'
    write(tmp_path / "shots.jsonl", row, other)
    write(tmp_path / "test.jsonl", *ROWS)
    (tmp_path / "hubexpert.yaml").write_text(
        "base: a/b\ntask: {name: t, instruction: Sort., shots: shots.jsonl, test: test.jsonl}\n"
    )
    done = light(tmp_path, "shots", "check", "--json")
    assert done.returncode == 1, done.stderr
    *found, last = map(json.loads, done.stdout.splitlines())
    assert [(one["code"], one["file"], one["lines"]) for one in found] == [("contradiction", "shots.jsonl", [1, 2])]
    assert last == {"state": "errors", "examples": 4}


@pytest.mark.parametrize("row", ["no json", "[" * 100_000, '{"input": "a", "output": ' + "1" * 5000 + "}"])
def test_a_malformed_line_is_named(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "shots.jsonl", *ROWS, row)
    for arguments in (("check", file), ("sample", file, "--k", "1", "--output", str(tmp_path / "out"))):
        assert run("shots", *arguments) == 1
        shown = capsys.readouterr()
        assert (
            shown.err.startswith(f"Error: {file}:3 is not a JSON object") and "\nFix: " in shown.err and not shown.out
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"input": "a", "output": NaN}', "has no output"),
        ('{"input": Infinity, "output": "a"}', "has no input"),
        ('{"messages": [{"role": "user", "content": null}, {"role": "assistant", "content": "a"}]}', "is no text"),
        ('{"messages": [{"role": "user", "content": ["a"]}, {"role": "assistant", "content": "a"}]}', "is no text"),
    ],
)
def test_what_is_missing_or_of_parts_is_not_written_out_as_a_text(
    row: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No input `None`, no label `nan`."""
    file = write(tmp_path / "shots.jsonl", *ROWS, row)
    assert run("shots", "check", file) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Error: {file}:3") and why in told.splitlines()[0]


def test_a_test_file_alone_is_a_wrong_use(tmp_path: Path) -> None:
    assert run("shots", "check", "--test", write(tmp_path / "test.jsonl", *ROWS)) == 2


def test_a_sample_keeps_lines_byte_for_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Odd spaces, escapes, keys of others, ends of lines; a line separator in a text; no end after the last line."""
    odd = [f'{{"input" : "é\\u00e9\u2028{n}",  "output":"{"yn"[n % 3 == 0]}", "id": [{n}, 1e3]}}' for n in range(30)]
    source, target = tmp_path / "all.jsonl", tmp_path / "few.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + "\n".join(f"{row}\r" for row in odd[:-1]).encode() + f"\n{odd[-1]}".encode())
    assert run("shots", "sample", str(source), "--k", "9", "--stratify", "--output", str(target), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"output": str(target), "drawn": 9, "of": 30, "seed": 0, "labels": {"n": 3, "y": 6}}
    whole = {row.rstrip("\r") for row in odd}
    drawn = target.read_bytes().decode().removesuffix("\n").split("\n")
    assert len(drawn) == 9 and {row.rstrip("\r") for row in drawn} <= whole
    assert all(row.endswith("\r") for row in drawn if row != odd[-1])
    before = target.read_bytes()
    assert run("shots", "sample", str(source), "--k", "9", "--stratify", "--output", str(target), "--force") == 0
    assert target.read_bytes() == before
    assert run("shots", "sample", str(source), "--k", "9", "--seed", "1", "--output", str(target), "--force") == 0
    assert target.read_bytes() != before


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --force no file; with it never the one that is drawn from."""
    source, there = write(tmp_path / "all.jsonl", *ROWS), write(tmp_path / "there.jsonl", "mine")
    assert run("shots", "sample", source, "--k", "1", "--output", there) == 1
    assert "exists already" in capsys.readouterr().err
    (tmp_path / "link").symlink_to(source)
    assert run("shots", "sample", source, "--k", "1", "--output", str(tmp_path / "link"), "--force") == 1
    assert "is what is drawn from" in capsys.readouterr().err
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder/all.jsonl", *ROWS)
    assert run("shots", "sample", str(tmp_path / "folder"), "--k", "1", "--output", f"{tmp_path}/folder/few.jsonl") == 1
    assert "or lies in it" in capsys.readouterr().err and not (tmp_path / "folder/few.jsonl").exists()
    assert run("shots", "sample", source, "--k", "3", "--output", there, "--force") == 1
    assert "there are 2." in capsys.readouterr().err
    assert Path(source).read_text() == "".join(f"{row}\n" for row in ROWS) and Path(there).read_text() == "mine\n"
