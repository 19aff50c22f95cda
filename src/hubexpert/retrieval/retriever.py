"""What finds passages: BM25 alone, or BM25 and the reranker behind it (KARD, 3.2 and 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hubexpert.knowledge import Index, search
from hubexpert.recipe import KardSection
from hubexpert.records import Passage
from hubexpert.reranker.models import Reranker
from hubexpert.reranker.rank import blended, order, rerank


@dataclass(frozen=True)
class Retriever:
    """A knowledge base, and what puts its passages in order.

    Attributes:
        index: of the passages.
        section: how many passages are found, and how many are read.
        reranker: None does without.
    """

    index: Index
    section: KardSection
    reranker: Reranker | None = None

    def by_words(self, queries: Sequence[str]) -> list[list[int]]:
        """Numbers of the passages that are read, as BM25 puts them in order, for each query."""
        return [found.ids.tolist() for found in search(self.index, queries, self.section.passages)]

    def by_question(self, questions: Sequence[str], *, quiet: bool = True) -> list[list[int]]:
        """Numbers of the passages that BM25 finds for each question, in the reranker's order, as many as are read."""
        return [found[: self.section.passages] for found in self.ranked(questions, quiet=quiet)]

    def ranked(self, questions: Sequence[str], *, quiet: bool = True) -> list[list[int]]:
        """All that BM25 finds for each question, in the order of the reranker's score and a little of BM25's."""
        found = search(self.index, questions, self.section.retrieved, quiet=quiet)
        ids = [hits.ids.tolist() for hits in found]
        if self.reranker is None:
            return ids
        scores = rerank(self.reranker, questions, [self.texts(each) for each in ids], quiet=quiet)
        return [
            hits.ids[order(blended(each, hits.scores, self.section.words))].tolist()
            for hits, each in zip(found, scores, strict=True)
        ]

    def texts(self, ids: Sequence[int]) -> list[str]:
        """The passages of these numbers, as they are read."""
        return [told(passage) for passage in self.index.at(ids)]


def told(passage: Passage) -> str:
    """A passage as it is read: behind its title, if it has one."""
    return f"{passage.title}: {passage.text}" if passage.title else passage.text
