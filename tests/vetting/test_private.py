"""What looks personal or secret is hinted at, held against its checksum, and shown nowhere in full."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.vetting import check
from hubexpert.vetting.shapes import IBAN_LENGTHS, card_number, iban, looks_private, masked
from tests.publishing.test_secrets import PLANTED
from tests.vetting.making import lines

FOUND = {
    "jane.doe+x@mail.example.org": "pii-email",
    "DE89 3704 0044 0532 0130 00": "pii-iban",
    "GB82WEST12345698765432": "pii-iban",
    "NO9386011117947": "pii-iban",
    "4111 1111 1111 1111": "pii-card",
    "378282246310005": "pii-card",
    "8.8.8.8": "pii-address",
    "+49 30 1234567": "pii-phone",
    "+1 (212) 555-0123": "pii-phone",
    "(212) 555-0123": "pii-phone",
    "0171 2345678": "pii-phone",
}
HARMLESS = (
    "DE88370400440532013000",  # another check digit
    "4111 1111 1111 1112",
    "0000000000000000",
    "10.0.0.1", "127.0.0.1", "999.1.1.1", "1.2.3.4.5", "v8.8.8.8",
    "1,234,567,890", "12 + 4930123456", "2026-11-28", "3.14159265358979", "me @ home", "a@b", "1234567890",
    "What is 0.123 - 456?", "0900-0130", "ISBN 978-3-16-148410-0",
)  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
@pytest.mark.parametrize("around", ["{}", "Write to {}, please.", "({})", "AND {} AND", "mine: {}."])
def test_what_looks_private_is_found_in_a_sentence(text: str, around: str) -> None:
    assert looks_private(around.format(text)) == [(FOUND[text], text)]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_it_is_not(text: str) -> None:
    assert looks_private(f"It says {text} there.") == []


@pytest.mark.parametrize("text", [*FOUND, *PLANTED.values()])
def test_what_was_found_is_shown_nowhere_in_full(text: str) -> None:
    """Not in the hint, and not where other findings quote inputs and outputs."""
    shown = check(lines((text, "no"), (text, f"so {text}"), ("b", text)), lines((text, "c"), file="test.jsonl"))
    assert {told.code for told in shown} >= {"contradiction", "leak-exact"}
    assert any(told.code.startswith("pii-") and told.lines == (1, 2, 3) for told in shown)
    for told in shown:
        assert text not in told.model_dump_json()
        assert text[: len(text) // 2] not in told.model_dump_json()
    assert text[: len(text) // 2] not in masked(f"{text} and {text}")


def test_an_example_that_holds_many_hides_no_other() -> None:
    many = " ".join(f"jane{number}@mail.example.org" for number in range(30))
    (told,) = check(lines((f"{many} {many}", "a"), ("Ask bob@mail.example.org.", "b")))
    assert told.lines == (1, 2)
    assert "line 1 (jane… of 22 characters, and 29 more), line 2 (bob@… of 20 characters)." in told.sentence


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=18))
def test_one_last_digit_of_ten_makes_a_card_number(digits: list[int]) -> None:
    """Luhn's checksum, and any single wrong digit is seen."""
    begin = "".join(map(str, [4, *digits][:-1]))
    (good,) = [begin + last for last in "0123456789" if card_number(begin + last)]
    place = random.Random(begin).randrange(len(good))
    for other in set("0123456789") - {good[place]}:
        assert not card_number(good[:place] + other + good[place + 1 :])


@settings(deadline=None)
@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.randoms(use_true_random=False))
def test_ibans_with_the_check_digits_of_the_standard_hold_and_others_do_not(
    country: str, chance: random.Random
) -> None:
    """ISO 13616: the check digits are 98 less the rest, modulo 97, of the number with 00 in their place."""
    body = "".join(chance.choice("0123456789ABCXYZ") for _ in range(IBAN_LENGTHS[country] - 4))
    number = int("".join(str(int(letter, 36)) for letter in f"{body}{country}00"))
    digits = 98 - number % 97
    assert iban(f"{country}{digits:02}{body}")
    assert not iban(f"{country}{(digits + 1) % 100:02}{body}")
    assert not iban(f"{country}{digits:02}{body}0")


def test_long_texts_take_no_long_time() -> None:
    """Shapes have bounds: what an attacker may repeat is read once."""
    for piece in ("a@", "1 ", "0-", "DE89 ", "+1", "1.", "(0", "a.", "sk-"):
        began = time.process_time()
        looks_private(piece * (200_000 // len(piece)))
        assert time.process_time() - began < 10, piece
