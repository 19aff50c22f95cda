"""The teacher's door, against real servers: what is sent, what is kept, and what comes of every fault."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import example as with_example
from hypothesis import strategies as st

from hubexpert.errors import HubExpertError
from hubexpert.lock import locked_recipe
from hubexpert.recipe import TeacherSection, parse_recipe
from hubexpert.records import Reply, TeacherCounts
from hubexpert.teacher import Teacher, ask
from hubexpert.teacher.faults import wait_after
from hubexpert.teacher.reply import read_reply
from hubexpert.workspace import Journal
from tests.discover.faults import client
from tests.teaching import Answer, Asked, Plan, TeacherServer, echo, said, teacher_server

KEY = "sk-very-Secret-0123456789"
AT_ONCE = {"Retry-After": "0"}  # so that tests need not wait


def teacher(url: str, *, seed: int = 0, **more: Any) -> Teacher:
    return Teacher(TeacherSection(**{"model": "m", "url": url, "concurrency": 1, "most_failures": 1, **more}), seed)


def texts(who: Teacher, questions: list[str], journal: Path) -> tuple[list[str | None], TeacherCounts]:
    return ask(who, questions, lambda _, reply: reply.text, Journal(journal), quiet=True)


def served(
    plan: Plan, questions: list[str], folder: Path, **more: Any
) -> tuple[list[str | None], TeacherCounts, TeacherServer]:
    """Ask a server that follows the plan."""
    with teacher_server(plan) as server:
        return *texts(teacher(server.url, **more), questions, folder / "teacher.jsonl"), server


def refused_by(plan: Plan, folder: Path, questions: int = 1, **more: Any) -> tuple[HubExpertError, TeacherServer]:
    """The error that ends the questions to a server that follows the plan."""
    with teacher_server(plan) as server, pytest.raises(HubExpertError) as caught:
        texts(teacher(server.url, **more), [f"q{i}" for i in range(questions)], folder / "teacher.jsonl")
    return caught.value, server


def first(answer: Answer, then: Plan = echo) -> Plan:
    """A plan: that answer the first time a question comes."""
    return lambda asked, before: then(asked, before) if before else answer


def test_replies_stand_in_the_order_of_the_questions_whatever_arrives_first(tmp_path: Path) -> None:
    """Several are asked at once, never more than `concurrency`."""
    questions = [f"q{i}" for i in range(12)]
    late: Plan = lambda asked, _: said(f"re: {asked.question}", delay=0.02 * (12 - int(asked.question[1:])))  # noqa: E731
    got, counts, server = served(late, questions, tmp_path, concurrency=5)
    assert got == [f"re: {question}" for question in questions]
    assert 2 <= server.most <= 5
    assert counts == TeacherCounts(asked=12, written=12, prompt_tokens=132, completion_tokens=84)


def test_another_run_asks_nothing_again(tmp_path: Path) -> None:
    """Replies are taken from the journal, also by a teacher at another address, and their tokens are told again."""
    before, counts, _ = served(echo, ["a", "b"], tmp_path)
    again, reused, server = served(echo, ["b", "a"], tmp_path, concurrency=3, timeout=1)
    assert server.seen == []
    assert again == before[::-1]
    assert reused == counts.model_copy(update={"reused": 2})


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    got, counts, server = served(echo, ["a", "b", "a", "a"], tmp_path)
    assert got == ["re: a", "re: b", "re: a", "re: a"]
    assert [asked.question for asked in server.seen] == ["a", "b"]
    assert counts.asked == counts.written == 4


@pytest.mark.parametrize("change", [{"model": "n"}, {"temperature": 0.5}, {"max_tokens": 9}])
def test_what_changes_the_answer_is_asked_anew(change: dict[str, Any], tmp_path: Path) -> None:
    served(echo, ["a"], tmp_path)
    assert len(served(echo, ["a"], tmp_path, **change)[2].seen) == 1


def test_the_seed_counts_only_where_something_is_sampled(tmp_path: Path) -> None:
    for seed, temperature, requests in ((0, 0, 1), (1, 0, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0)):
        _, _, server = served(echo, ["a"], tmp_path, seed=seed, temperature=temperature)
        assert len(server.seen) == requests
        assert all(asked.body.get("seed") == (seed if temperature else None) for asked in server.seen)


def test_a_request_holds_the_settings_and_no_token(tmp_path: Path) -> None:
    """The Hub's token is known to this process; a server that is no inference provider never gets it."""
    assert os.environ["HF_TOKEN"]
    _, _, server = served(echo, ["a"], tmp_path, temperature=0.5, max_tokens=9)
    asked = server.seen[0]
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 9, "temperature": 0.5, "seed": 0,
        "stream": False,
    }  # fmt: skip
    assert "authorization" not in asked.headers
    assert os.environ["HF_TOKEN"] not in str(asked)


def test_the_key_of_the_named_variable_is_sent_and_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the server tells it back."""
    monkeypatch.setenv("TEACHER_KEY", f"{KEY}\n")

    def indiscreet(asked: Asked, before: int) -> Answer:
        told = f"no such thing for {asked.headers['authorization']}"
        return said("yes") if asked.question == "q0" else Answer({"error": {"message": told}}, status=422)

    error, server = refused_by(indiscreet, tmp_path, 2, key_env="TEACHER_KEY", most_failures=0.2)
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert "error 422: no such thing for Bearer ***" in error.message
    assert KEY not in error.message + error.fix + (tmp_path / "teacher.jsonl").read_text() + caplog.text
    assert not isinstance(error.__cause__, Exception)


@pytest.mark.parametrize("key", [None, "", " ", "a\nb", "schlüssel"])
def test_a_variable_that_holds_no_key_is_named(
    key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("TEACHER_KEY", key)
    error, server = refused_by(echo, tmp_path, key_env="TEACHER_KEY")
    assert "TEACHER_KEY holds no key" in error.message
    assert server.seen == []


def test_a_teacher_that_is_not_there_is_told_with_a_fix(tmp_path: Path) -> None:
    """After a bounded number of attempts, without user, password and query of the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(HubExpertError) as caught:
        texts(teacher(f"http://me:pass@127.0.0.1:{port}/v1?key=abc", concurrency=2), list("abcdefgh"), tmp_path / "j")
    assert caught.value.message == f"The teacher at http://127.0.0.1:{port}/v1 did not answer (ConnectError)."
    assert "data.teacher.url" in caught.value.fix
    assert 3 < time.monotonic() - begun < 60


def test_a_connection_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    error, server = refused_by(lambda *_: Answer(reset=True), tmp_path)
    assert "did not answer" in error.message
    assert len(server.seen) == 4


def test_a_connection_lost_on_the_way_loses_one_question(tmp_path: Path) -> None:
    """Once the teacher has answered, the rest goes on."""
    plan: Plan = lambda asked, before: Answer(reset=True) if asked.question == "b" else echo(asked, before)  # noqa: E731
    got, counts, _ = served(plan, ["a", "b", "c"], tmp_path)
    assert got == ["re: a", None, "re: c"]
    assert (counts.written, counts.failed) == (2, 1)


def test_a_slow_teacher_is_asked_four_times_and_no_more(tmp_path: Path) -> None:
    plan: Plan = lambda asked, before: said("late", delay=1 if asked.question == "b" else 0)  # noqa: E731
    got, counts, server = served(plan, ["a", "b"], tmp_path, timeout=0.2)
    assert got == ["late", None]
    assert counts.failed == 1
    assert server.counts == {"a": 1, "b": 4}


def test_the_server_says_how_long_to_wait(tmp_path: Path) -> None:
    begun = time.monotonic()
    got, _, server = served(first(Answer({}, status=429, headers={"Retry-After": "1"})), ["a"], tmp_path)
    assert got == ["re: a"]
    assert len(server.seen) == 2
    assert time.monotonic() - begun >= 1


DATES = st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.integers().map(str) | DATES, st.integers(0, 3))
@with_example("9" * 400, 0)
@with_example("Wed, 21 Oct 2999 07:28:00 GMT", 3)
@with_example("Wed, 21 Oct 2999 07:28:00 -9999999", 3)
def test_no_wait_is_longer_than_a_minute_or_so(header: str, attempt: int) -> None:
    """Whatever the server asks for; without a number or a date the waits double."""
    request = httpx2.Request("POST", "http://a/v1/chat/completions")
    response = httpx2.Response(429, headers={"Retry-After": header}, request=request)
    wait = wait_after(httpx2.HTTPStatusError("x", request=request, response=response), attempt)
    assert 0 <= wait <= 61
    if not any(character.isdigit() for character in header):
        assert 0.5 * 2**attempt <= wait <= 0.75 * 2**attempt


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int, tmp_path: Path) -> None:
    got, counts, server = served(first(Answer({}, status=status, headers=AT_ONCE)), ["a"], tmp_path)
    assert got == ["re: a"]
    assert len(server.seen) == 2
    assert counts.written == 1


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2015 07:28:00 GMT", "0"])
@pytest.mark.parametrize(
    "body", [{}, [], "x", {"errors": 5}, {"error": ["a"]}, {"error": {"message": 3}}, b"\xff<html>", b""]
)
def test_an_error_stays_an_error_whatever_its_body(body: object, header: str, tmp_path: Path) -> None:
    """Four requests, then the next question."""
    plan: Plan = lambda asked, _: (  # noqa: E731
        Answer(body, status=500, headers={"Retry-After": header}) if asked.question == "a" else said("yes")
    )
    got, counts, server = served(plan, ["a", "b"], tmp_path)
    assert got == [None, "yes"]
    assert (counts.failed, counts.written) == (1, 1)
    assert server.counts["a"] == 4


@pytest.mark.parametrize(
    ("status", "sentence", "fix"),
    [
        (401, "does not accept the key", "data.teacher.key_env"),
        (402, "asks for payment", "data.teacher"),
        (403, "does not accept the key", "data.teacher.key_env"),
        (404, "has no model m", "data.teacher.model"),
    ],
)
def test_a_server_that_will_not_be_asked_ends_the_run_at_once(
    status: int, sentence: str, fix: str, tmp_path: Path
) -> None:
    error, server = refused_by(lambda *_: Answer({"detail": "x"}, status=status), tmp_path, 5)
    assert sentence in error.message and server.url in error.message
    assert fix in error.fix
    assert len(server.seen) == 1


def test_a_question_that_the_server_does_not_take_is_not_repeated(tmp_path: Path) -> None:
    """What the server says of it is shown, without what a terminal would obey, and cut."""
    plan: Plan = lambda *_: Answer({"detail": "too long\x1b[31m" + "x" * 999}, status=400)  # noqa: E731
    error, server = refused_by(plan, tmp_path, most_failures=0)
    assert "1 of 1 questions" in error.message
    assert "error 400: too long\N{REPLACEMENT CHARACTER}[31mxxx" in error.message
    assert len(error.message) < 400
    assert len(server.seen) == 1


DEEP = b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Welcome</html>", b"", b"\xff\xfe", b"null", b"[]", b'"yes"', DEEP, {}, {"choices": None},
        {"choices": []},
        {"choices": {"message": {"content": "yes"}}}, {"choices": [None]}, {"choices": ["yes"]}, {"choices": [{}]},
        {"choices": [{"message": None}]}, {"choices": [{"message": "yes"}]}, {"choices": [{"message": {}}]},
        said(None).body, said("").body, said(" \n\t").body, said(5).body, said([{"type": "text", "text": "yes"}]).body,
        said("\x00\x01").body, said("", finish="length").body, said("<think>Well, yes and", finish="length").body,
        said("<think>Well</think>\n").body,
    ],
)  # fmt: skip
def test_what_is_no_reply_is_asked_for_once_more_then_counted(body: object, tmp_path: Path) -> None:
    """It is not kept: the next run asks again."""
    got, counts, server = served(lambda *_: Answer(body), ["a"], tmp_path)
    assert got == [None]
    assert (counts.malformed, counts.written) == (1, 0)
    assert len(server.seen) == 2
    assert not (tmp_path / "teacher.jsonl").exists()
    assert served(first(Answer(body)), ["a"], tmp_path)[0] == ["re: a"]


def test_a_reply_cut_off_by_the_network_is_asked_for_again(tmp_path: Path) -> None:
    reply = said("A long and useful reply.")
    got, _, server = served(first(Answer(reply.body, cut=40)), ["a"], tmp_path)
    assert got == ["re: a"]
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "reply",
    [
        said("I cannot help with that."),
        said("I'm sorry, but I can't assist with that request."),
        said("I’m very sorry, but as an AI model, I am unable to answer this."),
        said("Sorry, I won't provide that."),
        said("**I must respectfully decline.**"),
        said("Partly", finish="content_filter"),
        said(None, finish="content_filter"),
        said(None, refusal="I will not."),
    ],
)
def test_a_refusal_is_counted_and_kept(reply: Answer, tmp_path: Path) -> None:
    got, counts, server = served(lambda *_: reply, ["a"], tmp_path)
    assert got == [None]
    assert counts.refused == 1
    assert len(server.seen) == 1
    again, counts, server = served(echo, ["a"], tmp_path)
    assert (again, counts.refused, counts.reused, server.seen) == ([None], 1, 1, [])


@pytest.mark.parametrize(
    "text", ["I cannot swim, so the answer is no.", "No help is needed.", "I will not. Help!", "help"]
)
def test_a_reply_that_only_sounds_like_a_refusal_is_none(text: str) -> None:
    assert read_reply(text) == Reply(state="written", text=text)


def test_a_reply_is_kept_as_text_that_any_reader_takes() -> None:
    """Thinking aloud goes, and so do control characters and halves of surrogate pairs."""
    assert read_reply("<think>Hm.</think>\n\nyes \x1b[0m\ud800 مرحبا\n").text == "yes [0m? مرحبا"
    assert read_reply("Hm.</think>yes", cut=True) == Reply(state="written", text="yes", cut=True)


@pytest.mark.parametrize("tokens", [None, -1, 1e3, "7", True, 10**12, [], {}])
def test_tokens_that_are_no_number_count_as_none(tokens: object) -> None:
    assert read_reply("yes", prompt_tokens=tokens, completion_tokens=3).prompt_tokens == 0


def test_a_reading_that_finds_nothing_counts_as_malformed(tmp_path: Path) -> None:
    """The reply is kept all the same: another reading may find something."""
    journal = Journal(tmp_path / "j")
    with teacher_server() as server:
        who = teacher(server.url)
        got, counts = ask(who, ["a", "b"], lambda index, reply: reply.text if index else None, journal, quiet=True)
        assert got == [None, "re: b"]
        assert (counts.malformed, counts.written) == (1, 1)
        assert texts(who, ["a", "b"], journal.path)[0] == ["re: a", "re: b"]
        assert len(server.seen) == 2


def test_too_many_failures_stop_the_questions(tmp_path: Path) -> None:
    """With what came of them; what was written is kept, and the next run asks only for the rest."""
    questions = [f"q{i}" for i in range(20)]
    broken: Plan = lambda asked, before: echo(asked, before) if int(asked.question[1:]) < 4 else Answer({}, status=418)  # noqa: E731
    with teacher_server(broken) as server, pytest.raises(HubExpertError) as caught:
        texts(teacher(server.url, most_failures=0.2), questions, tmp_path / "teacher.jsonl")
    assert "left 5 of 20 questions without a usable reply (5 failed; the last: error 418)" in caught.value.message
    assert "most_failures" in caught.value.fix
    assert 9 <= len(server.seen) < 20
    _, counts, server = served(echo, questions, tmp_path)
    assert (counts.written, counts.reused, len(server.seen)) == (20, 4, 16)


def test_just_as_many_failures_as_allowed_do_not(tmp_path: Path) -> None:
    plan: Plan = lambda asked, before: Answer({}, status=400) if asked.question == "q0" else echo(asked, before)  # noqa: E731
    got, counts, _ = served(plan, [f"q{i}" for i in range(5)], tmp_path, most_failures=0.2)
    assert got[0] is None
    assert counts.failed == 1


def test_a_run_that_ends_on_the_way_keeps_what_came(tmp_path: Path) -> None:
    plan: Plan = lambda asked, before: Answer({}, status=401) if asked.question == "c" else echo(asked, before)  # noqa: E731
    with teacher_server(plan) as server, pytest.raises(HubExpertError):
        texts(teacher(server.url), ["a", "b", "c"], tmp_path / "teacher.jsonl")
    _, counts, server = served(echo, ["a", "b", "c"], tmp_path)
    assert [asked.question for asked in server.seen] == ["c"]
    assert counts.reused == 2


def test_a_journal_of_another_form_is_no_reply(tmp_path: Path) -> None:
    served(echo, ["a"], tmp_path)
    journal = tmp_path / "teacher.jsonl"
    entry = json.loads(journal.read_text())
    for value in ("text", None, {"text": "x"}, {**entry["value"], "new": 1}):
        journal.write_text(json.dumps({"key": entry["key"], "value": value}) + "\n")
        assert len(served(echo, ["a"], tmp_path)[2].seen) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "finish_reason", "x-y"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON)
def test_no_body_breaks_the_door(body: object, shared: Callable[[object], TeacherServer], tmp_path: Path) -> None:
    """Whatever JSON a server sends: a reply, or one that is counted."""
    server = shared(body)
    (tmp_path / "j").unlink(missing_ok=True)
    got, counts = texts(teacher(server.url), ["a"], tmp_path / "j")
    assert counts.asked == counts.written + counts.malformed + counts.refused == 1
    assert (got[0] is not None) == (counts.written == 1)


@pytest.fixture
def shared() -> Any:
    """One server for many bodies."""
    bodies: list[object] = [None]
    with teacher_server(lambda *_: Answer(bodies[0])) as server:

        def take(body: object) -> TeacherServer:
            bodies[0] = body
            return server

        yield take


def test_offline_mode_is_told(tmp_path: Path) -> None:
    """The client then sends nothing, also not to a server on this machine."""
    script = (
        "from pathlib import Path\nfrom tests.test_teacher import teacher, texts\n"
        f"texts(teacher('http://127.0.0.1:9/v1'), ['a'], Path({str(tmp_path / 'j')!r}))"
    )
    done = client(script, os.environ["HF_ENDPOINT"], HF_HUB_OFFLINE="1", PYTHONPATH=os.pathsep.join(("src", ".")))
    assert "The teacher at http://127.0.0.1:9/v1 cannot be asked: offline mode is on." in done.stderr


def test_an_inference_provider_needs_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubExpertError) as caught:
        texts(Teacher(TeacherSection(model="owner/name"), 0), ["a"], tmp_path / "j")
    assert "The teacher owner/name of the inference providers needs a token" in caught.value.message
    assert "hf auth login" in caught.value.fix


@pytest.mark.parametrize(
    ("provider", "sentence"), [("no-such", "'no-such' not supported"), ("groq", "has no model tester/no-model")]
)
def test_a_provider_or_model_that_there_is_not_is_told(provider: str, sentence: str, tmp_path: Path) -> None:
    """The Hub is asked which providers have a model: here it has no such model."""
    with pytest.raises(HubExpertError) as caught:
        texts(Teacher(TeacherSection(model="tester/no-model", provider=provider), 0), ["a"], tmp_path / "j")
    assert sentence in caught.value.message
    assert "data.teacher.provider" in caught.value.fix


def recipe(teacher: object) -> dict[str, Any]:
    return {"base": "b", "task": {"name": "t", "shots": "s"}, "data": {"teacher": teacher}}


def test_a_teacher_may_be_named_by_its_model_alone() -> None:
    assert parse_recipe(recipe("owner/name"), name="r").data.teacher == TeacherSection(model="owner/name")
    assert parse_recipe({**recipe(None), "data": {}}, name="r").data.teacher is None


@pytest.mark.parametrize(
    ("teacher", "sentence"),
    [
        ({"url": "http://x/v1"}, "lacks the key `data.teacher.model`"),
        ({"model": "m", "urll": "x"}, "unknown key `data.teacher.urll`"),
        ({"model": "m", "url": "localhost:8000"}, "no address"),
        ({"model": "m", "url": "file:///etc/passwd"}, "no address"),
        ({"model": "m", "url": "http://x:99999"}, "`data.teacher.url` is wrong"),
        ({"model": "m", "key_env": KEY}, "never the key itself"),
        ({"model": "m", "key_env": "hf_abcDEF"}, "never the key itself"),
        ({"model": "m", "url": "http://x", "provider": "groq"}, "`url` and `provider` exclude each other"),
        ({"model": "m", "provider": "groq", "local": True}, "`provider` and `local` exclude each other"),
        ({"model": "m", "most_failures": 1.5}, "less than or equal to 1"),
        ({"model": "m", "concurrency": 0}, "greater than 0"),
    ],
)
def test_wrong_settings_are_named(teacher: dict[str, Any], sentence: str) -> None:
    """Without the values, which may be secrets."""
    with pytest.raises(HubExpertError) as caught:
        parse_recipe(recipe(teacher), name="r")
    assert sentence in caught.value.message
    assert KEY not in caught.value.message + caught.value.fix
    if "urll" in teacher:
        assert "did you mean `url`" in caught.value.fix


def test_the_lock_tells_who_taught_and_not_where() -> None:
    """It is published: no address, no name of a variable, no folder of this machine; and it can be read again."""
    given = {
        "model": "/home/me/model",
        "url": "http://me:xyzzy@10.0.0.7:8000/v1?key=x",
        "key_env": "MY_KEY",
        "max_tokens": 9,
    }
    kept = locked_recipe(parse_recipe(recipe(given), name="r"))
    assert kept["data"]["teacher"]["model"] == "model"
    assert kept["data"]["teacher"]["max_tokens"] == 9
    for secret in ("10.0.0.7", "xyzzy", "MY_KEY", "/home"):
        assert secret not in json.dumps(kept)
    assert locked_recipe(parse_recipe(kept, name="lock")) == kept
