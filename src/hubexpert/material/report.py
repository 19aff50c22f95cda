"""What came of the rows: leaks taken out of what methods made, counts by reason, and a few rows to look at."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hubexpert.embed.encoder import encode
from hubexpert.instructions import example_text
from hubexpert.leaks import near
from hubexpert.material.gathered import Material, as_example
from hubexpert.records import (
    Data,
    DatasetUse,
    Harvest,
    MethodReport,
    RefusedRow,
    TrainingExample,
)
from hubexpert.rows.diversity import diversity

SAMPLES = 3  # removed rows of each code that are told
SHOWN = 200  # characters of each
REASONS = {
    "leak-exact": "it holds the input of a shot or of a held-out example",
    "leak-ngram": "it holds a long piece of the input of a shot or of a held-out example",
    "leak-near": "its input means nearly the same as that of a shot or of a held-out example",
    "language": "it is in another language",
    "no-example": "its columns make no example",
}


def without_leaks(material: Material, harvest: Harvest) -> Harvest:
    """The harvest without examples that hold what a shot or a held-out example asks."""
    vectors = encode(material.encoder, [each.example.input for each in harvest.kept])
    close = near(vectors, material.held) if len(vectors) else np.zeros(0, dtype=bool)
    kept, refused, samples = [], dict(harvest.refused), list(harvest.samples)
    for each, is_near in zip(harvest.kept, close, strict=True):
        code = material.guarding.of_example(each.example) or ("leak-near" if is_near else None)
        if code is None:
            kept.append(each)
            continue
        refused[code] = refused.get(code, 0) + 1
        if each.origin is not None and refused[code] <= SAMPLES:
            text = example_text(each.example)[:SHOWN]
            samples.append(RefusedRow(**each.origin.place, code=code, reason=REASONS[code], text=text))
    return harvest.model_copy(
        update={"kept": tuple(kept), "refused": dict(sorted(refused.items())), "samples": tuple(samples)}
    )


def removed_samples(material: Material) -> tuple[RefusedRow, ...]:
    """A few of the rows that no method may take, of each code, file by file."""
    told: dict[str, int] = {}
    samples = []
    for file, codes, bare in zip(material.files, material.codes, material.bare, strict=True):
        chosen = []
        for place, code in enumerate(codes):
            code = code or ("no-example" if bare[place] else None)
            if code and told.get(code, 0) < SAMPLES:
                told[code] = told.get(code, 0) + 1
                chosen.append((place, code))
        for (_, code), row in zip(chosen, file.at([place for place, _ in chosen]), strict=True):
            text = as_example(row).input[:SHOWN]
            samples.append(RefusedRow(**row.place, code=code, reason=REASONS[code], text=text))
    return tuple(samples)


def reported(
    material: Material,
    shots: Sequence[TrainingExample],
    harvests: Sequence[Harvest],
    unread: dict[str, str],
    filtered: Sequence[TrainingExample] | None = None,
) -> Data:
    """All that is trained on, with what came of every dataset and method.

    Args:
        material: the rows.
        shots: come first.
        harvests: of the methods, in order; what they kept follows.
        unread: the datasets whose rows could not be read, and why.
        filtered: what beacons left out; None where they were not asked.
    """
    kept = [each for harvest in harvests for each in harvest.kept]
    methods = [
        MethodReport(
            method=harvest.method,
            considered=harvest.considered,
            kept=len(harvest.kept),
            refused=harvest.refused,
            samples=harvest.samples,
            teacher=harvest.teacher,
            diversity=diversity(harvest.kept),
        )
        for harvest in harvests
    ]
    if filtered is not None:
        refused = {"far-and-alike": len(filtered)} if filtered else {}
        samples = tuple(_filtered(each) for each in filtered[:SAMPLES])
        count = len(kept) + len(filtered)
        methods.append(
            MethodReport(method="beacons", considered=count, kept=len(kept), refused=refused, samples=samples)
        )
    return Data(
        examples=(*shots, *kept),
        methods=tuple(methods),
        datasets=tuple(_use(material, number, kept) for number in range(len(material.files))),
        unread=unread,
        samples=removed_samples(material),
    )


def _filtered(each: TrainingExample) -> RefusedRow:
    assert each.origin is not None  # noqa: S101  shots all stay
    reason = f"the base's own answer is at a distance of {each.distance:.2f}, and the rest is better without it"
    return RefusedRow(**each.origin.place, code="far-and-alike", reason=reason, text=example_text(each.example)[:SHOWN])


def _use(material: Material, number: int, kept: Sequence[TrainingExample]) -> DatasetUse:
    file, codes, bare = material.files[number], material.codes[number], material.bare[number]
    removed = Counter(code or "no-example" for code, none in zip(codes, bare, strict=True) if code or none)
    own = (each.origin for each in kept if each.origin and each.origin.source == file.source)
    taken = Counter(origin.method for origin in own if (origin.config, origin.split) == (file.config, file.split))
    return DatasetUse(
        source=file.source,
        config=file.config,
        split=file.split,
        read=file.count,
        removed=dict(sorted(removed.items())),
        taken=dict(sorted(taken.items())),
    )
