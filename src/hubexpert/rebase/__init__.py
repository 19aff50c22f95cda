"""ReBase (arXiv 2407.05463): rows of open datasets, retrieved by their values, become examples of the task.

`score` tells how close every row is to the shots, `rebase` retrieves the closest, has the teacher transform them, and
says what came of each. Rows and replies are strangers' text.
"""

from hubexpert.rebase.harvest import rebase
from hubexpert.rebase.score import RowVectors, Scores, ShotVectors, score

__all__ = ["RowVectors", "Scores", "ShotVectors", "rebase", "score"]
