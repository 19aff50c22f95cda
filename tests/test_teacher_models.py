"""The teacher as a real model: in this process, and behind transformers' own server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.lm import load_lm
from hubexpert.recipe import TeacherSection
from hubexpert.records import Reply, Source
from hubexpert.teacher import Teacher, ask
from hubexpert.workspace import Journal
from tests import tiny
from tests.teaching import transformers_server

QUESTIONS = ["Why?", "How long is it?", "x" * 50, "Because of what?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base."""
    return tiny.save_base(tmp_path_factory.mktemp("teacher"), seed=3)


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve` with the tiny base on this machine."""
    with transformers_server(folder, tmp_path_factory.mktemp("serve") / "log") as url:
        yield url


def replies(who: Teacher, questions: list[str], journal: Path) -> list[Reply | None]:
    return ask(who, questions, lambda _, reply: reply, Journal(journal), quiet=True)[0]


def local(folder: Path, *, seed: int = 0, **more: Any) -> Teacher:
    section = TeacherSection(**{"model": "./teacher", "local": True, "max_tokens": 12, "most_failures": 1, **more})
    return Teacher(section, seed, Source(repo="./teacher", revision="0" * 40), lambda: load_lm(folder))


def test_a_server_and_a_local_model_reply_the_same(folder: Path, address: str, tmp_path: Path) -> None:
    """Greedy, the same model says the same, with the same tokens; `transformers serve` needs no adaptation."""
    settings = TeacherSection(model=str(folder), url=address, max_tokens=12, most_failures=1)
    there = replies(Teacher(settings, 0), QUESTIONS, tmp_path / "there")
    here = replies(local(folder), QUESTIONS, tmp_path / "here")
    assert [reply.text for reply in here if reply] == [reply.text for reply in there if reply]
    assert [reply.prompt_tokens for reply in here if reply] == [reply.prompt_tokens for reply in there if reply]
    assert any(reply.text and reply.completion_tokens for reply in here if reply)


def test_transformers_serve_says_why_it_does_not_take_a_model(address: str, tmp_path: Path) -> None:
    settings = TeacherSection(model="another", url=address)
    with pytest.raises(HubExpertError) as caught:
        replies(Teacher(settings, 0), ["Why?"], tmp_path / "j")
    assert "error 400: Server is pinned to" in caught.value.message


def test_a_local_model_is_loaded_only_where_something_is_left_to_ask(folder: Path, tmp_path: Path) -> None:
    first = replies(local(folder), QUESTIONS, tmp_path / "j")
    assert replies(local(Path("nowhere")), QUESTIONS, tmp_path / "j") == first


def test_another_commit_of_a_local_model_is_asked_anew(folder: Path, tmp_path: Path) -> None:
    replies(local(folder), ["Why?"], tmp_path / "j")
    who = local(folder)
    replies(Teacher(who.settings, 0, Source(repo="./teacher", revision="1" * 40), who.load), ["Why?"], tmp_path / "j")
    assert len((tmp_path / "j").read_text().splitlines()) == 2


def test_what_is_sampled_hangs_on_the_seed_and_on_nothing_else(folder: Path, tmp_path: Path) -> None:
    """Neither on the order nor on the other questions."""

    def sampled(questions: list[str], name: str, seed: int) -> dict[str, str | None]:
        got = replies(local(folder, seed=seed, temperature=1.5), questions, tmp_path / name)
        return {q: reply.text if reply else None for q, reply in zip(questions, got, strict=True)}

    once = sampled(QUESTIONS, "a", 0)
    assert sampled(QUESTIONS[:0:-1], "b", 0) == {question: once[question] for question in QUESTIONS[:0:-1]}
    assert sampled(QUESTIONS, "c", 1) != once


def test_a_question_that_does_not_fit_is_a_failure_that_says_so(folder: Path, tmp_path: Path) -> None:
    """The context of 512 tokens has no room for it: cut from the left it would lose what is asked."""
    _, counts = ask(local(folder), ["Why?", "x" * 600], lambda _, reply: reply, Journal(tmp_path / "j"), quiet=True)
    assert counts.failed == 1
    assert counts.asked == 2
    kept = [json.loads(line)["value"]["state"] for line in (tmp_path / "j").read_text().splitlines()]
    assert kept == ["written"]


def test_a_reply_that_reached_its_longest_length_is_marked(folder: Path, tmp_path: Path) -> None:
    short, long = (replies(local(folder, max_tokens=n), QUESTIONS, tmp_path / str(n)) for n in (1, 200))
    assert any(reply.cut and reply.completion_tokens == 1 for reply in short if reply)
    assert all(reply.cut == (reply.completion_tokens == 200) for reply in long if reply)
