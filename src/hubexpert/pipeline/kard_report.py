"""What passages and rationales are worth on the held-out examples, and what they cost."""

import time
from dataclasses import replace

from hubexpert.pipeline import kard
from hubexpert.pipeline.mixture import build, contest
from hubexpert.pipeline.project import Project, held_out, task
from hubexpert.pipeline.proof import evaluation
from hubexpert.records import (
    BY_WORDS,
    GOLD_SIDE,
    NO_PASSAGES,
    RERANKED,
    Example,
    KardReport,
    ReasoningCost,
    RetrievalScore,
)
from hubexpert.workspace import METHOD

TIMED = 8  # questions


def kard_report(project: Project) -> KardReport | None:
    """The routed mixture with the passages of each way to find them; None without the method.

    The gold side looks passages up by a held-out example's own rationale, where all have one: a bound for any reranker.
    Without held-out examples nothing is compared.
    """
    if not kard.reasons(project):
        return None
    test, made, section = held_out(project)[0], build(project), project.recipe.data.kard
    asked = kard.asked(project, test)
    inputs = {"method": METHOD, "test": list(test), "asked": list(asked), "build": made, "section": section}
    return project.workspace.step("kard", inputs, lambda: _produced(project, test, asked), KardReport)[0]


def _produced(project: Project, test: tuple[Example, ...], asked: tuple[Example, ...]) -> KardReport:
    from hubexpert.evaluate import measured
    from hubexpert.kard import kard_report as told
    from hubexpert.systems.mixtures import routed

    arena, index = contest(project), project.knowledge
    system, journal = routed(project.model, arena), evaluation(project)
    values = {
        name: measured(project.model, replace(arena, test=rows), system, journal).values
        for name, rows in _ways(project, test, asked).items()
    }
    cost, seed = _cost(project, asked), project.recipe.seed
    found = told(kard.distilled(project), _retrieval(project, test), values, arena.metric, seed=seed, cost=cost)
    facts = {"sources": index.about.sources, "passages": len(index), "reranker": kard.reranker(project)}
    return found.model_copy(update=facts)


def _ways(project: Project, test: tuple[Example, ...], asked: tuple[Example, ...]) -> dict[str, tuple[Example, ...]]:
    """The held-out examples with the passages of each way to find them."""
    from hubexpert.retrieval import Retriever

    if not test:
        return {}
    finder = Retriever(project.knowledge, project.recipe.data.kard)
    by_words = kard.texts_of(finder, finder.by_words)
    ways = {
        NO_PASSAGES: kard.with_found(project, test, lambda queries: [[] for _ in queries]),
        BY_WORDS: kard.with_found(project, test, by_words),
        RERANKED: asked,
    }
    if all(example.rationale for example in test):
        gold = [example.rationale or "" for example in test]
        ways[GOLD_SIDE] = kard.with_found(project, test, lambda _: by_words(gold))
    return ways


def _retrieval(project: Project, test: tuple[Example, ...]) -> list[RetrievalScore | None]:
    """How well each way finds the passages that a held-out example's own rationale states."""
    from hubexpert.kard import retrieval_score, stated
    from hubexpert.knowledge import search

    known = [example for example in test if example.rationale]
    if not known:
        return []
    index, most = project.knowledge, project.recipe.data.kard.retrieved
    questions, rationales = [kard.query_of(each) for each in known], [each.rationale or "" for each in known]
    by_words, by_rationale = (
        [hits.ids.tolist() for hits in search(index, queries, most)] for queries in (questions, rationales)
    )
    texts = [[passage.text for passage in index.at(ids)] for ids in by_rationale]
    gold = [
        [ids[place] for place in stated(rationale, some)]
        for rationale, ids, some in zip(rationales, by_rationale, texts, strict=True)
    ]
    ways = {
        BY_WORDS: by_words,
        RERANKED: project.retriever.ranked(questions, quiet=project.quiet),
        GOLD_SIDE: by_rationale,
    }
    return [retrieval_score(name, found, gold, seed=project.recipe.seed) for name, found in ways.items()]


def _cost(project: Project, asked: tuple[Example, ...]) -> ReasoningCost:
    """In tokens of the shots' answers, which are known; in seconds of the first held-out questions."""
    from hubexpert.kard import reasoning_cost
    from hubexpert.lm import encode

    tokenizer = project.model.tokenizer
    lessons = [each.example for each in project.data.examples if each.origin is None]
    direct, reasoned = (
        [encode(tokenizer, each, each.reply) for each in rows] for rows in ([*map(_bare, lessons)], lessons)
    )
    return reasoning_cost(direct, reasoned, seconds=_seconds(project, asked[:TIMED]) if asked else None)


def _bare(example: Example) -> Example:
    return example.model_copy(update={"passages": (), "reasoned": False, "rationale": None})


def _seconds(project: Project, asked: tuple[Example, ...]) -> tuple[float, float]:
    """How long the mixture takes to answer directly, and with passages and rationales."""
    from hubexpert.examine import answer_length
    from hubexpert.lm import encode, generate
    from hubexpert.systems.mixtures import routed

    tokenizer = project.model.tokenizer
    lengths = answer_length(tokenizer, task(project).shots), kard.longest(project)
    taken = []
    with routed(project.model, contest(project)).open() as form:
        for rows, longest in zip(([*map(_bare, asked)], asked), lengths, strict=True):
            prompts = [encode(tokenizer, each, "").prompt for each in rows]
            begun = time.perf_counter()
            generate(form.model, prompts, max_new_tokens=longest)
            taken.append(time.perf_counter() - begun)
    return taken[0], taken[1]
