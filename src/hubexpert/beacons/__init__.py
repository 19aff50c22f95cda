"""Which examples to learn from, and how hard: by how far the base's own answers are from theirs.

Inspired by "Semantic are Beacons" (arXiv 2405.18292), of which only the abstract and summaries were at hand: it finds
that training can push a model away from the fact it should learn, and that facts learned together interfere.
"""

from hubexpert.beacons.distance import answers, distances
from hubexpert.beacons.filtering import keep
from hubexpert.beacons.harvest import shaped
from hubexpert.beacons.report import moved
from hubexpert.beacons.weighting import weights

__all__ = ["answers", "distances", "keep", "moved", "shaped", "weights"]
