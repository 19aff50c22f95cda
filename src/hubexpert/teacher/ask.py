"""Questions to the teacher, each asked once: what it replies is kept in a journal."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from hubexpert.errors import HubExpertError
from hubexpert.progress import track
from hubexpert.recipe import TeacherSection
from hubexpert.records import Reply, Source, TeacherCounts
from hubexpert.teacher import local, server
from hubexpert.teacher.faults import place
from hubexpert.teacher.reply import encodable
from hubexpert.workspace import Journal, fingerprint

if TYPE_CHECKING:
    from hubexpert.lm import Lm

T = TypeVar("T")
Schema = Mapping[str, Any]
METHOD = 1  # raised whenever questions are asked, or replies read, differently: kept replies then do not hold


@dataclass(frozen=True)
class Teacher:
    """Who is asked.

    Attributes:
        settings: the recipe's.
        seed: of what is sampled.
        source: of a local model, where it comes from.
        load: loads a local model.
    """

    settings: TeacherSection
    seed: int
    source: Source | None = None
    load: "Callable[[], Lm] | None" = None

    @property
    def identity(self) -> dict[str, Any]:
        """What replies depend on beside the question: not where the server stands, nor how fast it is asked."""
        kept = {"model", "provider", "local", "temperature", "max_tokens"}
        seed = self.seed if self.settings.temperature else None
        return {"method": METHOD, "source": self.source, "seed": seed, **self.settings.model_dump(include=kept)}


def ask(
    teacher: Teacher,
    questions: Sequence[str],
    read: Callable[[int, Reply], T | None],
    journal: Journal,
    *,
    schema: Schema | None = None,
    quiet: bool = False,
) -> tuple[list[T | None], TeacherCounts]:
    """What the replies say, in the order of the questions, and what came of them.

    Each reply is appended to the journal when it arrives; a question that has one there is not asked again, nor is the
    same question twice. What failed or is malformed is not kept: it may pass.

    Args:
        teacher: who is asked.
        questions: whole prompts, each one message of a user.
        read: what the reply to the question of that index says; None where it does not say what was asked for, which
            counts as malformed.
        journal: where replies lie.
        schema: the JSON schema of the replies. A server that can holds to it; others, and local models, do not.
        quiet: no progress.

    Raises:
        HubExpertError: nobody answers, the teacher refuses to be asked at all, or more than `most_failures` of the
            questions stay without a usable reply.
    """
    questions = [encodable(question) for question in questions]
    keys = _keys(teacher, questions, schema)
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    kept = _kept(journal, first)
    found: dict[str, tuple[Reply, T | None]] = {}

    def take(key: str, reply: Reply) -> None:
        found[key] = (reply, read(first[key], reply) if reply.state == "written" else None)
        if found[key][1] is None:
            _check(teacher.settings, _counts(keys, found, kept), reply, len(keys))

    for key, reply in kept.items():
        take(key, reply)
    left = sorted(first.keys() - kept.keys(), key=first.__getitem__)
    with closing(_replies(teacher, [questions[first[key]] for key in left], schema)) as arriving:
        for index, reply in track(arriving, "asking the teacher", total=len(left), quiet=quiet):
            if reply.state in ("written", "refused"):
                journal.append(left[index], reply)
            take(left[index], reply)
    return [found[key][1] for key in keys], _counts(keys, found, kept)


def unanswered(
    teacher: Teacher, questions: Sequence[str], journal: Journal, *, schema: Schema | None = None
) -> tuple[str, ...]:
    """The questions that `ask` would send, each once: those without a reply in the journal."""
    questions = [encodable(question) for question in questions]
    wanted = dict(zip(_keys(teacher, questions, schema), questions, strict=True))
    kept = _kept(journal, wanted)
    return tuple(question for key, question in wanted.items() if key not in kept)


def _keys(teacher: Teacher, questions: Sequence[str], schema: Schema | None) -> list[str]:
    """What each question's reply is kept under."""
    known = {**teacher.identity, **({} if schema is None else {"schema": schema})}
    return [fingerprint({**known, "question": question}) for question in questions]


def _kept(journal: Journal, wanted: Collection[str]) -> dict[str, Reply]:
    """The replies that lie in the journal; those of an older form are left to be asked for again."""
    kept = {}
    for key, value in journal.read().items():
        if key in wanted:
            with suppress(ValidationError):
                kept[key] = Reply.model_validate(value)
    return kept


def _replies(teacher: Teacher, questions: Sequence[str], schema: Schema | None) -> Generator[tuple[int, Reply]]:
    """The index of each question and its reply, as they arrive."""
    settings = teacher.settings
    seed = teacher.seed if settings.temperature else None
    if not questions:
        return
    if teacher.load is not None:
        yield from local.replies(settings, seed, teacher.load, questions)
    else:
        yield from server.replies(settings, seed, questions, schema)


def _counts(keys: Sequence[str], found: Mapping[str, tuple[Reply, object]], kept: Collection[str]) -> TeacherCounts:
    """What came of the questions so far; a reply that does not say what was asked for is malformed."""
    states: Counter[str] = Counter(
        "malformed" if found[key][0].state == "written" and found[key][1] is None else found[key][0].state
        for key in keys
        if key in found
    )
    return TeacherCounts(
        asked=states.total(),
        reused=sum(key in kept for key in keys),
        **states,
        prompt_tokens=sum(reply.prompt_tokens for reply, _ in found.values()),
        completion_tokens=sum(reply.completion_tokens for reply, _ in found.values()),
    )


def _check(settings: TeacherSection, counts: TeacherCounts, last: Reply, questions: int) -> None:
    """Raise when more questions stay without a usable reply than the recipe allows."""
    lost = counts.asked - counts.written
    if lost > settings.most_failures * questions:
        parts = [
            f"{getattr(counts, name)} {name}" for name in ("failed", "malformed", "refused") if getattr(counts, name)
        ]
        why = f"; the last: {last.reason}" if last.reason else ""
        raise HubExpertError(
            f"{place(settings)} left {lost} of {questions} questions without a usable reply ({', '.join(parts)}{why}).",
            fix="mend it and run again (replies that came are kept), or raise `data.teacher.most_failures`",
        )
