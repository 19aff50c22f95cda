"""A lock for tests: small numbers that hang together, and a folder of build files that it describes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hubexpert.lock import Lock, LockedData
from hubexpert.recipe import parse_recipe
from hubexpert.records import (
    Build,
    Candidate,
    Contribution,
    Contributions,
    DatasetCandidate,
    DatasetUse,
    Difference,
    Discovery,
    Distilled,
    ExpertRecord,
    KardReport,
    MethodReport,
    ReasoningCost,
    Refused,
    Report,
    RerankerRecord,
    RetrievalScore,
    Score,
    ScoreTable,
    Selected,
    Selection,
    Source,
    SystemScore,
    Tried,
    Tuning,
)

POOL = ("acme/science-lora", "acme/maths-lora", "hub/choice-lora", "hub/poems-lora", "zed/code-lora", "zed/chat-lora")
CHOSEN = POOL[:3]
FILES = {
    "adapter_config.json": b'{"peft_type": "LORA"}',
    "adapter_model.safetensors": b"weights of the wide LoRA",
    "router.safetensors": b"gates",
}


def source(repo: str, license_id: str | None = "apache-2.0", **fields: Any) -> Source:
    """A source whose commit is derived from its name."""
    return Source(repo=repo, revision=hashlib.sha1(repo.encode()).hexdigest(), license=license_id, **fields)  # noqa: S324


def a_recipe(**fields: Any) -> dict[str, Any]:
    """A recipe as the lock keeps it."""
    task = {"name": "science-qa", "shots": "kshot/train.jsonl", "test": "kshot/test.jsonl"}
    raw = {"base": "acme/base-135m", "task": task, "publish": {"repo": "tester/science-expert"}, **fields}
    return parse_recipe(raw, name="recipe").model_dump(mode="json")


def a_discovery(pool: tuple[Source, ...]) -> Discovery:
    """The pool accepted, and five that were not."""
    accepted = [Candidate(source=s, verdict="accepted", found_by=("tag",), rank=8) for s in pool]
    refused = [
        Candidate(source=source(f"odd/adapter-{i}", None), verdict=code, reasons=(f"reason {i}",), found_by=("config",))
        for i, code in enumerate(("pickle-only", "license-forbidden", "license-forbidden", "gated", "shape-mismatch"))
    ]
    datasets = (
        DatasetCandidate(
            repo="acme/science",
            source=source("acme/science", repo_type="dataset"),
            verdict="accepted",
            found_by=("cited",),
            cited_by=CHOSEN[:1],
        ),
    )
    return Discovery(
        base="acme/base-135m",
        endpoint="https://hub.example",
        candidates=(*accepted, *refused),
        datasets=datasets,
    )


def a_table(base: Source, pool: tuple[Source, ...]) -> ScoreTable:
    """Scores that fall, and perplexities that rise, along the pool; one adapter refused at load."""

    def score(source: Source, right: int, perplexity: float) -> Score:
        value = right / 32
        return Score(
            source=source, exact_match=value, perplexity=perplexity, n=32, low=max(0, value - 0.1), high=value + 0.1
        )

    scores = tuple(score(s, 20 - 3 * i, 1.8 * 1.7**i) for i, s in enumerate(pool))
    refused = (Refused(source=source("odd/adapter-9"), code="no-op", reason="all of its B matrices are zero"),)
    return ScoreTable(metric="exact_match", base=score(base, 6, 9.0), scores=scores, refused=refused)


def a_build(experts: tuple[Source, ...], files: dict[str, bytes]) -> Build:
    """A mixture of the experts over 12 layers whose shares drift from the first to the last expert."""
    n, modules = len(experts), {}
    for layer in range(12):
        for module in ("q_proj", "v_proj"):
            weights = [1 + (i * layer / 6 if module == "q_proj" else i) for i in range(n)]
            modules[f"model.layers.{layer}.self_attn.{module}"] = tuple(w / sum(weights) for w in weights)
    means = [sum(values[i] for values in modules.values()) / len(modules) for i in range(n)]
    return Build(
        experts=tuple(
            ExpertRecord(source=s, rank=8, target_modules=("q_proj", "v_proj"), share=m)
            for s, m in zip(experts, means, strict=True)
        ),
        shared_rank=16,
        rank=16 + 8 * n,
        uses_rank_pattern=False,
        top_k=2,
        shares=modules,
        tuning=Tuning(
            learning_rate=1e-3,
            epochs=3,
            folds=2,
            trials=(
                Tried(learning_rate=1e-3, likelihoods=(0.31, 0.42, 0.47)),
                Tried(learning_rate=4e-3, likelihoods=(0.35, 0.44, 0.41)),
            ),
        ),
        losses=(2.1, 1.4, 1.1),
        examples=32,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        packages={"hubexpert": "0.1.0", "peft": "0.21.2", "torch": "2.9.0"},
    )


def a_report() -> Report:
    """Five systems on 120 examples; the numbers are those of a mixture to ship."""
    values = {
        "base": 0.21,
        "best-single": 0.47,
        "static": 0.52,
        "routed": 0.60,
        "fresh-lora": 0.50,
        "random-experts": 0.43,
    }
    systems = tuple(
        SystemScore(name=name, metric="exact_match", value=v, low=v - 0.085, high=v + 0.085, n=120)
        for name, v in values.items()
    )
    differences = tuple(
        Difference(first="routed", second=name, value=0.60 - v, low=0.60 - v - 0.075, high=0.60 - v + 0.075)
        for name, v in values.items()
        if name != "routed"
    )
    return Report(
        systems=systems,
        differences=differences,
        verdict="ship",
        sentence="Ship the mixture: it scores 60.0 on 120 held-out examples, +39.0 points [+31.5, +46.5] over base.",
        removed=2,
        contributions=some_contributions([source(repo) for repo in CHOSEN]),
    )


def some_contributions(experts: Sequence[Source]) -> Contributions:
    """The first expert adds nothing that is shown, the next ever more."""
    return Contributions(
        metric="exact_match",
        n=100,
        coalitions=8,
        exact=True,
        empty=0.31,
        whole=0.6,
        experts=tuple(
            Contribution(
                source=source,
                shapley=0.1 * i,
                low=0.1 * i - 0.05,
                high=0.1 * i + 0.05,
                leave_one_out=0.01,
                loo_low=-0.1,
                loo_high=0.12,
            )
            for i, source in enumerate(experts)
        ),
    )


def a_data(*sources: Source) -> LockedData:
    """Rows of these datasets, and of one file of one's own, were trained on; of another dataset none was."""
    own = source("./rows.jsonl", None, repo_type="dataset")
    unused = source("open/unused", "cc-by-nc-4.0", repo_type="dataset")
    use = {"config": "default", "split": "train", "read": 500}
    datasets = (
        *(DatasetUse(source=s, taken={"select": 20}, removed={"leak-exact": 3, "language": 4}, **use) for s in sources),
        DatasetUse(source=own, taken={"select": 10, "rebase": 5}, **use),
        DatasetUse(source=unused, removed={"leak-near": 1}, **use),
    )
    methods = (
        MethodReport(method="select", considered=900, kept=30, refused={"near-duplicate": 7}),
        MethodReport(method="rebase", considered=900, kept=5, refused={"no-json": 2}),
    )
    return LockedData(examples=35, digest="ef" * 32, methods=methods, datasets=datasets, unread={"open/gone": "gone"})


def a_kard(*sources: Source) -> KardReport:
    """Passages of these sources and of a file of one's own were read; the reranker learned."""
    own = source("./facts.txt", None, repo_type="dataset")
    values = {"no passages": 0.50, "BM25": 0.56, "reranked": 0.60, "gold side": 0.66}
    return KardReport(
        sources=(*sources, own),
        passages=2400,
        distilled=Distilled(rationales=(), given=12, asked=100, refused={"unverified": 9}, verified=91),
        reranker=RerankerRecord(
            kind="bi", start="packaged", questions=80, held_out=20, before=0.9, after=0.4, learned=True
        ),
        retrieval=(RetrievalScore(name="BM25", recall_1=0.4, recall_5=0.6, low=0.5, high=0.7, n=60),),
        systems=tuple(
            SystemScore(name=name, metric="exact_match", value=v, low=v - 0.08, high=v + 0.08, n=120)
            for name, v in values.items()
        ),
        cost=ReasoningCost(prompt_tokens=3.2, answer_tokens=11.5, seconds=4.1),
    )


def a_lock(
    *,
    base: Source | None = None,
    pool: tuple[Source, ...] = (),
    report: Report | None = None,
    recipe: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
) -> Lock:
    """A whole lock; the first three of the pool are its experts."""
    base = base or source("acme/base-135m")
    pool = pool or tuple(source(repo) for repo in POOL)
    chosen = pool[:3]
    selected = tuple(
        Selected(
            source=s,
            chosen=s in chosen,
            rank_em=i + 1.0,
            rank_ppl=i + 1.0,
            reason="one of the best group of 3" if s in chosen else "a more similar group ranks lower",
        )
        for i, s in enumerate(pool)
    )
    return Lock(
        recipe=recipe or a_recipe(),
        base=base,
        discovery=a_discovery(pool),
        scores=a_table(base, pool),
        selection=Selection(pool=selected, similarity=((1.0,),), shortlist=tuple(s.repo for s in pool), groups=20),
        build=a_build(chosen, FILES if files is None else files),
        report=report or a_report(),
        digests={"shots": "ab" * 32, "test": "cd" * 32},
    )


def a_build_folder(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """The build files that `a_lock` describes, written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (FILES if files is None else files).items():
        (folder / name).write_bytes(content)
    return folder
