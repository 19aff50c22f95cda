"""One canonical text: the same facts give the same bytes, and one changed fact changes few lines."""

import difflib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.lock import Lock, LockedData, locked_data, locked_discovery, locked_scores, render_lock, trained_digest
from hubexpert.records import Data, Discovery, Example, Origin, Record, ScoreTable, TrainingExample
from tests.locks import POOL, a_data, a_discovery, a_kard, a_lock, a_table, source

WHOLE = a_lock().model_copy(update={"data": a_data(source("open/rows", repo_type="dataset")), "kard": a_kard()})


def added(data: LockedData) -> Data:
    """What a run knew when it wrote that section."""
    return Data(methods=data.methods, datasets=data.datasets, unread=data.unread)


def kept(found: Discovery, table: ScoreTable, data: Data, whole: Lock) -> str:
    """The lock that a run writes of these."""
    sections = {"discovery": locked_discovery(found), "scores": locked_scores(table), "data": locked_data(data)}
    return render_lock(whole.model_copy(update=sections))


def reordered(data: st.DataObject, record: Record, *fields: str) -> Any:
    """The record with these fields in any order."""
    return record.model_copy(update={name: tuple(data.draw(st.permutations(getattr(record, name)))) for name in fields})


def shuffled(data: st.DataObject, part: Any) -> Any:
    """The same JSON with the keys of every object in any order."""
    if isinstance(part, dict):
        return {key: shuffled(data, part[key]) for key in data.draw(st.permutations(list(part)))}
    return [shuffled(data, each) for each in part] if isinstance(part, list) else part


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_order_in_which_things_were_found_changes_no_byte(data: st.DataObject) -> None:
    pool = tuple(source(repo) for repo in (*POOL, POOL[0]))
    twin = pool[-1].model_copy(update={"revision": "0" * 40})  # the same repository, named at another commit
    found, table = a_discovery((*pool[:-1], twin)), a_table(source("acme/base-135m"), (*pool[:-1], twin))
    given_data = added(a_data(source("open/rows", repo_type="dataset"), source("open/more", repo_type="dataset")))

    other = kept(
        reordered(data, found, "candidates", "datasets"),
        reordered(data, table, "scores", "refused"),
        reordered(data, given_data, "datasets").model_copy(update={"unread": shuffled(data, given_data.unread)}),
        WHOLE.model_copy(update={"recipe": shuffled(data, WHOLE.recipe), "digests": shuffled(data, WHOLE.digests)}),
    )
    assert other == kept(found, table, given_data, WHOLE)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_lock_read_with_its_keys_in_any_order_is_written_as_it_was(data: st.DataObject) -> None:
    text = render_lock(WHOLE)
    assert render_lock(Lock.model_validate(shuffled(data, json.loads(text)))) == text


def leaves(part: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every number and text of a JSON value."""
    if isinstance(part, dict | list):
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        return [leaf for key, each in inside for leaf in leaves(each, (*path, key))]
    return [path] if isinstance(part, int | float | str) and not isinstance(part, bool) else []


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_changed_fact_changes_one_line(data: st.DataObject) -> None:
    raw = json.loads(render_lock(WHOLE))
    *way, last = data.draw(st.sampled_from(leaves(raw)))
    before, place = json.dumps(raw, indent=1, sort_keys=True), raw
    for key in way:
        place = place[key]
    place[last] = place[last] + (7 if isinstance(place[last], int | float) else " more")
    after = json.dumps(raw, indent=1, sort_keys=True)
    changed = [line for line in difflib.unified_diff(before.split("\n"), after.split("\n"), n=0) if line[0] in "+-"]
    assert len(changed) == 4  # two of them name the files


def test_the_text_holds_only_json_that_every_reader_reads() -> None:
    """No NaN or infinity; strangers' letters as they are, so that a diff can be read."""
    recipe = {**WHOLE.recipe, "task": {**WHOLE.recipe["task"], "name": "café 文"}}
    text = render_lock(WHOLE.model_copy(update={"recipe": recipe}))
    assert "café 文" in text and text.endswith("}\n")
    json.loads(text, parse_constant=lambda name: 1 / 0)


def examples(place: str, weight: float = 1.0) -> tuple[TrainingExample, ...]:
    """A shot and an example made of a row of that dataset."""
    where = {"source": source(place, repo_type="dataset"), "config": "default", "split": "train", "row": 3}
    made = Origin(method="select", closeness=0.5, **where)
    shot, row = Example(input="2+2", output="4"), Example(input="3+3", output="6")
    return TrainingExample(example=shot), TrainingExample(example=row, origin=made, weight=weight)


def test_the_digest_of_the_data_is_of_what_was_trained_on_wherever_it_stood() -> None:
    digest = trained_digest(examples("/home/alice/rows.jsonl"))
    assert digest == trained_digest(examples("./rows.jsonl"))
    assert digest != trained_digest(examples("./rows.jsonl", weight=0.5))
    assert digest != trained_digest(examples("./rows.jsonl")[::-1])
    assert digest != trained_digest(examples("./rows.jsonl")[:1])
