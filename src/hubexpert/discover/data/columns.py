"""A guess which columns of a dataset are an example's instruction, input, output, choices and rationale."""

import re
from collections.abc import Mapping, Sequence

from hubexpert.discover.data.choices import with_choices
from hubexpert.discover.data.configs import ROLE
from hubexpert.discover.data.naming import LABEL, TEXT, by_name, first_text, is_output, present
from hubexpert.discover.data.shapes import CHAT, RATIONALE, SHAPES, Shape
from hubexpert.records import ColumnMap, DatasetConfig

TRIED = 20  # configurations that are looked at
LANGUAGE = re.compile(
    r"(ar|bn|cs|da|de|el|en|es|et|fa|fi|fr|he|hi|id|it|ja|ko|nl|no|pl|pt|ro|ru|sv|sw|th|tr|uk|ur|vi|zh)([_-][A-Za-z]{2,4})?"
)


def guess(configs: Sequence[DatasetConfig]) -> ColumnMap | None:
    """The mapping of the configuration `default`, else of the first that has one; None where none is plausible."""
    ordered = sorted(configs, key=lambda config: config.name != "default")[:TRIED]
    for config in ordered:
        found = _mapped(config.columns)
        if found:
            return found.model_copy(update={"config": config.name or None, "split": _split(config)})
    return None


def _split(config: DatasetConfig) -> str | None:
    """`train`, else the first split whose name begins so, else the first."""
    ranked = sorted(config.splits, key=lambda name: (name.lower() != "train", not name.lower().startswith("train")))
    return ranked[0] if ranked else None


def _mapped(columns: Mapping[str, str]) -> ColumnMap | None:
    names = by_name(columns)
    ways = (with_choices, _shaped, _chat, _translation)
    found = next((found for way in ways if (found := way(columns, names))), None)
    if found is None:
        return _by_role(columns)
    used = {found.instruction, *found.input, found.output, *found.choices}
    rationale = next((path for path in present(RATIONALE, names) if TEXT.fullmatch(columns[path])), None)
    return found if rationale in used else found.model_copy(update={"rationale": rationale})


def _inputs(wanted: Sequence[str], columns: Mapping[str, str], known: Mapping[str, str]) -> list[str] | None:
    """The columns of a shape's input; None where one that must be there is missing."""
    found: list[str] = []
    for names in wanted:
        path = first_text(names, columns, known, found)
        if path:
            found.append(path)
        elif not names.startswith("("):
            return None
    return found


def _shaped(columns: Mapping[str, str], known: Mapping[str, str]) -> ColumnMap | None:
    return next((found for shape in SHAPES if (found := _as_shape(shape, columns, known))), None)


def _as_shape(shape: Shape, columns: Mapping[str, str], known: Mapping[str, str]) -> ColumnMap | None:
    given = _inputs(shape.inputs, columns, known)
    told = first_text(shape.instruction, columns, known, ()) if shape.instruction else None
    if given is None or (shape.instruction.startswith("instruction") and told is None):
        return None
    fits = LABEL.fullmatch if shape.label else is_output
    free = [p for p in present(shape.output, known) if p not in (*given, told) and fits(columns[p])]
    if not free or not (given or told):
        return None
    return ColumnMap(instruction=told if given else None, input=tuple(given or [told or ""]), output=free[0])


def _chat(columns: Mapping[str, str], known: Mapping[str, str]) -> ColumnMap | None:
    """A list of turns, each with who speaks (`role` or `from`) and what is said."""
    for path in present(CHAT, known):
        inside = {column.rpartition(".")[2] for column in columns if column.startswith(f"{path}.")}
        if columns[path].startswith("list<struct") and (not inside or inside & {"role", "from"}):
            return ColumnMap(input=(path,), output=path)
    return None


def _translation(columns: Mapping[str, str], known: Mapping[str, str]) -> ColumnMap | None:
    """A struct `translation` of two languages, or two columns named by languages."""
    pairs = [path for path in columns if re.fullmatch(r"(?i)translations?\.[\w-]+", path)]
    if len(pairs) != 2:
        pairs = [path for path in columns if LANGUAGE.fullmatch(path)]
    texts = [path for path in pairs if TEXT.fullmatch(columns[path])]
    return ColumnMap(input=(texts[0],), output=texts[1]) if len(texts) == len(pairs) == 2 else None


def _by_role(columns: Mapping[str, str]) -> ColumnMap | None:
    """What `train-eval-index` calls the target, and the texts beside it."""
    roles = {path: type_.removeprefix(ROLE) for path, type_ in columns.items() if type_.startswith(ROLE)}
    # tags of tokens are no text to learn from
    targets = [p for p, role in roles.items() if role in ("target", "label", "answer") and not p.endswith("tags")]
    given = [path for path, role in roles.items() if role.startswith(("text", "context", "question"))]
    return ColumnMap(input=tuple(given), output=targets[0]) if len(targets) == 1 and given else None
