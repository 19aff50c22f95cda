"""What the card says of the passages that are read before an answer."""

from typing import Any

from hubexpert.escape import prose
from hubexpert.lock import Lock
from hubexpert.recipe import is_folder
from hubexpert.records import BY_WORDS, GOLD_SIDE, NO_PASSAGES, RERANKED
from hubexpert.verdict import points

MEANINGS = {
    NO_PASSAGES: "the question alone",
    BY_WORDS: "what the question's words find",
    RERANKED: "what the reranker puts first of it",
    GOLD_SIDE: "what the gold rationale finds: a bound for any reranker",
}


def reasoned(lock: Lock) -> dict[str, Any]:
    """`kard`: the facts as rows; None where no passages are read."""
    told = lock.kard
    if told is None:
        return {"kard": None}
    own = [source for source in told.sources if is_folder(source.repo)]
    systems = [
        {
            "name": system.name,
            "meaning": MEANINGS.get(system.name, ""),
            "value": points(system.value),
            "interval": f"{points(system.low)} to {points(system.high)}",
        }
        for system in told.systems
    ]
    distilled, cost = told.distilled, told.cost
    return {
        "kard": {
            "sources": [
                {"name": source, "license": source.license or "none given"}
                for source in told.sources
                if source not in own
            ],
            "own": [prose(source.repo) for source in own],
            "passages": told.passages,
            "retrieval": [
                {
                    "name": score.name,
                    "first": points(score.recall_1),
                    "five": points(score.recall_5),
                    "interval": f"{points(score.low)} to {points(score.high)}",
                    "n": score.n,
                }
                for score in told.retrieval
            ],
            "systems": systems,
            "given": distilled.given,
            "asked": distilled.asked,
            "left_out": sum(distilled.refused.values()),
            "reranker": told.reranker.sentence if told.reranker else "",
            "cost": cost,
        }
    }
