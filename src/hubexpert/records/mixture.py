"""The trained mixture, and who speaks in it."""

from pydantic import Field

from hubexpert.records.data import Beacons
from hubexpert.records.record import Record, Source


class Tried(Record):
    """One learning rate under cross-validation on the shots."""

    learning_rate: float
    likelihoods: tuple[float, ...] = Field(description="mean 1 / perplexity of the shots left out, one an epoch")


class Tuning(Record):
    """The learning rate and the epochs that something was trained with, and what they were chosen from."""

    learning_rate: float
    epochs: int
    folds: int = Field(default=0, description="of the cross-validation; 0: nothing was compared")
    trials: tuple[Tried, ...] = ()


class ExpertRecord(Record):
    """One expert inside the mixture."""

    source: Source
    rank: int
    target_modules: tuple[str, ...]
    share: float = Field(description="mean routing share over modules and training tokens, 0 to 1")
    conversion_error: float | None = Field(default=None, description="as in its score")


class Build(Record):
    """The assembled and trained mixture; the files lie in the workspace folder `build/`."""

    experts: tuple[ExpertRecord, ...]
    shared_rank: int
    rank: int = Field(description="the wide LoRA's rank")
    uses_rank_pattern: bool
    top_k: int
    shares: dict[str, tuple[float, ...]] = Field(description="module -> routing share of every expert")
    tuning: Tuning
    losses: tuple[float, ...] = Field(description="mean training loss, one an epoch")
    examples: int
    beacons: Beacons | None = Field(default=None, description="where the method was used")
    files: dict[str, str] = Field(description="file name -> sha256")
    packages: dict[str, str] = Field(description="package -> version it was made with")


class TokenShares(Record):
    """Which expert spoke where in one example: the mean gate of every expert over all modules, token by token."""

    example: int = Field(description="its place among the examples given")
    tokens: tuple[str, ...] = Field(description="pieces of text, one a token; together they are the whole text")
    shares: tuple[tuple[float, ...], ...] = Field(description="[tokens][experts], each token's add up to 1")
    answer: int = Field(description="the place of the answer's first token; prompt before, greedy answer from there")


class Spoken(Record):
    """Which expert of one mixture spoke where in a few examples."""

    weights: dict[str, str] = Field(description="the mixture's files -> sha256, as in its `Build`")
    examples: tuple[TokenShares, ...]
