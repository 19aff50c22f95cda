"""What adapters do on the shots, and which of them are chosen."""

from typing import Literal

from pydantic import Field

from hubexpert.records.record import Record, Refused, Source


class Score(Record):
    """What one adapter did on the shots.

    `exact_match` is the mean of the task's metric over `n` shots (with a 95 % interval), `perplexity` the mean
    over shots of exp(mean token NLL) of the gold output (Open Knowledge, eq. 2-4). `rationales` says on how
    many shots the gold output carried a rationale. `flags` are warnings by reason code.
    """

    source: Source
    exact_match: float
    perplexity: float
    n: int
    low: float
    high: float
    rationales: int = 0
    conversion_error: float | None = Field(
        default=None, description="what was lost, relative, where the adapter was converted to a LoRA"
    )
    adapted: float | None = Field(default=None, description="adapted perplexity, where it was measured")
    flags: tuple[str, ...] = ()


class ScoreTable(Record):
    """The scored pool: base first as a reference, then every adapter, and those refused at load."""

    metric: str
    base: Score
    scores: tuple[Score, ...]
    refused: tuple[Refused, ...] = ()


class Selected(Record):
    """One scored adapter's place in the selection: its ranks, and whether and why it was chosen."""

    source: Source
    chosen: bool
    rank_em: float
    rank_ppl: float
    rank_adapted: float | None = Field(default=None, description="where the recipe ranks by adapted perplexity")
    reason: str


class Selection(Record):
    """The experts chosen by Algorithm 1 of the Open Knowledge paper; the pool's first M are the shortlist."""

    pool: tuple[Selected, ...] = Field(description="best sum of ranks first")
    similarity: tuple[tuple[float, ...], ...] = Field(description="cosines of the shortlist, in its order")
    shortlist: tuple[str, ...] = Field(description="repos of the M best, best first")
    groups: int = Field(description="how many N-tuples of the shortlist there are")
    search: Literal["exact", "greedy-with-swap"] = Field(
        default="exact", description="whether all of them were compared, or those a search met"
    )

    @property
    def chosen(self) -> tuple[Source, ...]:
        """The experts, best rank first."""
        return tuple(s.source for s in self.pool if s.chosen)

    def nearest(self, place: int) -> tuple[int, float] | None:
        """The chosen expert most like the adapter at `place` of the pool (from 0): its place, and their cosine.

        None where no cosine is known (below the shortlist), or no other was chosen.
        """
        if place >= len(self.similarity):
            return None
        row = self.similarity[place]
        others = [i for i in range(len(row)) if self.pool[i].chosen and i != place]
        return max(((i, row[i]) for i in others), key=lambda pair: pair[1], default=None)
