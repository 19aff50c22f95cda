"""A knowledge base: texts cut into passages, kept on disk, and found by BM25 (KARD, arXiv 2305.18395, section 3)."""

from hubexpert.knowledge.index import Index, open_index
from hubexpert.knowledge.search import scores, search
from hubexpert.knowledge.sources import pinned

__all__ = ["Index", "open_index", "pinned", "scores", "search"]
