"""How varied training examples are."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hubexpert.overlap import Words, words
from hubexpert.records import Diversity, TrainingExample


def diversity(examples: Sequence[TrainingExample]) -> Diversity:
    """How varied the examples are, as ReBase reports it (arXiv 2407.05463, section 4).

    An example's text is its instruction, input, rationale and output; words are compared without regard to case and
    punctuation, and pairs do not reach from one example into the next. Without examples every number is 0.
    """
    texts = [_words(example) for example in examples]
    once = Counter(texts)
    single = Counter(word for text in texts for word in text)
    pairs = Counter(pair for text in texts for pair in pairwise(text))
    datasets = Counter(example.origin.source.repo for example in examples if example.origin)
    return Diversity(
        examples=len(examples),
        unique=_share(sum(count == 1 for count in once.values()), len(texts)),
        unigrams=len(single),
        unigram_share=_share(len(single), single.total()),
        bigrams=len(pairs),
        bigram_share=_share(len(pairs), pairs.total()),
        datasets=len(datasets),
        largest=_share(max(datasets.values(), default=0), len(examples)),
    )


def _words(taken: TrainingExample) -> Words:
    example = taken.example
    return words("\n".join((example.instruction, example.input, example.rationale or "", example.output)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
