"""The model card: a pure function of the lock. Equal locks give equal README.md and equal figures."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from hubexpert import figures
from hubexpert.card_data import added
from hubexpert.card_kard import reasoned
from hubexpert.card_systems import NOTHING, comparison, in_points
from hubexpert.escape import code, fence, prose, shown_name
from hubexpert.experts.flag import sentence
from hubexpert.kinds import CONVERTIBLE
from hubexpert.licenses import classify, conflicts, license_of, other_name, parts
from hubexpert.lock import Lock, locked_recipe
from hubexpert.metadata import metadata
from hubexpert.page import render
from hubexpert.recipe import is_folder, parse_recipe
from hubexpert.records import ACCEPTED, Refused, Source
from hubexpert.snippets import snippets
from hubexpert.verdict import points

LISTED = 30  # refused candidates by name
SENTENCE = 2000  # characters of the verdict's sentence, which is ours, but for the names in it
FLAGGED = ("non-commercial", "non-commercial-share-alike", "no-derivatives", "unknown")


def write_card(lock: Lock, folder: Path, *, repo: str | None) -> None:
    """Write README.md and figures/*.png into `folder`.

    Args:
        lock: all that the card says.
        folder: where it goes; made if missing.
        repo: what the snippets load; None while it has no place on a Hub.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures.draw(lock, folder / "figures")
    (folder / "README.md").write_text(render_card(lock, repo=repo, drawn=drawn), encoding="utf-8", newline="\n")


def render_card(lock: Lock, *, repo: str | None, drawn: tuple[str, ...]) -> str:
    """The text of README.md; `drawn` are the file names of the figures that exist."""
    name = other_name([part.license for part in parts(lock)])
    header = metadata(lock, repo=repo, license_id=license_of(lock), license_name=name)
    told = {
        **facts(lock),
        **comparison(lock),
        **provenance(lock),
        **added(lock),
        **reasoned(lock),
        **snippets(lock, repo),
    }
    body = render("model_card.md", endpoint=lock.discovery.endpoint, **told, figures=drawn)
    front_matter = header.to_yaml(line_break="\n")
    return f"---\n{front_matter}\n---\n\n{body}"


def recipe_text(lock: Lock) -> str:
    """The recipe in YAML, its keys in their own order, not in that of the lock; no path of this machine."""
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    return yaml.safe_dump({**locked_recipe(recipe), "base": shown_name(recipe.base)}, sort_keys=False)


def packages_text(lock: Lock) -> str:
    """What the mixture was made with, a package and its version a line."""
    return "\n".join(f"{name} {version}" for name, version in sorted(lock.build.packages.items()))


def facts(lock: Lock) -> dict[str, Any]:
    """What the lock says as it is: task, data, training, versions."""
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    return {
        "task": recipe.task,
        "license": license_of(lock),
        "license_chosen": recipe.publish.license,
        "conflicts": conflicts(parts(lock)),
        "train": recipe.train,
        "methods": recipe.data.methods,
        "seed": recipe.seed,
        "build": lock.build,
        "report": lock.report,
        "sentence": prose(lock.report.sentence, longest=SENTENCE),
        "metric": lock.scores.metric,
        "shots": lock.scores.base.n,
        "held_out": max((system.n for system in lock.report.systems), default=0),
        "removed": lock.report.removed,
        "digests": {"shots": lock.digests.get("shots", "-"), "test": lock.digests.get("test", "-")},
        "packages": fence(packages_text(lock), "text"),
        "recipe_yaml": fence(recipe_text(lock), "yaml"),
        "base_name": shown_name(lock.base.repo),
        "base_link": lock.base,
        "base_license": lock.base.license or "none given",
    }


def provenance(lock: Lock) -> dict[str, Any]:
    """The experts, the scored that were not chosen, and the refused, as rows."""
    scores = {score.source.repo: score for score in lock.scores.scores}
    reasons = {selected.source.repo: selected.reason for selected in lock.selection.pool}
    kinds = {candidate.source.repo: candidate.peft_type for candidate in lock.discovery.candidates}
    experts = {expert.source.repo for expert in lock.build.experts}
    told = lock.report.contributions
    shapley = {one.source.repo: in_points(one.shapley) for one in (told.experts if told else ())}

    def row(source: Source) -> dict[str, Any]:
        score = scores.get(source.repo)
        return {
            "link": source,
            "license": source.license or "none given",
            "metric": points(score.exact_match) if score else "-",
            "perplexity": f"{score.perplexity:.3g}" if score else "-",
            "reason": reasons.get(source.repo, ""),
        }

    refused = refusals(lock)
    return {
        "experts": [
            {
                **row(e.source),
                "author": _author(e.source),
                "shapley": shapley.get(e.source.repo, NOTHING),
                "rank": e.rank,
                "targets": _targets(e.target_modules),
                "share": f"{100 * e.share:.0f} %",
                "converted": converted(kinds.get(e.source.repo), e.conversion_error),
            }
            for e in lock.build.experts
        ],
        "flagged": [
            {"link": e.source, "meaning": sentence(flag)}
            for e in lock.build.experts
            if e.source.repo in scores
            for flag in scores[e.source.repo].flags
        ],
        "others": [row(score.source) for score in lock.scores.scores if score.source.repo not in experts],
        "refused_total": len(refused),
        "refused_codes": Counter(refusal.code for refusal in refused).most_common(),
        "refused": [{"link": r.source, "code": r.code, "reason": r.reason} for r in refused[:LISTED]],
        "license_flags": [
            {"link": part, "kind": classify(part.license), "license": part.license or ""}
            for part in parts(lock)
            if classify(part.license) in FLAGGED
        ],
    }


def _author(source: Source) -> str:
    """Who it belongs to on the Hub."""
    return "-" if is_folder(source.repo) or "/" not in source.repo else source.repo.partition("/")[0]


def converted(peft_type: str | None, lost: float | None) -> str:
    """How an expert of another type than LoRA became one; empty for a LoRA."""
    if lost is None:
        return ""
    kind = CONVERTIBLE.get(peft_type or "")
    error = f"{100 * lost:.1f} %" if lost >= 0.0005 else "below 0.1 %"
    return f"converted from {kind.name if kind else 'another type'} (error {error})"


def refusals(lock: Lock) -> list[Refused]:
    """What discovery did not take after an inspection, and scoring after loading it, in their order."""
    found = [
        Refused(source=c.source, code=c.verdict, reason="; ".join(c.reasons))
        for c in lock.discovery.candidates
        if c.verdict != ACCEPTED
    ]
    return [*found, *lock.scores.refused]


def _targets(modules: tuple[str, ...]) -> Markup:
    """The first eight module names, and how many more."""
    more = f" and {len(modules) - 8} more" if len(modules) > 8 else ""
    return Markup(", ".join(code(module) for module in modules[:8]) + more)  # noqa: S704 - joined code spans
