"""What is compared: the mixture in its two forms, and everything that would be cheaper."""

from hubexpert.lm import Lm
from hubexpert.systems.form import Contest, Form, System
from hubexpert.systems.mixtures import ROUTED, random_experts, routed, static
from hubexpert.systems.peers import check_peers, peer
from hubexpert.systems.singles import best_single_tuned, fresh_lora
from hubexpert.systems.untrained import base, base_shots, best_single, commonest

__all__ = ["ROUTED", "Contest", "Form", "System", "check_peers", "systems"]


def systems(model: Lm, contest: Contest) -> tuple[System, ...]:
    """Every system in the order of the report."""
    found = (
        commonest(model, contest),
        base(model),
        base_shots(model, contest),
        best_single(model, contest),
        best_single_tuned(model, contest),
        static(model, contest),
        routed(model, contest),
        fresh_lora(model, contest),
        random_experts(model, contest),
        *(peer(model, contest, name) for name in contest.section.peers),
    )
    return tuple(system for system in found if system is not None)
