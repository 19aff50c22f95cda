"""Which of the choices an answer names: by its text, or by its letter."""

from collections.abc import Sequence
from string import ascii_lowercase

from hubexpert.answers.lead import after_lead
from hubexpert.answers.normal import CLOSING, PUNCTUATION, folded, normal, plain

TRUTHS = {"yes": True, "true": True, "no": False, "false": False}
OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
NONE = ""
_BRACKETS = "()[]"


def named(text: str, choices: Sequence[str], *, whole: bool = True) -> set[str]:
    """The choices (normal) that the text names or, unless it is whole, may name in the end; "" stands for none.

    A choice is named by its text or its letter, at the beginning or after a short lead ("The answer is"); words may
    follow. Of several texts the longest counts. Where every choice is yes, no, true or false, yes is true and no is
    false. A letter alone before other words is none ("A dog"), but for a capital after the lead ("Option A because").
    """
    names = [normal(choice) for choice in choices]
    return _named(plain(text, whole=whole), _texts(names), _letters(names), {*names, NONE}, whole, led=False)


def opposite(truth: str) -> str:
    """The other one of yes and no, or of true and false, spelled alike."""
    other = OPPOSITES[normal(truth)]
    return other.capitalize() if truth[:1].isupper() else other


def _named(
    text: str, texts: dict[str, str], letters: dict[str, str], everything: set[str], whole: bool, *, led: bool
) -> set[str]:
    if not text:
        return {NONE} if whole else everything
    possible: set[str] = set()
    form = folded(text)
    for known in sorted(texts, key=len, reverse=True):
        begins = _begins(form, known, whole)
        if begins:
            return {*possible, texts[known]}
        if begins is None:
            possible.add(texts[known])
    letter, closed = _letter(text, whole, led)
    if letter is None:
        return everything
    if letter in letters:
        if closed:
            return {*possible, letters[letter]}
        if closed is None:
            possible.add(letters[letter])
    rest = "" if led else after_lead(text, whole=whole)
    if rest is None:
        return everything
    return possible | (_named(rest, texts, letters, everything, whole, led=True) if rest else {NONE})


def _begins(form: str, known: str, whole: bool) -> bool | None:
    """Whether the text begins with a choice's words and a word ends there; None where what follows decides."""
    if not form.startswith(known):
        return None if not whole and known.startswith(form) else False
    return _ends(form[len(known) :], whole)


def _ends(rest: str, whole: bool) -> bool | None:
    """Whether a word ends where `rest` begins: there is none, white space, or punctuation before white space."""
    tail = rest.lstrip(PUNCTUATION + _BRACKETS)
    if not tail:
        return True if whole else None
    return tail[0] == " "


def _letter(text: str, whole: bool, led: bool) -> tuple[str | None, bool | None]:
    """The letter at the beginning (None: it may yet come), and whether it stands for a choice (None: may be)."""
    head = text[1:] if text[0] in _BRACKETS else text
    if not head:
        return (NONE if whole else None), False
    letter, rest = head[0].lower(), head[1:]
    if rest[:1] in (")", "]"):
        return letter, True
    if rest[:1] == " ":
        return letter, led and head[0].isupper()
    return letter, _ends(rest, whole)


def _texts(names: Sequence[str]) -> dict[str, str]:
    """What names a choice by its text; letters are not among them."""
    texts = {name: name for name in names if name and not _bare(name)}
    if all(name in TRUTHS for name in names):
        for word, truth in TRUTHS.items():
            same = [name for name in names if TRUTHS[name] == truth]
            if word not in texts and same:
                texts[word] = same[0]
    return texts


def _letters(names: Sequence[str]) -> dict[str, str]:
    """Letter -> choice: the choices' own where they are letters, else by their order."""
    own = {_bare(name): name for name in reversed(names) if _bare(name)}
    return own or dict(zip(ascii_lowercase, names, strict=False))


def _bare(name: str) -> str:
    """The letter of a choice that is no more than a letter: "A", "(B)"."""
    core = name.strip(_BRACKETS + CLOSING)
    return core if core in tuple(ascii_lowercase) else ""
