"""In which order adapters are scored: a guess from names and cards, the most promising first.

It decides only what is measured earlier, and ties. It excludes nothing: most good adapters on the Hub have a card that
says nothing (arXiv 2601.22157), so what a card says must not cost one its measurement.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from hubexpert.records import Candidate, Example

MOST_TEXT = 20_000  # characters of a card, and of the shots together
MOST_WORD = 30
MANY = 3  # cards; two may be one author's, of the same adapter twice
WORD = re.compile(r"[^\W\d_]+")  # one character class: linear in the text
UNFILLED, TEMPLATE = "[More Information Needed]", ("#", "<!--")  # in the Hub's template of a card
Terms = Counter[str]


def prior(
    candidates: Sequence[Candidate],
    cards: Mapping[str, str],
    *,
    name: str,
    instruction: str,
    shots: Sequence[Example],
) -> list[int]:
    """Indices of all candidates, the most promising first.

    What an adapter is called (its repository, the datasets it cites) and what its card says are each compared with what
    the task is called (name, instruction) and with the shots, by TF-IDF cosines of words, and the four are added. Names
    with names are compared by groups of three letters: `commonsense_qa` is near `commonsenseqa`. Terms that all
    adapters share count nothing. Ties go to more downloads, then to the earlier one.

    Args:
        candidates: the pool.
        cards: repository -> text of its card; strangers' text, of which the first 20,000 characters are read.
        name: the task's.
        instruction: the task's.
        shots: the K examples.
    """
    each = MOST_TEXT // max(1, len(shots))
    told = " ".join(f"{shot.instruction} {shot.output} {shot.input}"[:each] for shot in shots)
    called = [" ".join((c.source.repo.rpartition("/")[2], *c.datasets))[:MOST_TEXT] for c in candidates]
    said = _own([cards.get(c.source.repo, "")[:MOST_TEXT] for c in candidates])
    near = [0.0] * len(candidates)
    task = f"{name} {instruction}"[:MOST_TEXT]
    for texts, wanted, terms in (
        (called, task, _letters),
        (called, told, _words),
        (said, task, _words),
        (said, told, _words),
    ):
        pool = [terms(text) for text in texts]
        weights, query = _weights(pool), terms(wanted)
        near = [sum_ + _cosine(query, one, weights) for sum_, one in zip(near, pool, strict=True)]
    return sorted(range(len(candidates)), key=lambda i: (-round(near[i], 9), -candidates[i].downloads, i))


def _own(cards: Sequence[str]) -> list[str]:
    """The cards without what a template says: headings, comments, open gaps, and lines that stand in many cards."""
    lines = [[line.strip() for line in card.splitlines()] for card in cards]
    shared = Counter(line for card in lines for line in set(card))
    return [
        "\n".join(
            line for line in card if shared[line] < MANY and UNFILLED not in line and not line.startswith(TEMPLATE)
        )
        for card in lines
    ]


def _words(text: str) -> Terms:
    """Words but for short ones, most of which are grammar."""
    return Counter(word[:MOST_WORD] for word in WORD.findall(text.lower()) if len(word) > 3)


def _letters(text: str) -> Terms:
    """Groups of three letters within the words of a text."""
    return Counter(
        f" {word[:MOST_WORD]} "[at : at + 3]
        for word in WORD.findall(text.lower())
        for at in range(len(word[:MOST_WORD]))
    )


def _weights(pool: Sequence[Terms]) -> dict[str, float]:
    """The inverse document frequency of each term of the pool: 0 for what all have."""
    found = Counter(term for terms in pool for term in terms)
    return {term: math.log(len(pool) / times) for term, times in found.items()}


def _cosine(query: Terms, document: Terms, weights: Mapping[str, float]) -> float:
    """The cosine of two bags of terms, each term weighed by (1 + log count) times its weight in the pool."""
    first, second = (_vector(terms, weights) for terms in (query, document))
    length = math.hypot(*first.values()) * math.hypot(*second.values())
    return sum(first[term] * value for term, value in second.items() if term in first) / length if length else 0.0


def _vector(terms: Terms, weights: Mapping[str, float]) -> dict[str, float]:
    return {term: (1 + math.log(count)) * weights[term] for term, count in terms.items() if weights.get(term)}
