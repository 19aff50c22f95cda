"""What is added to the shots, by which methods."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hubexpert.recipe.section import Language, Section
from hubexpert.recipe.teacher import TeacherSection
from hubexpert.records import Method, as_tuple

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RebaseSection(Section):
    """How rows are retrieved by their values, and transformed by the teacher.

    Attributes:
        rows: how many are transformed.
        share: the largest part of them that one dataset may have.
        checked: whether the teacher is asked about every example it made, and those it says no to are left out.
    """

    rows: Annotated[int, Field(gt=0)] = 500
    share: Annotated[float, Field(gt=0, le=1)] = 0.3
    checked: bool = False


class BeaconsSection(Section):
    """How training examples are filtered and weighted by the base's own answers.

    Attributes:
        keep: the share of each method's examples that is kept; shots are all kept.
        spread: how much a wide spread of distances counts against a small mean.
        strength: how far an example's weight goes with its distance; 0 leaves all weights at 1.
    """

    keep: Annotated[float, Field(gt=0, le=1)] = 0.8
    spread: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    strength: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5


class KnowledgeSection(Section):
    """Texts that passages are looked up in.

    Attributes:
        sources: datasets on the Hub (owner/name, optionally `@revision`), folders, and files of rows or plain text.
        column: of rows, that holds the text.
        words: of the longest passage.
        overlap: how many of them it shares with the passage before it.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(as_tuple)]
    column: str = "text"
    words: Annotated[int, Field(ge=8)] = 100
    overlap: Annotated[int, Field(ge=0)] = 20

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if self.overlap >= self.words:
            raise ValueError("`overlap` has to be less than `words`")
        return self


class KardSection(Section):
    """How rationales are distilled with the passages that they rest on, and how these are found without them.

    Attributes:
        samples: how many rationales the teacher is asked for, of each question that has none.
        temperature: at which it is.
        verified: whether rationales by which the base does not come to the gold output are left out.
        passages: how many stand before a question.
        retrieved: how many BM25 finds for the reranker.
        reranker: what reads question and passage: `bi`, each by itself; `cross`, both at once; `late`, token by token;
            null does without.
        model: what the reranker starts from; by default `data.encoder`.
        candidates: how many passages of a question a step of its training compares.
        sharpness: the temperature of the reranker's scores (tau 1), and of BM25's as shares of the best (tau 2).
        prior: how far, in that training, the model's own scores at its start count beside BM25's; at 0 not at all.
        epochs: of its training.
        learning_rate: of its training.
        way: how far its weights go from those at its start to those trained; at 1 all the way.
        words: how far BM25 by the question, as a share of its best, counts beside the reranker's score.
        votes: how many answers are sampled at test time, of which the commonest counts; 1 is greedy.
    """

    samples: Annotated[int, Field(gt=0)] = 5
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7
    verified: bool = True
    passages: Annotated[int, Field(gt=0)] = 1
    retrieved: Annotated[int, Field(gt=0)] = 100
    reranker: Literal["bi", "cross", "late"] | None = "bi"
    model: str | None = None
    candidates: Annotated[int, Field(ge=2)] = 8
    sharpness: tuple[Positive, Positive] = (0.05, 0.1)
    prior: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epochs: Annotated[int, Field(gt=0)] = 2
    learning_rate: Positive = 5e-5
    way: Annotated[float, Field(gt=0, le=1)] = 0.5
    words: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.2
    votes: Annotated[int, Field(gt=0)] = 1


class DataSection(Section):
    """What is added to the shots.

    Attributes:
        methods: which rows are taken, and how: none adds nothing.
        datasets: names on the Hub, folders (by a path as a base's) or `.jsonl` files, beside those discovered.
        per_dataset: how many rows of each are read, spread evenly.
        languages: ISO 639-1 codes of rows that may be taken; by default the task's, or else the shots' own.
        rows: how many rows `select` looks for.
        similarity: the cosine above which `select` drops one of two rows.
        encoder: the sentence encoder: a model on the Hub, a folder, or `packaged` (all-MiniLM-L6-v2 from PyPI).
        teacher: who writes rationales and transforms rows; a text alone means its model.
        rebase: for the method of that name.
        beacons: for the method of that name.
        knowledge: what passages are looked up in; names alone mean its `sources`.
        kard: for the method of that name.
    """

    methods: tuple[Method, ...] = ()
    datasets: tuple[str, ...] = ()
    per_dataset: Annotated[int, Field(gt=0)] = 5000
    languages: tuple[Language, ...] = ()
    rows: Annotated[int, Field(gt=0)] = 1000
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.9
    encoder: Annotated[str, Field(min_length=1)] = "sentence-transformers/all-MiniLM-L6-v2"
    teacher: Annotated[
        TeacherSection | None, BeforeValidator(lambda given: {"model": given} if isinstance(given, str) else given)
    ] = None
    rebase: RebaseSection = RebaseSection()
    beacons: BeaconsSection = BeaconsSection()
    knowledge: Annotated[
        KnowledgeSection | None,
        BeforeValidator(lambda given: {"sources": given} if isinstance(given, str | list | tuple) else given),
    ] = None
    kard: KardSection = KardSection()

    @model_validator(mode="after")
    def _methods_have_what_they_need(self) -> Self:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("`methods` names one twice")
        if "rebase" in self.methods and self.teacher is None:
            raise ValueError("the method `rebase` needs a `teacher`")
        if "kard" in self.methods and self.knowledge is None:
            raise ValueError("the method `kard` needs `knowledge`: files, or a dataset")
        return self
