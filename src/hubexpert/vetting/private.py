"""Examples that hold what looks personal or secret: hints, never shown in full."""

from collections.abc import Iterator, Sequence

from hubexpert.escape import clean
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, finding, listed, spot
from hubexpert.vetting.shapes import KINDS, begins, looks_private


def private(lines: Sequence[Line]) -> Iterator[Finding]:
    """A finding for every kind of text that looks personal or secret, with the examples that hold some."""
    found: dict[str, dict[Line, list[str]]] = {}
    for line in lines:
        example = line.example
        texts = (example.instruction, example.input, example.output, example.rationale or "", *example.choices)
        for code, text in dict.fromkeys(looks_private("\n".join(texts))):
            found.setdefault(code, {}).setdefault(line, []).append(text)
    for code, noun, _, _ in KINDS:
        if code in found:
            told = list(found[code])
            pieces = [f"{spot(line, told)} ({_shown(texts)})" for line, texts in found[code].items()]
            yield finding(
                code,
                told,
                f"What looks like {noun} stands in {listed(pieces)}.",
                fix="replace it by something made up: models repeat what they are trained on",
            )


def _shown(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - 1} more" if len(texts) > 1 else ""
    return f"{clean(begins(texts[0]))}… of {len(texts[0])} characters{more}"
