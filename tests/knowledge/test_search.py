"""BM25 against a slow reference."""

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.knowledge import Index, open_index, pinned, scores, search
from hubexpert.knowledge.search import _best
from hubexpert.knowledge.terms import language, terms
from hubexpert.recipe import KnowledgeSection
from tests.rows.test_local import write

WORDS = st.sampled_from(["sun", "suns", "star", "the", "水", "été", "7"])
SENTENCE = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
K1, B = 1.5, 0.75


def indexed(folder: Path, texts: Sequence[str], titles: Sequence[str] = ()) -> Index:
    rows = [{"text": text} for text in texts]
    for row, title in zip(rows, titles, strict=False):
        row["title"] = title
    file = str(write(folder / "base.jsonl", *rows))
    section = KnowledgeSection(sources=(file,))
    return open_index(folder / "indexes", pinned([file], folder), section, folder, quiet=True)


def bm25(query: Sequence[str], passages: Sequence[Sequence[str]]) -> list[float]:
    """Lucene's BM25 of every passage, word by word (Kamphuis et al., ECIR 2020, table 1)."""
    mean = sum(map(len, passages)) / len(passages)
    found = []
    for passage in passages:
        score = 0.0
        for word in query:
            n = sum(word in other for other in passages)
            f = passage.count(word)
            idf = math.log(1 + (len(passages) - n + 0.5) / (n + 0.5))
            score += idf * f / (f + K1 * (1 - B + B * len(passage) / mean)) if f else 0.0
        found.append(score)
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(SENTENCE, min_size=1, max_size=9), SENTENCE | st.just("unknown ?"), st.integers(1, 12))
def test_scores_and_their_order_are_those_of_the_formula(texts: list[str], query: str, k: int) -> None:
    """Only passages that share a word are found, the best first, equal ones by number; a title counts as text."""
    titles = [text.split()[0] for text in texts]
    with TemporaryDirectory() as folder:
        index = indexed(Path(folder), [*texts, "moon"], titles)  # something that no stop word is
        passages = [terms(f"{index[n].title} {index[n].text}", index.about.language) for n in range(len(index))]
        expected = bm25(terms(query, index.about.language), passages)
        (hits,) = search(index, [query], k, quiet=True)
        assert hits.ids.dtype == np.int64
        every = range(len(index))
        own = scores(index, query, every[::-1])[::-1]
        assert own == pytest.approx(expected, rel=1e-5)
        assert hits.scores == pytest.approx([expected[n] for n in hits.ids], rel=1e-5)
        assert np.array_equal(hits.scores, scores(index, query, hits.ids))
        wanted = sorted((n for n in every if expected[n]), key=lambda n: (-own[n], n))[:k]
        assert hits.ids.tolist() == wanted


@given(st.lists(st.sampled_from([0, 0, 0.5, 1, 2.5]), min_size=1, max_size=1000), st.integers(1, 12))
def test_the_best_of_many_are_those_that_sorting_all_gives(found: list[float], k: int) -> None:
    hits = _best(np.array(found, np.float32), k)
    assert hits.ids.tolist() == sorted((n for n in range(len(found)) if found[n]), key=lambda n: (-found[n], n))[:k]
    assert hits.scores.tolist() == [found[n] for n in hits.ids]


def test_of_many_equal_passages_those_with_the_lowest_numbers_are_found(tmp_path: Path) -> None:
    index = indexed(tmp_path, ["a red fox"] * 50 + ["fox fox fox"] + ["a red fox"] * 50)
    (hits,) = search(index, ["red fox"], 5, quiet=True)
    assert hits.ids.tolist() == [0, 1, 2, 3, 4] and len(set(hits.scores.tolist())) == 1
    (hits,) = search(index, ["fox"], 3, quiet=True)
    assert hits.ids.tolist() == [50, 0, 1]


def test_many_queries_are_answered_in_order_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = indexed(tmp_path, [f"number {n} and {n // 2}" for n in range(60)])
    queries = [f"number {n}" for n in range(60)]
    found = {}
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found[threads] = [hits.ids.tolist() for hits in search(index, queries, 4, quiet=True)]
    assert found["1"] == found["3"]
    assert search(index, [], 4, quiet=True) == []


@pytest.mark.parametrize("query", ["", " \n", "???", "xyzzy", "the of", "\x00\ud800"])
def test_a_query_without_a_known_word_finds_nothing(query: str, tmp_path: Path) -> None:
    index = indexed(tmp_path, ["The sun is a star.", "The moon is none."])
    (hits,) = search(index, [query], 5, quiet=True)
    assert len(hits.ids) == len(hits.scores) == 0
    assert scores(index, query, [1, 0]).tolist() == [0, 0]


def test_scores_of_passages_that_are_not_there_are_refused(tmp_path: Path) -> None:
    index = indexed(tmp_path, ["one", "two"])
    assert scores(index, "one", []).shape == (0,)
    for number in (-1, 2):
        with pytest.raises(IndexError):
            scores(index, "one", [number])


ENGLISH = "The rivers of the country carried boats and timber down to the sea all through the year."
GERMAN = "Die Flüsse des Landes trugen das ganze Jahr hindurch Boote und Holz hinunter zum Meer."
JAPANESE = "川は一年を通して船と木材を海まで運びました。"


@pytest.mark.parametrize(
    ("text", "code", "query"),
    [(ENGLISH, "en", "river carries boat"), (GERMAN, "de", "Fluss trug ein Boot"), (JAPANESE, None, "海の船")],
)
def test_words_are_stemmed_in_the_language_of_the_knowledge(text: str, code: str | None, query: str) -> None:
    assert language([text] * 3) == code
    assert set(terms(query, code)) & set(terms(text, code))
    assert "the" not in terms("The THE the", "en") and terms("The", None) == ["the"]


def test_short_texts_are_taken_for_english_where_their_letters_are() -> None:
    assert language(["red fox", "2 stars"]) == "en"
    assert language(["red fox", "füchse"]) is None


def test_case_and_forms_of_letters_do_not_count() -> None:
    assert terms("ＦＯＸ", "en") == terms("fox", "en") and terms("STRASSE", None) == terms("straße", None)
