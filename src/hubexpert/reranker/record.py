"""What is known of a trained reranker, kept beside its weights."""

from typing import Literal

from pydantic import Field

from hubexpert.records import Record

Kind = Literal["bi", "cross", "late"]


class RerankerRecord(Record):
    """How a reranker reads, and what its training did."""

    kind: Kind
    start: str = Field(description="the model it started from")
    questions: int = Field(0, description="that it was trained on")
    held_out: int = Field(0, description="questions that watched the training; none where there are fewer than 10")
    before: float | None = Field(None, description="mean KL on the held-out questions before training, in nats")
    after: float | None = Field(None, description="and after it")
    losses: tuple[float, ...] = Field((), description="mean KL on the training questions, of each epoch")
    learned: bool = Field(False, description="whether the trained weights are used; if not, it is the starting model")

    @property
    def sentence(self) -> str:
        """What came of the training."""
        if not self.questions:
            return "The reranker was not trained."
        change = "" if self.before is None else f"KL {self.before:.3f} before, {self.after:.3f} after"
        if not self.learned:
            return f"The reranker did not learn ({change or 'no numbers'}); it is the starting model."
        if not change:
            return f"The reranker was trained on {self.questions} questions; too few to hold any out."
        return f"The reranker was trained on {self.questions} questions: {change}, on {self.held_out} others."
