"""Held-out examples that stand among the shots."""

from collections.abc import Iterator, Sequence

from hubexpert.overlap import LONGEST, lines_of, traces_of
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, finding, listed, place, quoted
from hubexpert.vetting.repeats import asked
from hubexpert.vetting.signs import signed


def crossing(shots: Sequence[Line], test: Sequence[Line]) -> Iterator[Finding]:
    """A finding for every shot that holds what a held-out example asks.

    - `leak-exact`: the same input in normal form, whatever the choices.
    - `leak-ngram`: the shot's texts hold the words of the input, or a piece of it, as the guard of training data looks
      for them (`hubexpert.overlap`): 13 words (8 of an input of less than 26), unless three inputs share them. An
      input whose words are all there, but with other signs between its numbers, is another question.
    """
    inputs: dict[str, list[Line]] = {}
    for line in test:
        inputs.setdefault(asked(line)[1], []).append(line)
    traces = traces_of([line.example.input for line in test])
    for shot in shots:
        same = inputs.get(asked(shot)[1], [])
        if same:
            yield _leak("leak-exact", shot, same, "is that of")
            continue
        example = shot.example
        told = (example.instruction, example.input, example.rationale or "", example.output)
        whole, pieces = traces.found(lines_of(told))
        pieces -= whole
        shown = signed("\n".join(told)[:LONGEST]) if whole else ""
        whole = {index for index in whole if signed(test[index].example.input) in shown}
        if whole or pieces:
            how = "and its output hold the words of" if whole else "shares a long piece with"
            yield _leak("leak-ngram", shot, [test[index] for index in sorted(whole or pieces)], how)


def _leak(code: str, shot: Line, held: Sequence[Line], how: str) -> Finding:
    told = finding(
        code,
        [shot, *held],
        f"The input {quoted(shot.example.input)} {how} held-out {listed(list(map(place, held)))}.",
        fix="take it out of the shots, or these out of the held-out file: what was seen measures nothing",
    )
    if shot.file == held[0].file:  # one file as both
        return told.model_copy(update={"lines": (shot.number,), "elsewhere": tuple(map(place, held))})
    return told
