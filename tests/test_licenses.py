"""Rolling licences up."""

import itertools

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.licenses import classify, other_name, roll_up
from hubexpert.recipe import FREE_LICENSES


@pytest.mark.parametrize(
    ("license_id", "kind"),
    [
        ("mit", "permissive"),
        ("Apache-2.0", "permissive"),
        ("cc-by-4.0", "permissive"),
        ("cc-by-sa-4.0", "share-alike"),
        ("gpl-3.0", "share-alike"),
        ("llama3.1", "custom"),
        ("gemma", "custom"),
        ("bigscience-openrail-m", "custom"),
        ("cc-by-nc-4.0", "non-commercial"),
        ("cc-by-nc-sa-4.0", "non-commercial"),
        ("cc-by-nd-4.0", "no-derivatives"),
        ("cc-by-nc-nd-4.0", "no-derivatives"),
        ("other", "unknown"),
        ("my own <terms>", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_classes(license_id: str | None, kind: str) -> None:
    assert classify(license_id) == kind


def test_every_licence_that_the_recipe_admits_is_known() -> None:
    assert {name: classify(name) for name in FREE_LICENSES if classify(name) == "unknown"} == {}


@pytest.mark.parametrize(
    ("licenses", "rolled_up"),
    [
        (["mit"], "mit"),
        (["mit", "apache-2.0", "cc0-1.0"], "apache-2.0"),
        (["apache-2.0", "cc-by-4.0"], "cc-by-4.0"),
        (["llama2", "apache-2.0", "mit"], "llama2"),
        (["llama2", "llama2"], "llama2"),
        (["apache-2.0", "cc-by-sa-4.0"], "cc-by-sa-4.0"),
        (["apache-2.0", "cc-by-nc-4.0"], "cc-by-nc-4.0"),
        (["gemma", "llama2"], "other"),
        (["cc-by-sa-4.0", "cc-by-nc-4.0"], "other"),
        (["cc-by-sa-4.0", "cc-by-sa-3.0"], "other"),
        (["apache-2.0", None], "other"),
        (["apache-2.0", "my-own"], "other"),
        ([], "other"),
    ],
)
def test_roll_up(licenses: list[str | None], rolled_up: str) -> None:
    assert {roll_up(order) for order in itertools.permutations(licenses)} == {rolled_up}


def test_no_derivatives_is_refused_with_the_culprit() -> None:
    with pytest.raises(HubExpertError) as error:
        roll_up(["apache-2.0", "cc-by-nd-4.0"], names=["a/base", "b/expert"])
    assert "b/expert" in error.value.message
    assert "a/base" not in error.value.message
    assert "discover.exclude" in error.value.fix


def test_the_name_of_other_lists_what_meets() -> None:
    assert other_name(["llama2", "gemma", "mit"]) == "mixed-gemma-llama2"
    assert other_name(["cc-by-nc-4.0", None, "<b>"]) == "mixed-cc-by-nc-4.0-unknown"
