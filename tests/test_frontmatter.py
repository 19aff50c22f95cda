"""The metadata of strangers' cards: what is read, and what a hostile one cannot do."""

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.frontmatter import CardError, card_data, plain
from hubexpert.hub.license import card_license
from hubexpert.localhub.tags import model_tags
from tests.hostile_cards import HOSTILE, ODD


def card(text: str) -> str:
    return f"---\n{text}\n---\n# Title\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_card_is_an_error_and_nothing_more(name: str) -> None:
    with pytest.raises(CardError):
        card_data(card(HOSTILE[name]))


@pytest.mark.parametrize("name", ODD)
def test_odd_values_can_always_be_sent(name: str) -> None:
    data = card_data(card(ODD[name]))
    assert data is not None
    json.dumps(data, allow_nan=False).encode()
    assert all(isinstance(tag, str) for tag in model_tags(data, {}, [], ""))


def test_front_matter_of_any_line_ending_is_found_in_linear_time() -> None:
    assert card_data("\ufeff\n---\r\na: 1\r\n---\r\ntext") == {"a": 1}
    assert card_data("---\na: 1\n---") == {"a": 1}
    assert card_data("text\n---\na: 1\n---\n") is None and card_data("---\na: 1\n") is None
    assert card_data("---\n" + "\n" * 3_000_000) is None


pieces = [*"[]{}-?|>#%,'\"", "a:", "&x", "*x", "<<", "!!int", "!!bool", "!!set", "!!omap", "1:1", "0x", "\n", "\t"]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(pieces)).map(" ".join))
def test_any_text_gives_plain_values_or_a_card_error(text: str) -> None:
    try:
        data = card_data(card(text))
    except CardError:
        return
    json.dumps(data, allow_nan=False).encode()


scalars = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text("abc é: -#'\"", max_size=9)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), v))


@settings(deadline=None)
@given(st.dictionaries(st.text("abc_", min_size=1), values, min_size=1))
def test_what_is_written_as_yaml_is_read_as_it_was(data: dict[str, object]) -> None:
    assert card_data(card(yaml.safe_dump(data))) == plain(data)


def test_the_licence_of_a_card_on_disk_is_read_from_its_first_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(card("license: MIT"))
    assert card_license(path) == "mit"
    path.write_text(card("license: other\nlicense_name: House\x85 Rules"))
    assert card_license(path) == "house rules"
    path.write_text("# No metadata\n")
    assert card_license(path) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_card_on_disk_states_no_licence_and_takes_no_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(card(f"license: mit\n{HOSTILE[name]}"))
    begun = time.monotonic()
    assert card_license(path) is None
    assert time.monotonic() - begun < 5


def test_a_card_of_fifty_megabytes_costs_one(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(card("license: mit").encode() + b"x" * 50_000_000)
    begun = time.monotonic()
    assert card_license(path) == "mit"
    path.write_bytes(b"---\nlicense: mit\n" + b"#\n" * 25_000_000 + b"---\n")  # the end lies beyond what is read
    assert card_license(path) is None
    assert time.monotonic() - begun < 10
