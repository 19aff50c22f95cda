"""Passages of the knowledge that a task rests on, rationales that lead to them, and what both are worth."""

from typing import Literal

from pydantic import Field

from hubexpert.records.examples import TeacherCounts
from hubexpert.records.record import Record, Source
from hubexpert.records.report import SystemScore

RerankerKind = Literal["bi", "cross", "late"]
NO_PASSAGES, BY_WORDS, RERANKED, GOLD_SIDE = "no passages", "BM25", "reranked", "gold side"  # ways to find passages


class Passage(Record):
    """A piece of a text: of one row of a source, or of one file."""

    source: Source
    row: int = Field(description="from 0, in the order of the source")
    part: int = Field(description="from 0, of the passages of that text")
    title: str = ""
    text: str


class RerankerRecord(Record):
    """How a reranker reads, and what its training did."""

    kind: RerankerKind
    start: str = Field(description="the model it started from")
    questions: int = Field(0, description="that it was trained on")
    held_out: int = Field(0, description="questions that watched the training; none where there are fewer than 10")
    before: float | None = Field(None, description="mean KL on the held-out questions before training, in nats")
    after: float | None = Field(None, description="and after it")
    carried_before: float | None = Field(
        None,
        description="of what they find, ordered before training: how much of the rationale's BM25 the first 5 carry, "
        "over the best possible 5",
    )
    carried_after: float | None = Field(None, description="and ordered after it")
    losses: tuple[float, ...] = Field((), description="mean KL on the training questions, of each epoch")
    learned: bool = Field(False, description="whether the trained weights are used; if not, it is the starting model")

    @property
    def sentence(self) -> str:
        """What came of the training."""
        if not self.questions:
            return "The reranker was not trained."
        change = "" if self.before is None else f"KL {self.before:.3f} before, {self.after:.3f} after"
        if self.carried_before is not None and self.carried_after is not None:
            change += (
                f"; the first 5 passages carry {self.carried_before:.3f} of what they could before, "
                f"{self.carried_after:.3f} after"
            )
        if not self.learned:
            return f"The reranker did not learn ({change or 'no numbers'}); it is the starting model."
        if not change:
            return f"The reranker was trained on {self.questions} questions; too few to hold any out."
        return f"The reranker was trained on {self.questions} questions: {change}, on {self.held_out} others."


class Pinned(Record):
    """What the recipe names as knowledge, each at a commit, or a digest of its contents."""

    sources: tuple[Source, ...]


class Distilled(Record):
    """The rationales of examples, and what came of those that the teacher was asked for.

    All that were asked for are among `rationales`, or `refused`.
    """

    rationales: tuple[tuple[str, ...], ...] = Field(description="of each example, in the examples' order")
    given: int = Field(default=0, description="examples whose own rationale counts: the teacher was not asked")
    asked: int = Field(default=0, description="rationales that the teacher was asked for")
    refused: dict[str, int] = Field(default={}, description="reason code -> rationales that were left out")
    verified: int = Field(default=0, description="kept because the base comes to the gold output by them")
    unverifiable: int = Field(default=0, description="kept unseen: there is no other output to prefer")
    teacher: TeacherCounts = TeacherCounts()

    @property
    def kept(self) -> int:
        """How many rationales there are."""
        return sum(map(len, self.rationales))

    @property
    def without(self) -> int:
        """How many examples have none; nothing is distilled of them."""
        return sum(not each for each in self.rationales)


class RetrievalScore(Record):
    """How much of the gold facts one way to look passages up finds, with a 95 % bootstrap interval of `recall_5`."""

    name: str
    recall_1: float = Field(description="the mean share of a question's gold facts that is the first passage")
    recall_5: float = Field(description="the same among the first five")
    low: float
    high: float
    n: int = Field(description="questions whose gold facts are known")


class ReasoningCost(Record):
    """What an answer with passages and a rationale costs, over a direct one to the same question."""

    prompt_tokens: float
    answer_tokens: float
    seconds: float | None = Field(default=None, description="None where it was not measured")


class KardReport(Record):
    """What rationales and passages are worth on held-out examples, and what they cost.

    `systems` are the trained model without passages, with those of BM25, with reranked ones, and with those that the
    gold side finds: a bound for any reranker.
    """

    sources: tuple[Source, ...] = ()
    passages: int = Field(default=0, description="of these sources")
    distilled: Distilled
    reranker: RerankerRecord | None = None
    retrieval: tuple[RetrievalScore, ...] = ()
    systems: tuple[SystemScore, ...] = ()
    cost: ReasoningCost | None = None
