"""Examples that hold what looks personal or secret: hints, never shown in full."""

from collections.abc import Iterator, Sequence

from hubexpert.escape import clean
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, finding, listed, spot
from hubexpert.vetting.shapes import KINDS, begins, looks_private


def private(lines: Sequence[Line]) -> Iterator[Finding]:
    """A finding for every kind of text that looks personal or secret, with the examples that hold some."""
    found: dict[str, list[tuple[Line, str]]] = {}
    for line in lines:
        example = line.example
        texts = (example.instruction, example.input, example.output, example.rationale or "", *example.choices)
        for code, text in looks_private("\n".join(texts)):
            found.setdefault(code, []).append((line, text))
    for code, noun, _, _ in KINDS:
        if code in found:
            told = list({(line.file, line.number): line for line, _ in found[code]}.values())
            pieces = [
                f"{spot(line, told)} ({clean(begins(text))}… of {len(text)} characters)" for line, text in found[code]
            ]
            yield finding(
                code,
                told,
                f"What looks like {noun} stands in {listed(pieces)}.",
                fix="replace it by something made up: models repeat what they are trained on",
            )
