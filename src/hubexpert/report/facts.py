"""What the report says, from the lock and what lies beside it: the card's facts, and more of them."""

import math
from typing import Any

from markupsafe import Markup

from hubexpert.card import SENTENCE, converted, facts, packages_text, provenance, recipe_text, refusals
from hubexpert.card_data import added
from hubexpert.card_kard import reasoned
from hubexpert.card_systems import comparison
from hubexpert.contribution_figures import kind_shares
from hubexpert.escape import clean, lines
from hubexpert.lock import Lock, taken
from hubexpert.records import Score, Selected, Source
from hubexpert.report.beside import Beside
from hubexpert.verdict import points

NOTHING = "-"


def told(lock: Lock, known: Beside) -> dict[str, Any]:
    """All facts for the template: text is strangers' and not yet escaped, sources are to become links."""
    card = {**facts(lock), **comparison(lock), **provenance(lock), **added(lock), **reasoned(lock)}
    return {
        **_unmarked(card),
        "kard_own": [source.repo for source in lock.kard.sources if source not in taken(lock)] if lock.kard else [],
        "packages": Markup.escape(lines(packages_text(lock))),
        "recipe_yaml": Markup.escape(lines(recipe_text(lock))),
        "sentence": Markup.escape(clean(lock.report.sentence, longest=SENTENCE)),
        "leaderboard": leaderboard(lock),
        "base_score": _measured(lock.scores.base),
        "routing": routing(lock),
        "unread": sorted(lock.data.unread.items()) if lock.data else [],
        "refused": refusals(lock),
        "left_out": left_out(lock),
        "refused_rows": known.rows,
        "map": known.map,
        "parts": parts(lock),
        "numbered": [(str(number), "n") for number in range(1, 1 + len(lock.build.experts))],
        "targets": [", ".join(expert.target_modules) for expert in lock.build.experts],
    }


def _unmarked(value: Any) -> Any:
    """The value with plain text in the place of Markup: what is safe in Markdown is not yet so in HTML."""
    if isinstance(value, dict):
        return {key: _unmarked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_unmarked(each) for each in value]
    return "".join(value) if isinstance(value, Markup) else value


def leaderboard(lock: Lock) -> list[dict[str, Any]]:
    """The scored pool, the selection's best first; those that were not for selection come last, without a place."""
    scores = {score.source.repo: score for score in lock.scores.scores}
    kinds = {candidate.source.repo: candidate.peft_type for candidate in lock.discovery.candidates}
    pool = [selected for selected in lock.selection.pool if selected.source.repo in scores]
    known = {selected.source.repo for selected in pool}
    rows: list[tuple[int | None, Selected | None, Score]] = [
        (place, selected, scores[selected.source.repo]) for place, selected in enumerate(pool, start=1)
    ]
    rows += [(None, None, score) for score in lock.scores.scores if score.source.repo not in known]
    return [
        {
            "place": place,
            "link": score.source,
            "chosen": selected is not None and selected.chosen,
            "license": score.source.license or "none given",
            **_measured(score),
            "notes": [note for note in (converted(kinds.get(score.source.repo), score.conversion_error),) if note],
            "flags": score.flags,
            "reason": selected.reason if selected else "",
        }
        for place, selected, score in rows
    ]


def _measured(score: Score) -> dict[str, Any]:
    """A score as text, and as what a table is sorted by."""
    return {
        "metric": points(score.exact_match),
        "metric_key": sort_key(score.exact_match),
        "interval": f"{points(score.low)} to {points(score.high)}",
        "perplexity": f"{score.perplexity:.3g}",
        "perplexity_key": sort_key(score.perplexity),
        "adapted": NOTHING if score.adapted is None else f"{score.adapted:.3g}",
        "adapted_key": sort_key(score.adapted),
    }


def sort_key(value: float | None) -> str:
    """A number as a script reads it; empty, so that it comes last, where there is none."""
    if value is None or math.isnan(value):
        return ""
    return repr(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def routing(lock: Lock) -> list[dict[str, Any]]:
    """Of every kind of module the layers, each with every expert's share in percent."""
    if not (lock.build.shares and lock.build.experts):
        return []
    kinds, layers, tables = kind_shares(lock.build)
    return [
        {
            "kind": kind,
            "rows": [
                {"layer": layer, "shares": [_percent(share) for share in shares]}
                for layer, shares in zip(layers, zip(*table, strict=True), strict=True)
            ],
        }
        for kind, table in zip(kinds, tables, strict=True)
    ]


def _percent(share: float) -> str:
    return NOTHING if math.isnan(share) else f"{100 * share:.0f}"


def left_out(lock: Lock) -> list[dict[str, Any]]:
    """How many rows were left out for which reason code, before any method and by which."""
    if lock.data is None:
        return []
    before = [
        {"link": use.source, "by": "before any method", "code": code, "count": count}
        for use in lock.data.datasets
        for code, count in sorted(use.removed.items())
    ]
    return before + [
        {"link": None, "by": method.method, "code": code, "count": count}
        for method in lock.data.methods
        for code, count in sorted(method.refused.items())
    ]


def parts(lock: Lock) -> list[dict[str, Any]]:
    """All that the mixture is made of, each at its commit."""
    named: list[tuple[str, Source]] = [("base", lock.base)]
    named += [("expert", expert.source) for expert in lock.build.experts]
    named += [("data", source) for source in taken(lock)]
    return [
        {"what": what, "link": source, "license": source.license or "none given", "commit": source.revision}
        for what, source in named
    ]
