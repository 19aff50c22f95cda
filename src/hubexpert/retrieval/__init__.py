"""Passages at test time: found by the question, put in order by the reranker, read before the answer (KARD, 3.3)."""

from hubexpert.retrieval.published import Answer, Described, Knowledge, open_knowledge, publish
from hubexpert.retrieval.retriever import Retriever

__all__ = ["Answer", "Described", "Knowledge", "Retriever", "open_knowledge", "publish"]
