"""How varied examples are, against a slow count."""

from hypothesis import given
from hypothesis import strategies as st

from hubexpert.overlap import words
from hubexpert.records import Diversity, Example, Origin, Source, TrainingExample
from hubexpert.rows.diversity import diversity


def made(text: str, repo: str | None, output: str = "") -> TrainingExample:
    if repo is None:
        return TrainingExample(example=Example(input=text, output=output))
    source = Source(repo=repo, revision="1" * 40, repo_type="dataset")
    origin = Origin(method="select", source=source, config="c", split="s", row=0, closeness=1)
    return TrainingExample(example=Example(input=text, output=output), origin=origin)


texts = st.lists(st.sampled_from(["a", "b", "c", "A!"]), max_size=5).map(" ".join)
given_examples = st.lists(st.builds(made, texts, st.sampled_from([None, "x/y", "y/z"]), texts), max_size=8)


@given(given_examples)
def test_it_counts_what_a_slow_count_does(examples: list[TrainingExample]) -> None:
    found = diversity(examples)
    told = [words(f"{e.example.input}\n{e.example.output}") for e in examples]
    every = [word for text in told for word in text]
    pairs = [(text[n], text[n + 1]) for text in told for n in range(len(text) - 1)]
    repos = [e.origin.source.repo for e in examples if e.origin]
    assert found == Diversity(
        examples=len(examples),
        unique=sum(told.count(text) == 1 for text in told) / max(1, len(told)),
        unigrams=len(set(every)),
        unigram_share=len(set(every)) / max(1, len(every)),
        bigrams=len(set(pairs)),
        bigram_share=len(set(pairs)) / max(1, len(pairs)),
        datasets=len(set(repos)),
        largest=max(map(repos.count, repos), default=0) / max(1, len(examples)),
    )


def test_copies_are_not_varied() -> None:
    found = diversity([made("the same text", "x/y"), made("The same text!", "x/y"), made("another", "y/z")])
    assert (found.unique, found.unigrams, found.datasets) == (1 / 3, 4, 2)
    assert found.largest == 2 / 3
