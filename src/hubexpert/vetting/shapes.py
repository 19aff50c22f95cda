"""The shapes of texts that are personal or secret, checked where a checksum allows; such texts masked."""

import ipaddress
import re
from collections.abc import Callable

from hubexpert.secrets import PATTERNS

SHOWN = 4  # characters of a text, and never more than a quarter of it
# How long IBANs are, by country (ISO 13616).
IBANS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27
MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23
TN24 TR26 UA29 VA22 VG24 XK20
"""
IBAN_LENGTHS = {each[:2]: int(each[2:]) for each in IBANS.split()}


def iban(text: str) -> bool:
    """Whether the text is an IBAN: its length fits the country, and its checksum (ISO 7064, mod 97) holds."""
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return len(compact) == IBAN_LENGTHS.get(compact[:2]) and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def card_number(text: str) -> bool:
    """Whether the digits are those of a payment card: 13 to 19 of them, not all the same, with Luhn's checksum."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [digit if place % 2 == 0 else 2 * digit for place, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def address(text: str) -> bool:
    """Whether the text is an IPv4 address of somebody, not of a private network or kept for examples."""
    try:
        return ipaddress.IPv4Address(text).is_global
    except ValueError:
        return False


def phone(text: str) -> bool:
    """Whether there are as many digits as in a phone number with its prefix: 9 to 15."""
    return 9 <= sum(character.isdigit() for character in text) <= 15


def _any(_text: str) -> bool:
    return True


def _iban_of(country: str) -> str:
    return rf"{country}\d\d(?: ?[A-Z0-9]){{{IBAN_LENGTHS[country] - 4}}}"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


# Found in this order; what was found is not looked at again. Repeats are bounded, so that no text takes long.
KINDS: tuple[tuple[str, str, tuple[re.Pattern[str], ...], Callable[[str], bool]], ...] = (
    ("pii-token", "access tokens", tuple(PATTERNS.values()), _any),
    (
        "pii-iban",
        "IBANs",
        (_shape(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(_iban_of, IBAN_LENGTHS))})(?![A-Za-z0-9])"),),
        iban,
    ),
    ("pii-card", "card numbers", (_shape(r"(?<![\w.,+-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])"),), card_number),
    (
        "pii-email",
        "e-mail addresses",
        (_shape(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w-])"),),
        _any,
    ),
    ("pii-address", "IP addresses", (_shape(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)"),), address),
    (
        "pii-phone",
        "phone numbers",
        (
            _shape(r"(?<![\w+])\+[1-9](?:[ ()/.-]{0,2}\d){7,14}(?!\w)"),  # international
            _shape(r"(?<![\w.,/+-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\w-])"),  # of North America
            _shape(
                r"(?<![\w.,/+-])(?:\(0\d{2,4}\)|0\d{2,4})[ /-]{1,2}\d{2,4}(?:[ -]?\d{2,4}){1,3}(?![\w-])"
            ),  # national
        ),
        phone,
    ),
)


def looks_private(text: str) -> list[tuple[str, str]]:
    """What in the text looks personal or secret: code and found text."""
    found = []
    for code, _, patterns, holds in KINDS:
        for pattern in patterns:
            for match in pattern.finditer(text):
                if holds(match[0]):
                    found.append((code, match[0]))
                    text = text.replace(match[0], "\n")
    return found


def masked(text: str) -> str:
    """The text with what looks personal or secret cut down to its first characters."""
    for _, private in looks_private(text):
        if private.startswith("-----BEGIN"):  # the key itself stands behind it
            return f"{text.partition(private)[0]}{begins(private)}…"
        text = text.replace(private, f"{begins(private)}…")
    return text


def begins(private: str) -> str:
    """As many of its first characters as may be shown."""
    return private[: min(SHOWN, len(private) // 4)]
