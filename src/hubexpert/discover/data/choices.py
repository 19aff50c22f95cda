"""A guess for questions with choices: which column holds the choices, and which says the right one."""

from collections.abc import Mapping

from hubexpert.discover.data.naming import TEXT, first_text, is_output, is_text, present
from hubexpert.discover.data.shapes import CHOICE, CHOICES, GIVEN, QUESTION, STEMS
from hubexpert.records import ColumnMap


def with_choices(columns: Mapping[str, str], known: Mapping[str, str]) -> ColumnMap | None:
    """A question with choices: one column that holds them, or several of one each."""
    listed = [p for p in present(CHOICES, known) if columns[p].startswith("list<") and is_text(columns[p])]
    choices = tuple(listed[:1]) or _family(columns, known)
    written = [p for p in present(CHOICES, known) if is_text(columns[p])]  # all of them in one text
    output = next((p for p in present(CHOICE, known) if p not in choices and is_output(columns[p])), None)
    if not (choices or written) or output is None:
        return None
    wanted = ("background", f"{GIVEN}|premise|ctx|sent1", "sent2", f"{QUESTION}|sentence|prompt|input")
    found = [first_text(names, columns, known, (output, *choices)) for names in wanted]
    given = [path for path in dict.fromkeys(found) if path]
    if not given:
        return None
    return ColumnMap(input=(*given, *(() if choices else written[:1])), output=output, choices=choices)


def _family(columns: Mapping[str, str], known: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that hold one choice each, such as `option1` and `option2`."""
    for stem in STEMS:
        for first in "01a":
            following = (f"{stem}{chr(ord(first) + step)}" for step in range(9))
            found: list[str] = []
            for name in following:
                if name not in known or not TEXT.fullmatch(columns[known[name]]):
                    break
                found.append(known[name])
            if len(found) > 1 and (stem or first == "a"):
                return tuple(found)
    return ()
