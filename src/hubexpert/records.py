"""The records that stages hand on and that the lock keeps: frozen, checked, written as JSON.

One direction: Candidate -> Score -> Selection -> Expert -> Report -> Lock. Every record that stands for
something from outside carries a `Source`; what a stage refuses it keeps, as a `Refused` with a reason code.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
ACCEPTED = "accepted"
Protocol = Literal["held-out", "cross-validation"]
Relation = Literal["same", "mirror", "quantized", "finetune"]


class Record(BaseModel):
    """A frozen record; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Record):
    """Where something came from: a repository at one commit.

    For a folder on disk `repo` is the folder as the recipe names it and `revision` the SHA-1 of its contents.
    """

    repo: str
    revision: Revision
    license: str | None = None
    repo_type: Literal["model", "dataset"] = "model"


class Refused(Record):
    """Something a stage did not take, with a stable reason code and a sentence."""

    source: Source
    code: str
    reason: str


class Candidate(Record):
    """An adapter that discovery found; `verdict` is `accepted` or a reason code.

    `remarks` are what is worth knowing and no fault: fields nobody here knows, a conversion that will be needed.
    """

    source: Source
    verdict: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    found_by: tuple[Literal["tag", "config", "id"], ...]
    base: str | None = None
    relation: Relation | None = Field(default=None, description="what `base` is to the base that was looked for")
    peft_type: str | None = None
    rank: int | None = None
    target_modules: tuple[str, ...] = ()
    size: int | None = Field(default=None, description="bytes of the weights' file")
    downloads: int = 0
    likes: int = 0
    author: str | None = None
    last_modified: str | None = None
    datasets: tuple[str, ...] = ()


def as_tuple(value: object) -> object:
    """One value that stands for a list of one: `x` as `(x,)`, nothing as none."""
    return (value,) if isinstance(value, (str, int, float)) else value or ()


class ColumnMap(Record):
    """Which columns of a dataset become an example's fields; dots lead into nested columns (`answers.text`).

    `output` may hold a label's or a choice's index; then `choices`, or the names of the column's classes, say which
    text is meant. `choices` are one column that holds a list, or several of one choice each. Where `output` is also the
    only input, the column holds a chat: its last message is the output. A name alone stands for a list of one.
    """

    config: str | None = None
    split: str | None = None
    instruction: str | None = None
    input: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1)] = Field(
        description="the columns that make the input, in order"
    )
    output: str
    choices: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    rationale: str | None = None


class DatasetConfig(Record):
    """One configuration of a dataset."""

    name: str
    splits: dict[str, int | None] = Field(default={}, description="split -> rows, where they are known")
    columns: dict[str, str] = Field(default={}, description="column -> type, as the dataset's card or rows tell it")


class DatasetCandidate(Record):
    """A dataset: cited by accepted adapters, found by a search, or named. `verdict` is `accepted` or a reason code."""

    repo: str
    source: Source | None = Field(default=None, description="None where it cannot be resolved")
    verdict: str
    reason: str | None = Field(default=None, description="why it cannot be used, if so")
    found_by: tuple[Literal["cited", "search", "id"], ...]
    cited_by: tuple[str, ...] = ()
    downloads: int = 0
    size: int | None = Field(default=None, description="bytes of its files")
    configs: tuple[DatasetConfig, ...] = ()
    mapping: ColumnMap | None = Field(default=None, description="the recipe's, else a guess")
    sample: dict[str, str] | None = Field(default=None, description="the first row's fields as mapped, cut short")


class Relative(Record):
    """Another repository that holds the base: `mirror` (a copy) or `quantized`."""

    repo: str
    relation: Relation


class Discovery(Record):
    """All that was found for one base.

    `candidates` holds the adapters that were inspected or named; of the others, refused by what a listing says of
    them, only the number is kept here: `verdicts` counts every adapter found.
    """

    base: str
    endpoint: str
    candidates: tuple[Candidate, ...]
    verdicts: dict[str, int] = {}
    relatives: tuple[Relative, ...] = ()
    datasets: tuple[DatasetCandidate, ...] = ()

    @property
    def accepted(self) -> tuple[Candidate, ...]:
        """The candidates that may be scored, in order of discovery."""
        return tuple(c for c in self.candidates if c.verdict == ACCEPTED)


class Example(Record):
    """One training or test pair. `rationale` explains the output; `choices` are the allowed outputs."""

    instruction: str = ""
    input: str
    output: str
    rationale: str | None = None
    choices: tuple[str, ...] = ()


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


class Rationales(Record):
    """The shots, those with a rationale that the teacher could write one for, and what that took."""

    shots: tuple[Example, ...]
    counts: TeacherCounts = TeacherCounts()


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
    files: dict[str, str] = Field(description="file name -> sha256")
    packages: dict[str, str] = Field(description="package -> version it was made with")


class Cost(Record):
    """What a system costs beside the base."""

    parameters: int = Field(default=0, description="numbers that are stored beside the base")
    rank: int = Field(default=0, description="of the LoRA; 0: there is none")
    latency: float | None = Field(default=None, description="seconds to answer over those of the base, side by side")


class Measured(Record):
    """What one system did on the held-out examples: the metric's value of each, in their order."""

    values: tuple[float, ...]
    cost: Cost | None = None
    tuning: Tuning | None = None


class SystemScore(Record):
    """One system's score on the held-out examples with a 95 % bootstrap interval."""

    name: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    note: str = ""
    cost: Cost | None = Field(default=None, description="None where nothing runs")
    tuning: Tuning | None = Field(default=None, description="where it was trained here")


class Difference(Record):
    """Mean paired difference `first - second` on the same examples with a 95 % bootstrap interval.

    `p` is of the hypothesis that neither is better (exact McNemar where all values are 0 or 1, else sign flips);
    `adjusted` after Holm's correction for all comparisons of the report.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    p: float | None = None
    adjusted: float | None = None


class Contribution(Record):
    """What one expert contributes to the routed mixture on held-out examples, with 95 % intervals."""

    source: Source
    shapley: float = Field(description="what it adds to the metric on joining the others, over all orders of joining")
    low: float
    high: float
    leave_one_out: float = Field(description="what the whole mixture loses without it")
    loo_low: float
    loo_high: float


class Contributions(Record):
    """Every expert's contribution: the Shapley values add up to `whole` - `empty`."""

    metric: str
    n: int = Field(description="examples")
    coalitions: int = Field(description="how many groups of experts were measured")
    exact: bool = Field(description="whether these are all groups; otherwise orders of joining were drawn")
    empty: float = Field(description="the metric with every routed expert silent: the base and the shared expert")
    whole: float = Field(description="the metric of the routed mixture")
    experts: tuple[Contribution, ...] = Field(description="in the mixture's order")


class TokenShares(Record):
    """Which expert spoke where in one example: the mean gate of every expert over all modules, token by token."""

    example: int = Field(description="its place among the examples given")
    tokens: tuple[str, ...] = Field(description="pieces of text, one a token; together they are the whole text")
    shares: tuple[tuple[float, ...], ...] = Field(description="[tokens][experts], each token's add up to 1")
    answer: int = Field(description="the place of the answer's first token; prompt before, greedy answer from there")


class Report(Record):
    """The comparison on held-out examples, and the verdict drawn from it."""

    systems: tuple[SystemScore, ...]
    differences: tuple[Difference, ...]
    verdict: Literal["ship", "ship-single", "do-not-ship"]
    sentence: str
    protocol: Protocol = Field(
        default="held-out", description="what was measured on: held-out examples, or the shots by cross-validation"
    )
    removed: int = Field(default=0, description="held-out examples removed because they stand among the shots")
    chance: float | None = Field(
        default=None, description="what needs no skill scores: the shots' commonest output, or guessing among choices"
    )
    contributions: Contributions | None = None

    def system(self, name: str) -> SystemScore:
        """The system called `name`; KeyError where it was not measured."""
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(name)


class Published(Record):
    """Where the mixture went: `changed` is False when the repository already held exactly this."""

    repo: str
    url: str
    commit: str
    changed: bool
