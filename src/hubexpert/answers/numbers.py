"""Numbers in answers: exact, with signs of currency and thousands separators left out."""

import re
from decimal import Decimal

_NUMERAL = re.compile(r"([-+]?) ?[$€£¥₹]? ?(-?)(\d[\d,]*)?(\.\d+)?")
_GROUPED = re.compile(r"\d+|\d{1,3}(?:,\d{2,3})*,\d{3}")
_ANYWHERE = re.compile(r"(?:(?<![\w)])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
# What makes of a number that stands first no answer: a further number, a sum, powers of ten. m2 is a unit.
_MORE = re.compile(r"(?<![\w^])\d|=|^e[-+]?\d", re.IGNORECASE)


def last_number(text: str) -> Decimal | None:
    """The last number in the text."""
    found = _ANYWHERE.findall(text)
    return Decimal(found[-1].replace(",", "")) if found else None


def lone_number(text: str) -> Decimal | None:
    """The number which the text (plain) is and no more, but for signs of currency and a sign of per cent."""
    found = _NUMERAL.match(text)
    value = _value(found) if found else None
    return value if found and text[found.end() :].strip(" .%") == "" else None


def is_number(text: str, gold: Decimal, *, whole: bool) -> bool | None:
    """Whether the text (plain) is that number, a unit in words after it or none; None where what follows decides."""
    found = _NUMERAL.match(text)
    if found is None:
        return False
    rest = text[found.end() :]
    if not whole and rest in ("", "."):
        return None if _may_become(found, gold) else False
    if _value(found) != gold or _MORE.search(rest):
        return False
    return True if whole else None


def _value(found: re.Match[str]) -> Decimal | None:
    sign, minus, integer, fraction = (group or "" for group in found.groups())
    digits = integer.rstrip(",")
    if not digits + fraction or (digits and not _GROUPED.fullmatch(digits)):
        return None
    value = Decimal(f"{digits.replace(',', '')}{fraction}")
    return -value if "-" in (sign, minus) else value


def _may_become(found: re.Match[str], gold: Decimal) -> bool:
    """Whether a number that begins with these characters may be `gold`, as far as its integer digits tell."""
    integer = (found[3] or "").replace(",", "").lstrip("0")
    wanted = f"{gold.copy_abs():f}".partition(".")[0].lstrip("0")
    return wanted == integer if found[4] else wanted.startswith(integer)
