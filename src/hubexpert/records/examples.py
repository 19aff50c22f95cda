"""Labelled examples, and what the teacher says of them."""

from typing import Literal, Self

from pydantic import Field

from hubexpert.records.record import Record

ANSWER = "Answer:"  # between a rationale and the output behind it


class Example(Record):
    """One training or test pair. `rationale` explains the output; `choices` are the allowed outputs.

    `passages` are read before the input. Where `reasoned`, an answer is a rationale, and the output after it.
    """

    instruction: str = ""
    input: str
    output: str
    rationale: str | None = None
    choices: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    reasoned: bool = False

    @property
    def reply(self) -> str:
        """What is to be answered: the output, after the rationale where it is `reasoned`."""
        return f"{self.rationale or ''}\n{ANSWER} {self.output}".strip() if self.reasoned else self.output


class Reply(Record):
    """What the teacher replied to one question; the tokens are what the server says they were, 0 where it does not.

    `refused`: it says that it will not. `malformed`: nothing that can be used came back. `failed`: nothing came back.
    """

    state: Literal["written", "refused", "malformed", "failed"]
    text: str = ""
    cut: bool = Field(default=False, description="it reached the longest length that was allowed")
    reason: str = Field(default="", description="why it failed")
    prompt_tokens: int = 0
    completion_tokens: int = 0


class TeacherCounts(Record):
    """What came of the questions to the teacher: `asked` = `written` + `malformed` + `refused` + `failed`.

    `reused` of those asked were answered by replies that had been kept. Tokens are of all replies, also those.
    """

    asked: int = 0
    reused: int = 0
    written: int = 0
    malformed: int = 0
    refused: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Self) -> Self:
        """What came of the questions of both."""
        return self.model_validate({name: told + getattr(other, name) for name, told in self})


class Rationales(Record):
    """The shots, those with a rationale that the teacher could write one for, and what that took."""

    shots: tuple[Example, ...]
    counts: TeacherCounts = TeacherCounts()
