"""Locks with all that a report can show, and what lies beside them; harmless, or strangers' worst."""

from collections.abc import Sequence

from hubexpert.lock import Lock
from hubexpert.records import (
    Candidate,
    Contributions,
    DataMap,
    DatasetUse,
    MethodReport,
    Refused,
    RefusedRow,
    Score,
    Source,
    SystemScore,
    TokenShares,
)
from hubexpert.report import Beside
from tests.locks import CHOSEN, a_build, a_data, a_kard, a_lock, a_recipe, a_table, some_contributions, source

ENDPOINT = "https://hub.example"
ENCYCLOPEDIA = source("open/encyclopedia", "cc-by-sa-4.0", repo_type="dataset")


def a_full_lock() -> Lock:
    """Data beside the shots, and passages."""
    data = a_data(source("open/rows", "cc-by-4.0", repo_type="dataset"))
    return a_lock().model_copy(update={"data": data, "kard": a_kard(ENCYCLOPEDIA)})


def some_speech(experts: int = 3) -> tuple[TokenShares, ...]:
    """One example of which each token listens to another expert."""
    tokens = (
        "Question",
        ":",
        " which",
        " gas",
        " do",
        " plants",
        " take",
        " in",
        "?",
        "\n",
        "Answer",
        ":",
        " CO2",
        ".",
    )
    shares = tuple(
        tuple(0.7 if e == i % experts else 0.3 / (experts - 1) for e in range(experts)) for i in range(len(tokens))
    )
    return (TokenShares(example=0, tokens=tokens, shares=shares, answer=12),)


def a_refused_row(code: str = "leak-near", text: str = "Which gas do plants take in?") -> RefusedRow:
    """A row of a dataset that was left out."""
    where = {"source": source("open/rows", repo_type="dataset"), "config": "default", "split": "train", "row": 7}
    return RefusedRow.model_validate({**where, "code": code, "reason": "it stands among the shots", "text": text})


def all_beside() -> Beside:
    """Tokens, a map and refused rows."""
    others = tuple((round(0.02 * i, 2), round(0.013 * (i * 7 % 50), 3)) for i in range(40))
    placed = DataMap(
        digest="ef" * 32, share=0.4, shots=((0.5, 0.1), (0.6, 0.2)), taken=((0.5, 0.15), (0.55, 0.2)), others=others
    )
    rows = (a_refused_row(), a_refused_row("language", "Quel gaz les plantes absorbent-elles ?"))
    return Beside(spoken=some_speech(), map=placed, rows=rows)


def hostile(texts: Sequence[str]) -> tuple[Lock, Beside]:
    """A lock and what lies beside it: wherever a stranger's text may stand, each of these stands once at least."""
    sources = tuple(source(text, text) for text in texts)
    lock = a_lock(pool=sources)
    build = a_build(sources, {})
    experts = tuple(e.model_copy(update={"target_modules": (e.source.repo,)}) for e in build.experts)
    even = tuple(1 / len(texts) for _ in texts)
    shares = {f"layers.0.{text} {i}": even for i, text in enumerate(texts)}
    scores = tuple(_flagged(score) for score in a_table(lock.base, sources).scores)
    pool = tuple(s.model_copy(update={"reason": s.source.repo}) for s in lock.selection.pool)
    candidates = tuple(Candidate(source=s, verdict=s.repo, reasons=(s.repo,), found_by=("tag",)) for s in sources)
    systems = tuple(
        SystemScore(name=text, metric=text, value=0.5, low=0.4, high=0.6, n=9, note=text) for text in ("routed", *texts)
    )
    report = {"systems": systems, "sentence": " ".join(texts), "contributions": _contributions(sources)}
    scored = {"metric": texts[0], "scores": scores, "refused": _refused(sources)}
    changed = {
        "recipe": a_recipe(task={"name": texts[0], "instruction": "\n".join(texts), "shots": "shots.jsonl"}),
        "discovery": lock.discovery.model_copy(update={"candidates": candidates}),
        "scores": lock.scores.model_copy(update=scored),
        "selection": lock.selection.model_copy(update={"pool": pool}),
        "build": build.model_copy(
            update={"experts": experts, "shares": shares, "packages": {text or "x": text for text in texts}}
        ),
        "report": lock.report.model_copy(update=report),
        "data": _data(sources),
        "kard": a_kard().model_copy(update={"sources": sources}),
        "digests": {"shots": texts[1], "test": texts[2]},
    }
    spoken = (TokenShares(example=0, tokens=tuple(texts), shares=tuple(even for _ in texts), answer=3),)
    rows = tuple(
        a_refused_row(text, text).model_copy(update={"reason": text, "source": source(text)}) for text in texts
    )
    return lock.model_copy(update=changed), Beside(spoken=spoken, rows=rows)


def _flagged(score: Score) -> Score:
    return score.model_copy(update={"flags": (score.source.repo,)})


def _contributions(sources: Sequence[Source]) -> Contributions:
    return some_contributions(sources).model_copy(update={"metric": sources[0].repo})


def _refused(sources: Sequence[Source]) -> tuple[Refused, ...]:
    return tuple(Refused(source=s, code=s.repo, reason=s.repo) for s in sources)


def _data(sources: Sequence[Source]) -> object:
    uses = tuple(
        DatasetUse(
            source=s.model_copy(update={"repo_type": "dataset"}),
            config=s.repo,
            split=s.repo,
            read=9,
            removed={s.repo: 1},
            taken={"select": 1},
        )
        for s in sources
    )
    method = MethodReport(method="select", considered=9, kept=1, refused={s.repo: 1 for s in sources})
    unread = {s.repo: s.repo for s in sources}
    return a_data().model_copy(update={"datasets": uses, "methods": (method,), "unread": unread})


__all__ = ["CHOSEN", "ENDPOINT", "a_full_lock", "a_refused_row", "all_beside", "hostile", "some_speech"]
