"""The recipe `hubexpert.yaml`: what the user wants, checked key by key."""

from hubexpert.recipe.data import BeaconsSection, DataSection, KardSection, KnowledgeSection, RebaseSection
from hubexpert.recipe.experts import EvaluateSection, ExpertsSection, Flag, Initial, Peer, TrainSection
from hubexpert.recipe.read import parse_recipe, read_recipe
from hubexpert.recipe.section import ROWS, is_folder, is_local
from hubexpert.recipe.task import FREE_LICENSES, DiscoverSection, TaskSection
from hubexpert.recipe.teacher import TeacherSection
from hubexpert.recipe.whole import PublishSection, Quantization, Recipe

__all__ = [
    "FREE_LICENSES", "ROWS", "BeaconsSection", "DataSection", "DiscoverSection", "EvaluateSection", "ExpertsSection",
    "Flag", "Initial", "KardSection", "KnowledgeSection", "Peer", "PublishSection", "Quantization", "RebaseSection",
    "Recipe", "TaskSection", "TeacherSection", "TrainSection", "is_folder", "is_local", "parse_recipe", "read_recipe",
]  # fmt: skip
