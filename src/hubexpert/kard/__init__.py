"""KARD (arXiv 2305.18395): rationales that a teacher writes, distilled together with the passages they rest on.

`rationales` asks for them, `verified` keeps those by which the base comes to the gold output, `lessons` makes examples
of them with passages, and `with_passages` gives passages to questions alone. What finds passages is an argument.
"""

from hubexpert.kard.lessons import Retrieve, fitted_passages, lessons, with_passages
from hubexpert.kard.rationales import rationales
from hubexpert.kard.report import kard_report, reasoning_cost, retrieval_score, stated
from hubexpert.kard.verifier import verified
from hubexpert.kard.vote import voted

__all__ = [
    "Retrieve",
    "fitted_passages",
    "kard_report",
    "lessons",
    "rationales",
    "reasoning_cost",
    "retrieval_score",
    "stated",
    "verified",
    "voted",
    "with_passages",
]
