"""Which adapters become experts, how the mixture is trained, and what it is compared with."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hubexpert.recipe.section import Section
from hubexpert.records import as_tuple

Rank = Literal["exact_match", "perplexity", "adapted"]
Flag = Literal["memorised", "closer-to-shots", "trained-on-shots", "trained-on-test", "in-domain"]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Initial = Literal["random", "prototypes", "shots"]
Peer = Literal["lorahub", "arrow", "x-lora"]


class AdaptedSection(Section):
    """How adapted perplexity is measured.

    Attributes:
        among: how many adapters, the best by the other ranks; all where it is null, or there are no other ranks.
        folds: into how many parts the shots are cut; each is explained after steps on the others.
        epochs: over the other parts.
        learning_rate: constant.
        batch_size: shots a step.
        max_rank: adapters are cut to it.
    """

    among: Annotated[int, Field(gt=0)] | None = None
    folds: Annotated[int, Field(ge=2)] = 2
    epochs: Annotated[int, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2e-3
    batch_size: Annotated[int, Field(gt=0)] = 4
    max_rank: Annotated[int, Field(gt=0)] = 16


class ExpertsSection(Section):
    """How many experts, and by what (M, N of the Open Knowledge paper).

    Attributes:
        candidates: M, the shortlist.
        count: N, how many become experts.
        budget: `full` scores every adapter on every shot; `halving` drops the worse ones early.
        disk: gigabytes for weights that scoring downloads; beyond, those scored first are removed from the cache.
        without: adapters with these flags (docs/guards.md) are scored and not chosen.
        rank: the ranks that are added.
        adapted: how `adapted`, if it is one of them, is measured.
    """

    candidates: Annotated[int, Field(gt=0)] = 8
    count: Annotated[int, Field(gt=0)] = 4
    budget: Literal["full", "halving"] = "full"
    disk: Annotated[float, Field(gt=0)] | None = None
    without: tuple[Flag, ...] = ()
    rank: Annotated[tuple[Rank, ...], Field(min_length=1)] = ("exact_match", "perplexity")
    adapted: AdaptedSection = AdaptedSection()

    @model_validator(mode="after")
    def _shortlist_holds_the_group(self) -> Self:
        if self.count > self.candidates:
            raise ValueError(f"`count` ({self.count}) experts cannot be chosen among `candidates` ({self.candidates})")
        return self


class TrainSection(Section):
    """How the mixture is trained, and what it is compared with.

    Attributes:
        epochs: the length of the schedule; with `folds` the best number of epochs up to it is chosen.
        learning_rate: one, or several of which the best is chosen by cross-validation on the shots.
        folds: of that cross-validation; 0 does without, and takes all epochs.
        router_rate: the routers' learning rate as a multiple of the experts'.
        batch_size: examples a step, over all processes.
        max_length: tokens of the longest example; prompts are cut from the left.
        top_k: how many experts a token uses.
        train: what learns: the routers, the experts (the shared one, too), or both.
        shared_rank: of the shared expert; 0 leaves it out.
        initial: where the routers start.
        balance: the weight of the load balance in the loss.
        dropout: the share of experts that a sequence does without while training.
        gradient_checkpointing: less memory, about a third more time.
    """

    epochs: Annotated[int, Field(ge=0)] = 5
    learning_rate: Annotated[tuple[Rate, ...], Field(min_length=1), BeforeValidator(as_tuple)] = (1e-4, 5e-4, 2.5e-3)
    folds: Annotated[int, Field(ge=0)] = 2
    router_rate: Rate = 1.0
    batch_size: Annotated[int, Field(gt=0)] = 8
    max_length: Annotated[int, Field(ge=16)] = 1024
    top_k: Annotated[int, Field(gt=0)] = 2
    train: Annotated[tuple[Literal["router", "experts"], ...], Field(min_length=1)] = ("router", "experts")
    shared_rank: Annotated[int, Field(ge=0)] = 16
    initial: Initial = "random"
    balance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _several_rates_are_compared(self) -> Self:
        if self.folds == 1:
            raise ValueError("`folds` is 0, or 2 and more")
        if len(self.learning_rate) > 1 and not self.folds:
            raise ValueError("several values of `learning_rate` need `folds: 2` or more to choose among them")
        return self


class EvaluateSection(Section):
    """What the mixture is compared with beyond what always is, and how far its experts are told apart.

    Attributes:
        peers: other ways to mix the same experts.
        contributions: on how many held-out rows the experts' contributions are measured; 0: not at all.
        repeats: how often the shots are cut into folds anew, where there are no held-out rows.
        folds: how many folds these are.
    """

    peers: tuple[Peer, ...] = ()
    contributions: Annotated[int, Field(ge=0)] = 100
    repeats: Annotated[int, Field(gt=0)] = 2
    folds: Annotated[int, Field(ge=2)] = 4
