"""The stages in order, each skipped while its inputs hold: discover, score, select, build, evaluate, lock and card."""

from hubexpert.pipeline.mixture import build, contest, spoken
from hubexpert.pipeline.pool import discover, rationales, score, select, teacher
from hubexpert.pipeline.project import Project, open_project, part, task
from hubexpert.pipeline.proof import draws, evaluate
from hubexpert.pipeline.whole import lock, run

__all__ = [
    "Project",
    "build",
    "contest",
    "discover",
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
