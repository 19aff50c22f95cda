"""The stages in order, each skipped while its inputs hold: discover, score, select, data, build, evaluate, card."""

from hubexpert.pipeline.ablation import ablation
from hubexpert.pipeline.data import data, draw_data
from hubexpert.pipeline.gate import compared
from hubexpert.pipeline.mixture import build, contest, spoken
from hubexpert.pipeline.pool import discover, rationales, score, select, teacher
from hubexpert.pipeline.project import Project, open_project, part, task
from hubexpert.pipeline.proof import draws, evaluate
from hubexpert.pipeline.whole import lock, run

__all__ = [
    "Project",
    "ablation",
    "build",
    "compared",
    "contest",
    "data",
    "discover",
    "draw_data",
    "draws",
    "evaluate",
    "lock",
    "open_project",
    "part",
    "rationales",
    "run",
    "score",
    "select",
    "spoken",
    "task",
    "teacher",
]
