"""Rolling licences up: over all pairs of the documented licences, and of more."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.errors import HubExpertError
from hubexpert.licenses import ABSORBED_BY, CLASSES, check_licenses, classify, conflicts, meet, other_name, roll_up
from hubexpert.recipe import FREE_LICENSES
from tests.locks import a_data, a_lock, a_recipe, source

PAGE = (Path(__file__).parents[1] / "docs" / "licences.md").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    """The rows below the header of the page's table whose header holds `title`."""
    lines = PAGE.split(title, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ids(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# the documented licences: id -> class; the classes' matrix; and the exceptions
KNOWN = {name: row[0].split(",")[0] for row in table("| class | licences |") for name in ids(row[1])}
MATRIX = {row[0]: dict(zip(CLASSES, row[1:], strict=True)) for row in table("| | permissive |")}
ABSORBED = {(ids(row[0])[0], whole) for row in table("| a part under |") for whole in ids(row[1])}
CLASHING = set(ids(PAGE.split("would not: ")[1].split(".\n")[0]))


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
        ("cc-by-nc-sa-4.0", "non-commercial-share-alike"),
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


def test_the_page_holds_every_class_and_exception() -> None:
    assert set(MATRIX) == set(CLASSES) == {*KNOWN.values()}
    assert {name: classify(name) for name in KNOWN} == KNOWN
    assert {(part, whole) for part, wholes in ABSORBED_BY.items() for whole in wholes} == ABSORBED
    assert len(KNOWN) > 60


def documented(one: str, other: str) -> str | None:
    """What the page says of a pair: an id, `other`, or None for a conflict."""
    said = MATRIX[KNOWN[one]][KNOWN[other]]
    if one == other and KNOWN[one] not in ("no-derivatives", "unknown"):
        return one
    if (one, other) in ABSORBED:
        return other
    if (other, one) in ABSORBED:
        return one
    if {one, other} == CLASHING or said == "conflict":
        return None
    if said == "the more demanding":
        return max(one, other, key=list(KNOWN).index)
    return {"first": one, "second": other, "other": "other"}[said]


def test_every_pair_of_documented_licences_makes_what_the_page_says() -> None:
    """Both ways round, and by rolling up as by meeting; a conflict names both parts, or the one without derivatives."""
    for one, other in itertools.product(KNOWN, KNOWN):
        expected = documented(one, other)
        assert meet(one, other) == expected, (one, other)
        assert roll_up([one, other]) == (expected or "other"), (one, other)
        why = conflicts((source("a/one", one), source("b/two", other)))
        assert bool(why) == (expected is None), (one, other)
        for repo, name in (("a/one", one), ("b/two", other)):
            if expected is None and "no-derivatives" not in (KNOWN[one], KNOWN[other]):
                assert f"{repo} ({name})" in why[0]
            elif expected is None:
                assert (repo in " ".join(why)) == (KNOWN[name] == "no-derivatives")


@pytest.mark.parametrize(
    ("licenses", "rolled_up"),
    [
        (["mit"], "mit"),
        (["mit", "apache-2.0", "cc0-1.0"], "apache-2.0"),
        (["apache-2.0", "cc-by-4.0"], "cc-by-4.0"),
        (["llama2", "apache-2.0", "mit"], "llama2"),
        (["llama2", "llama2"], "llama2"),
        (["apache-2.0", "cc-by-nc-4.0"], "cc-by-nc-4.0"),
        (["gemma", "llama2"], "other"),
        (["gemma", "cc-by-nc-4.0", "mit"], "other"),
        (["cc-by-nc-4.0", "cc-by-nc-sa-4.0", "mit"], "cc-by-nc-sa-4.0"),
        (["mpl-2.0", "gpl-3.0", "apache-2.0", "lgpl-3.0"], "gpl-3.0"),
        (["cc-by-sa-4.0", "cc-by-nc-4.0"], "other"),
        (["cc-by-sa-4.0", "cc-by-sa-3.0"], "cc-by-sa-4.0"),
        (["apache-2.0", None], "other"),
        (["apache-2.0", "my-own"], "other"),
        ([], "other"),
    ],
)
def test_roll_up(licenses: list[str | None], rolled_up: str) -> None:
    assert {roll_up(order) for order in itertools.permutations(licenses)} == {rolled_up}


@given(st.lists(st.sampled_from([*KNOWN, "my-own"]), min_size=1, max_size=5), st.sampled_from([*KNOWN]))
def test_what_conflicts_is_not_mended_by_one_more_part(licenses: list[str], more: str) -> None:
    """And a whole with an id of its own has no conflict: every part may be put under that id."""
    sources = [source(f"a/part-{i}", name) for i, name in enumerate(licenses)]
    rolled = roll_up(licenses)
    if rolled != "other":
        assert all(meet(rolled, name) == rolled for name in licenses)
    if conflicts(sources):
        assert set(conflicts(sources)) <= set(conflicts([*sources, source("b/more", more)]))


def test_a_conflict_stops_publishing_with_the_culprits() -> None:
    """Of experts, and of data: all are named but for those that fit; without a conflict nothing is raised."""
    check_licenses(a_lock())
    pool = (source("a/one", "llama2"), source("a/two", "cc-by-sa-4.0"), source("a/three", "mit"))
    with pytest.raises(HubExpertError, match=r"a/one \(llama2\) and a/two \(cc-by-sa-4.0\) cannot both") as error:
        check_licenses(a_lock(pool=pool))
    assert "a/three" not in error.value.message
    assert "discover.exclude" in str(error.value.fix)
    data = a_data(source("open/rows", "cc-by-nd-4.0", repo_type="dataset"))
    with pytest.raises(HubExpertError, match=r"open/rows \(cc-by-nd-4.0\) forbids derivatives"):
        check_licenses(a_lock().model_copy(update={"data": data}))


def test_who_answers_for_a_licence_may_publish_under_it() -> None:
    pool = (source("a/one", "llama2"), source("a/two", "cc-by-sa-4.0"), source("a/three"))
    check_licenses(a_lock(pool=pool).model_copy(update={"recipe": a_recipe(publish={"license": "llama2"})}))


def test_many_conflicts_are_told_in_one_sentence() -> None:
    pool = [source(f"a/nd-{i}", "cc-by-nd-4.0") for i in range(8)]
    lock = a_lock()
    experts = tuple(lock.build.experts[0].model_copy(update={"source": each}) for each in pool)
    with pytest.raises(HubExpertError, match=r"a/nd-0 .*; and 3 more\.$") as error:
        check_licenses(lock.model_copy(update={"build": lock.build.model_copy(update={"experts": experts})}))
    assert "a/nd-7" not in error.value.message


def test_the_name_of_other_lists_what_meets() -> None:
    assert other_name(["llama2", "gemma", "mit"]) == "mixed-gemma-llama2"
    assert other_name(["cc-by-nc-4.0", None, "<b>"]) == "mixed-cc-by-nc-4.0-unknown"
