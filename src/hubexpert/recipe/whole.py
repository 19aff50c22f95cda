"""The whole recipe."""

from typing import Annotated, Literal

from pydantic import Field

from hubexpert.recipe.data import DataSection
from hubexpert.recipe.experts import EvaluateSection, ExpertsSection, TrainSection
from hubexpert.recipe.section import Section
from hubexpert.recipe.task import DiscoverSection, TaskSection

Quantization = Literal["4bit", "8bit"]


class PublishSection(Section):
    """Where the expert goes.

    Attributes:
        repo: owner/name.
        private: whether a missing repository is made private.
        license: of the whole, where its owner answers for it; by default it is drawn from the parts' licences.
    """

    repo: str | None = None
    private: bool = False
    license: str | None = None


class Recipe(Section):
    """The whole recipe."""

    base: str
    quantize: Quantization | None = None
    task: TaskSection
    discover: DiscoverSection = DiscoverSection()
    data: DataSection = DataSection()
    experts: ExpertsSection = ExpertsSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    publish: PublishSection = PublishSection()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
