"""Open Knowledge, data (Algorithm 2): the rows closest to the shots, without near-duplicates of one another."""

from hubexpert.instructions.duplicates import dedup
from hubexpert.instructions.random_rows import random_rows
from hubexpert.instructions.selected import example_text, select

__all__ = ["dedup", "example_text", "random_rows", "select"]
