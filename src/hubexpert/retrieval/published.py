"""What lies beside a published adapter so that it finds its passages again: where they come from, and the reranker."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from hubexpert import hub
from hubexpert.embed.files import from_hub
from hubexpert.errors import HubExpertError
from hubexpert.kard import fitted_passages, voted, with_passages
from hubexpert.knowledge import open_index, pinned
from hubexpert.knowledge.sources import is_local_text
from hubexpert.lm import Lm, encode, generate
from hubexpert.recipe import KardSection, KnowledgeSection
from hubexpert.records import ANSWER, Example, Record, RerankerRecord, Source
from hubexpert.reranker import folder as reranker_folder
from hubexpert.retrieval.retriever import Retriever
from hubexpert.workspace import write_atomically

FILE, RERANKER, VERSION = "knowledge.json", "reranker", 1
FIX = "name a repository that hubexpert published with the method `kard`"


class Described(Record):
    """The published facts: pinned sources, how they are cut and looked up, and how the task asks."""

    version: Annotated[int, Field(le=VERSION, description="of this file's form")] = VERSION
    sources: tuple[Source, ...]
    knowledge: KnowledgeSection
    kard: KardSection
    instruction: str
    longest: Annotated[int, Field(gt=0, description="tokens of an answer at most")]
    room: Annotated[int, Field(gt=0, description="tokens of prompt and answer at most")]
    seed: int


class Answer(Record):
    """An answer, the rationale before it, and the passages that were read for it."""

    output: str
    rationale: str
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Knowledge:
    """A published knowledge base: it finds the passages of a question, and lets the expert answer with them."""

    described: Described
    retriever: Retriever

    def passages(self, question: str) -> list[str]:
        """The passages that are read for the question, the best first."""
        return self.retriever.texts(self.retriever.by_question([question])[0])

    def asked(self, tokenizer: Any, examples: Sequence[Example]) -> tuple[Example, ...]:
        """The examples as the expert is asked: with the passages that each finds, as many as fit."""
        room = self.described.room - self.described.longest
        finder = self.retriever
        found = with_passages(examples, lambda queries: [finder.texts(ids) for ids in finder.by_question(queries)])
        return tuple(
            each.model_copy(update={"passages": fitted_passages(tokenizer, each, each.passages, room)})
            for each in found
        )

    def answer(self, model: Any, tokenizer: Any, question: str, *, choices: Sequence[str] = ()) -> Answer:
        """What the expert answers.

        Args:
            model: what `hubexpert.load` gives.
            tokenizer: the base's.
            question: as the task's inputs are.
            choices: the answers that there are, if the task has such.
        """
        bare = Example(instruction=self.described.instruction, input=question, output="", choices=tuple(choices))
        example = self.asked(tokenizer, [bare])[0]
        text = self._text(Lm(model, tokenizer), example)
        rationale, mark, output = text.partition(ANSWER)
        if not mark:
            rationale, output = "", text
        return Answer(output=output.strip(), rationale=rationale.strip(), passages=example.passages)

    def _text(self, lm: Lm, example: Example) -> str:
        facts = self.described
        if facts.kard.votes == 1:
            return generate(lm, [encode(lm.tokenizer, example, "").prompt], max_new_tokens=facts.longest)[0]
        return voted(
            lm,
            [example],
            votes=facts.kard.votes,
            temperature=facts.kard.temperature,
            max_new_tokens=facts.longest,
            seed=facts.seed,
        )[0]


def publish(described: Described, retriever: Retriever, record: RerankerRecord | None, folder: Path) -> None:
    """Write what `open_knowledge` reads into the folder of the adapter."""
    write_atomically(folder / FILE, described.model_dump_json(indent=1))
    if retriever.reranker is not None and record is not None:
        reranker_folder.save(retriever.reranker, record, folder / RERANKER)


def open_knowledge(
    repo_or_folder: str | Path,
    *,
    revision: str | None = None,
    texts: Sequence[str] = (),
    device: str | None = None,
    quiet: bool = False,
) -> Knowledge:
    """The knowledge base of a published expert; its index is made once, and kept beside the Hub's cache.

    Args:
        repo_or_folder: a Hub id or a folder.
        revision: branch, tag or commit of the repository.
        texts: where your copies of those sources are that are files of the expert's author, in their order.
        device: a torch device for the reranker; by default CUDA where there is one.
        quiet: no progress.

    Raises:
        HubExpertError: the repository holds no knowledge, its texts cannot be had, or they are not those it names.
    """
    folder, source = Path(repo_or_folder), None
    if not folder.is_dir():
        source = hub.resolve(str(repo_or_folder), revision=revision)
        folder = hub.snapshot(source, (FILE,))
    described = _described(folder, repo_or_folder)
    if source is not None and described.kard.reranker:
        from_hub(source, below=RERANKER)
    sources, beside = _texts(described, texts)
    index = open_index(hub.cache_folder() / "knowledge", sources, described.knowledge, beside, quiet=quiet)
    reranker = reranker_folder.load(folder / RERANKER, device=device) if described.kard.reranker else None
    return Knowledge(described, Retriever(index, described.kard, reranker))


def _described(folder: Path, name: str | Path) -> Described:
    try:
        return Described.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise HubExpertError(
            f"{name} names no knowledge, or its {FILE} is damaged or of a newer release.", fix=FIX
        ) from error


def _texts(described: Described, texts: Sequence[str]) -> tuple[tuple[Source, ...], Path]:
    """The sources, where files are, and whether those given are the files that were published of."""
    here, local = Path.cwd(), [source for source in described.sources if is_local_text(source.repo)]
    if local and not texts:
        raise HubExpertError(
            f"The texts of this knowledge are files of its author: {', '.join(source.repo for source in local)}.",
            fix="name your copies of them: open_knowledge(..., texts=[...])",
        )
    mine = pinned([text if is_local_text(text) else f"./{text}" for text in texts], here)
    if [each.revision for each in mine] != [each.revision for each in local]:
        raise HubExpertError(
            "The texts are not those that the expert was made with.", fix="name the same files, unchanged"
        )
    copies = dict(zip(local, mine, strict=True))
    return tuple(copies.get(source, source) for source in described.sources), here
