"""The recipe `hubexpert.yaml`: what the user wants, checked key by key."""

import difflib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hubexpert.errors import HubExpertError
from hubexpert.records import ColumnMap

FREE_LICENSES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0",
    "cc-by-sa-3.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "unlicense", "openrail", "bigscience-openrail-m",
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma",
)  # fmt: skip


Rank = Literal["exact_match", "perplexity"]


class Section(BaseModel):
    """A frozen part of the recipe; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSection(Section):
    """The task: its shots, its held-out rows, how an answer is judged."""

    name: str
    instruction: str = ""
    shots: str
    test: str | None = None
    metric: str = "exact_match"


class DiscoverSection(Section):
    """What discovery looks at.

    Attributes:
        limit: how many adapters are inspected at most.
        licenses: licence ids; `unknown` admits what states none.
        include: adapters that are inspected whatever their tags, each optionally `@revision`.
        exclude: adapters that are left out, by name or pattern.
        max_rank: the largest rank.
        sort: which adapters are inspected first.
        since: only what changed on this day or later.
        finetunes: whether adapters of fine-tunes of the base are admitted.
        datasets: how many datasets are looked up at most.
        columns: dataset -> which of its columns become an example's fields, where the guess is wrong.
    """

    limit: Annotated[int, Field(gt=0)] = 200
    licenses: tuple[str, ...] = FREE_LICENSES
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_rank: Annotated[int, Field(gt=0)] = 256
    sort: Literal["downloads", "likes", "modified"] = "downloads"
    since: date | None = None
    finetunes: bool = False
    datasets: Annotated[int, Field(ge=0)] = 20
    columns: dict[str, ColumnMap] = {}


class ExpertsSection(Section):
    """How many experts, and by what (M, N of the Open Knowledge paper)."""

    candidates: Annotated[int, Field(gt=0)] = 8
    count: Annotated[int, Field(gt=0)] = 4
    budget: Literal["full"] = "full"
    rank: Annotated[tuple[Literal["exact_match", "perplexity", "adapted"], ...], Field(min_length=1)] = (
        "exact_match",
        "perplexity",
    )

    @model_validator(mode="after")
    def _shortlist_holds_the_group(self) -> Self:
        if self.count > self.candidates:
            raise ValueError(f"`count` ({self.count}) experts cannot be chosen among `candidates` ({self.candidates})")
        return self


class TrainSection(Section):
    """How the mixture is trained. `shared_rank: 0` leaves the shared expert out."""

    epochs: Annotated[int, Field(ge=0)] = 5
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5e-5
    batch_size: Annotated[int, Field(gt=0)] = 8
    max_length: Annotated[int, Field(ge=16)] = 1024
    top_k: Annotated[int, Field(gt=0)] = 2
    train: Annotated[tuple[Literal["router", "experts"], ...], Field(min_length=1)] = ("router", "experts")
    shared_rank: Annotated[int, Field(ge=0)] = 16


class PublishSection(Section):
    """Where the expert goes."""

    repo: str | None = None
    private: bool = False


class Recipe(Section):
    """The whole recipe."""

    base: str
    task: TaskSection
    discover: DiscoverSection = DiscoverSection()
    experts: ExpertsSection = ExpertsSection()
    train: TrainSection = TrainSection()
    publish: PublishSection = PublishSection()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def is_folder(base: str) -> bool:
    """Whether a base is named as a folder: by a path that begins with `/`, `./`, `../` or `~`."""
    return base.startswith(("/", "./", "../", "~"))


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file `path`.

    Raises:
        HubExpertError: the file is missing, is no YAML mapping, or holds an unknown key or a wrong value.
    """
    if not path.is_file():
        raise HubExpertError(
            f"There is no recipe at {path}.",
            fix="hubexpert init --base BASE --shots FILE  (writes one), or name yours with --recipe FILE",
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
        where = getattr(error, "problem_mark", None)
        line = f" near line {where.line + 1}" if where else ""
        raise HubExpertError(
            f"{path} is not valid YAML{line}.", fix=f"correct the indentation or quoting in {path}"
        ) from error
    if not isinstance(raw, dict):
        raise HubExpertError(f"{path} holds no mapping of keys to values.", fix="start it with `base:` and `task:`")
    return parse_recipe(raw, name=str(path))


def parse_recipe(raw: dict[str, Any], *, name: str) -> Recipe:
    """The recipe in the mapping `raw`; `name` is what messages call it.

    Raises:
        HubExpertError: an unknown key (the nearest known one is named), a missing key or a wrong value.
    """
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        told = error.errors()
        first = next((each for each in told if each["type"] == "extra_forbidden"), told[0])
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise HubExpertError(f"{name} has an unknown key `{key}`.", fix=_nearest(first["loc"], name)) from None
        if first["type"] == "missing":
            raise HubExpertError(f"{name} lacks the key `{key}`.", fix=f"add `{key}` to {name}") from None
        raise HubExpertError(f"{name}: `{key}` is wrong: {first['msg']}.", fix=f"change `{key}` in {name}") from None


def _nearest(location: tuple[int | str, ...], name: str) -> str:
    """The fix for an unknown key: the closest key that exists at that place."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        if field is None:  # the name of a dataset, a key of one's own
            continue
        # of a mapping, what its values are
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), section)
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`? Change it in {name}" if close else f"known keys here: {', '.join(known)}"
