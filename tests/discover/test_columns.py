"""What a card tells of a dataset's columns, and which of them the guess takes."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.discover.data.columns import guess
from hubexpert.discover.data.configs import class_names, configs
from hubexpert.discover.data.examples import mapped
from hubexpert.discover.data.features import row_columns
from hubexpert.frontmatter import card_data
from hubexpert.records import ColumnMap, DatasetConfig

REAL = Path(__file__).parents[1] / "data" / "dataset_cards"
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": "4"},
]
CARD = """
dataset_info:
- config_name: plain
  features:
  - name: question
    dtype: string
  - name: choices
    sequence:
    - name: text
      dtype: string
    - name: label
      dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '1': pos
          '0': neg
          '10': rest
  - name: tags
    sequence:
      class_label:
        names: [O, B]
  - name: messages
    list:
    - name: content
      dtype: string
  - name: translation
    dtype: {translation: {languages: [de, en]}}
  - name: options
    list: string
  - name: meta
    struct:
    - name: numbers
      list: {dtype: int32}
  - name: picture
    dtype: image
  - name: "bad\\x1bname"
    dtype: string
  splits:
  - name: train
    num_examples: 3
configs:
- config_name: other
- config_name: plain
  default: true
  data_files: [{split: train, path: x}, {split: test, path: y}]
"""


def test_a_card_tells_configurations_splits_and_nested_columns_with_their_types() -> None:
    card = yaml.safe_load(CARD)
    plain, other = configs(card)
    assert (plain.name, plain.splits) == ("plain", {"train": 3, "test": None})
    assert (other.name, other.columns) == ("other", {})
    assert plain.columns == {
        "question": "string", "choices": "list<struct>",
        "choices.text": "list<string>", "choices.label": "list<string>",
        "label": "class_label", "tags": "list<class_label>", "messages": "list<struct>",
        "messages.content": "list<string>", "translation": "translation", "translation.de": "string",
        "translation.en": "string", "options": "list<string>", "meta": "struct", "meta.numbers": "list<int32>",
        "picture": "image",
    }  # fmt: skip
    assert class_names(card, "plain") == {"label": ("neg", "pos", "rest"), "tags": ("O", "B")}
    assert class_names(card, "other") == {}


FEATURES = [{"name": "text", "dtype": "string"}, {"name": "label", "dtype": {"class_label": {"names": ["a"]}}}]


@pytest.mark.parametrize(
    "info",
    [
        {"features": FEATURES},
        [{"features": FEATURES}],
        {
            "default": {
                "features": {
                    "text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["a"], "_type": "ClassLabel"},
                }
            }
        },
    ],
)  # fmt: skip
def test_the_forms_of_dataset_info_are_read_alike(info: Any) -> None:
    assert configs({"dataset_info": info}) == (
        DatasetConfig(name="default", columns={"text": "string", "label": "class_label"}),
    )
    assert class_names({"dataset_info": info}, "default") == {"label": ("a",)}


def test_a_row_tells_columns_where_no_card_does() -> None:
    row = {"a": 1, "b": ["x"], "c": {"d": [{"e": 1.5}]}, "picture": "<binary>", "none": None}
    assert row_columns(row) == {
        "a": "int64", "b": "list<string>", "c": "struct", "c.d": "list<struct>", "c.d.e": "list<float64>",
        "picture": "binary", "none": "null",
    }  # fmt: skip
    told = DatasetConfig(
        name="main", splits={"test": 1, "train": 2}, columns=row_columns({"frage": 1, "Question": "?", "Answer": "!"})
    )
    assert guess([told]) == ColumnMap(config="main", split="train", input=("Question",), output="Answer")


# Columns (`:L` a list of strings, `:C` a class label, `:T` a list of structs), and the mapping: input -> output.
TYPES = {"": "string", "L": "list<string>", "C": "class_label", "T": "list<struct>"}
SHAPES = {
    "instruction input output text": "input -> output; instruction instruction",
    "instruction output": "instruction -> output",
    "instruction context response category": "context -> response; instruction instruction",
    "prompt completion": "prompt -> completion",
    "question answer": "question -> answer",
    "Question Complex_CoT Response": "Question -> Response; rationale Complex_CoT",
    "system_prompt question response": "question -> response; instruction system_prompt",
    "context question answers:T answers.text:L answers.answer_start:list<int32>": "context question -> answers.text",
    "question choices:T choices.text:L choices.label:L answerKey": "question -> answerKey; choices choices.text",
    "question subject choices:L answer:C": "question -> answer; choices choices",
    "question options:L rationale correct": "question -> correct; choices options; rationale rationale",
    "Problem Rationale options correct": "Problem options -> correct; rationale Rationale",
    "goal sol1 sol2 label:C": "goal -> label; choices sol1 sol2",
    "context question answerA answerB label": "context question -> label; choices answerA answerB",
    "sentence option1 option2 answer": "sentence -> answer; choices option1 option2",
    "ctx endings:L label": "ctx -> label; choices endings",
    "premise hypothesis label:C explanation_1": "premise hypothesis -> label; rationale explanation_1",
    "sentence1 sentence2 label:C": "sentence1 sentence2 -> label",
    "question sentence label:C": "question sentence -> label",
    "text label:C": "text -> label",
    "sentence label:int64": "sentence -> label",
    "title content label:C": "title content -> label",
    "TEXT Sentiment": "TEXT -> Sentiment",
    "passage question answer:bool": "passage question -> answer",
    "document summary": "document -> summary",
    "article highlights": "article -> highlights",
    "messages:T messages.role:L messages.content:L": "messages -> messages",
    "conversations:T conversations.from:L conversations.value:L": "conversations -> conversations",
    "translation:translation translation.de translation.en": "translation.de -> translation.en",
    "source target": "source -> target",
    "en fr": "en -> fr",
    "query response": "query -> response",
    "problem solution level": "problem -> solution",
    "problem solution answer": "problem -> answer; rationale solution",
    "image:image label:C": None,
    "image_url caption": None,
    "file audio:audio text": None,
    "text": None,
    "text url timestamp": None,
    "tokens:L ner_tags:list<class_label>": None,
    "chosen rejected": None,
    "question:image answer": None,
    "text label:image": None,
}


def mapping_of(told: str | None) -> ColumnMap | None:
    """The mapping in one line of `SHAPES`."""
    if told is None:
        return None
    pair, *others = told.split("; ")
    given, output = pair.split(" -> ")
    fields = {name: rest if name != "choices" else rest.split() for name, rest in (o.split(" ", 1) for o in others)}
    return ColumnMap.model_validate(
        {"config": "default", "split": "train", "input": given.split(), "output": output} | fields
    )


@pytest.mark.parametrize(("columns", "expected"), SHAPES.items())
def test_each_common_shape_has_its_mapping(columns: str, expected: str | None) -> None:
    named = [column.partition(":")[::2] for column in columns.split()]
    types = {name: TYPES.get(type_, type_) for name, type_ in named}
    found = guess([DatasetConfig(name="default", splits={"test": 1, "train": 9}, columns=types)])
    assert found == mapping_of(expected)
    turned = dict(reversed(types.items()))
    if "translation" not in types and "en" not in types:  # of two languages the first is the source
        assert guess([DatasetConfig(name="default", splits={"train": 9}, columns=turned)]) == found


def test_the_default_configuration_comes_first_then_the_first_that_has_a_mapping() -> None:
    text, picture = {"text": "string", "label": "class_label"}, {"image": "image", "label": "class_label"}
    first, default = DatasetConfig(name="first", columns=text), DatasetConfig(name="default", columns=text)
    assert (guess([first, default]) or pytest.fail()).config == "default"
    assert (guess([default.model_copy(update={"columns": picture}), first]) or pytest.fail()).config == "first"
    chats = DatasetConfig(name="c", splits={"test": 1, "train_sft": 2}, columns=text)
    assert (guess([chats]) or pytest.fail()).split == "train_sft"


@pytest.mark.parametrize(
    ("name", "mapping"),
    [
        ("ag_news", ("default", "train", "text", "label")),
        ("ai2_arc", None),
        ("banking77", ("default", "train", "text", "label")),
        ("billsum", ("default", "train", "text", "summary")),
        ("boolq", None),
        ("code_search_net", None),
        ("conll2003", None),
        ("emotion", ("default", "train", "text", "label")),
        ("gem", None),
        ("glue", ("cola", "train", "sentence", "label")),
        ("go_emotions", None),
        ("imdb", ("plain_text", "train", "text", "label")),
        ("liar", ("default", "train", "statement", "label")),
        ("multi_news", ("default", "train", "document", "summary")),
        ("ncbi_disease", None),
        ("opus100", None),
        ("pubmed_qa", None),
        ("rotten_tomatoes", ("default", "train", "text", "label")),
        ("sms_spam", ("plain_text", "train", "sms", "label")),
        ("snips_built_in_intents", ("default", None, "text", "label")),
        ("squad", ("plain_text", "train", "context question", "answers.text")),
        ("squad_v2", ("squad_v2", "train", "context question", "answers.text")),
        ("tweet_eval", ("emotion", "train", "text", "label")),
        ("xsum", ("default", "train", "document", "summary")),
        ("yelp_polarity", ("plain_text", "train", "text", "label")),
    ],
)
def test_real_cards_get_the_mapping_they_deserve(name: str, mapping: tuple[str | None, ...] | None) -> None:
    card = card_data((REAL / f"{name}.md").read_text())
    assert card is not None
    found = guess(configs(card))
    told = (found.config, found.split, " ".join(found.input), found.output) if found else None
    assert told == mapping


def test_every_real_card_is_read_and_this_is_what_becomes_of_them() -> None:
    told: Counter[str] = Counter()
    for path in sorted(REAL.glob("*.md")):
        if path.stem == "README":
            continue
        card = card_data(path.read_text())
        assert card is not None
        known = configs(card)
        columns = any(config.columns for config in known)
        told["mapping" if guess(known) else "columns" if columns else "configs" if known else "nothing"] += 1
    assert told == {"nothing": 118, "mapping": 16, "configs": 13, "columns": 2}


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
words = st.sampled_from(
    re.findall(
        r"[\w-]+",
        "name dtype list sequence struct class_label names features splits num_examples config_name configs config "
        "data_files split default dataset_info train-eval-index col_mapping text label question answers choices string "
        "translation languages _type feature ClassLabel Sequence messages role",
    )
)
values = st.recursive(
    scalars | words, lambda v: st.lists(v, max_size=3) | st.dictionaries(words | st.text(max_size=3), v, max_size=4)
)
top = st.sampled_from(["dataset_info", "configs", "train-eval-index"])


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(top, values))
def test_no_card_whatever_ends_a_run(card: dict[str, Any]) -> None:
    told = configs(card)
    for config in told:
        assert config.name and all(name.isprintable() and "\n" not in name for name in config.columns)
        class_names(card, config.name)
    found = guess(told)
    if found:
        columns = next(config.columns for config in told if config.name == found.config)
        assert {*found.input, found.output, *found.choices} <= columns.keys()


@settings(deadline=None)
@given(st.dictionaries(words | st.text(max_size=3), values), st.lists(words, min_size=1, max_size=3), words, words)
def test_no_row_whatever_ends_a_run(row: dict[str, Any], given_: list[str], output: str, choices: str) -> None:
    guess([DatasetConfig(name="default", columns=row_columns(row))])
    for several in ((), (choices,), (choices, output)):
        columns = ColumnMap(input=tuple(given_), output=output, choices=several, rationale="a.b")
        shown = mapped(row, columns, {output: ("x",)})
        assert shown.keys() <= {"instruction", "input", "output", "choices", "rationale"}
        assert all(text.isprintable() and 0 < len(text) <= 300 for text in shown.values())


def test_a_card_of_a_million_columns_is_cut() -> None:
    features = [{"name": f"c{number}", "dtype": "string"} for number in range(10_000)]
    told = configs({"dataset_info": [{"config_name": f"x{number}", "features": features} for number in range(1000)]})
    assert len(told) <= 300 and all(len(config.columns) <= 300 for config in told)


@pytest.mark.parametrize(
    ("columns", "row", "classes", "expected"),
    [
        (
            {"input": "text", "output": "label"},
            {"text": "fine", "label": 1},
            {"label": ("neg", "pos")},
            {"input": "fine", "output": "pos"},
        ),
        (
            {"input": "text", "output": "label"},
            {"text": "fine", "label": -1},
            {"label": ("neg", "pos")},
            {"input": "fine"},
        ),
        ({"input": "text", "output": "label"}, {"text": "fine", "label": 1}, {}, {"input": "fine", "output": "1"}),
        (
            {"input": "text", "output": "labels"},
            {"text": "t", "labels": [0, 2]},
            {"labels": ("a", "b", "c")},
            {"input": "t", "output": "a, c"},
        ),
        (
            {"input": ["passage", "question"], "output": "answer"},
            {"passage": "p", "question": "q", "answer": True},
            {},
            {"input": "p q", "output": "true"},
        ),
        (
            {"input": "question", "output": "answers.text"},
            {"question": "q", "answers": {"text": ["a", "b"], "start": [1]}},
            {},
            {"input": "q", "output": "a"},
        ),
        ({"input": "q", "output": "a.t"}, {"q": "q", "a": [{"t": "x"}, {"t": "y"}]}, {}, {"input": "q", "output": "x"}),
        (
            {"input": "question", "output": "answerKey", "choices": "choices.text"},
            {"question": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"},
            {},
            {"input": "q", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "question", "output": "answerKey", "choices": "choices.text"},
            {"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "1"},
            {},
            {"input": "q", "output": "x", "choices": "x | y"},
        ),
        (
            {"input": "q", "output": "a", "choices": "c"},
            {"q": "q", "c": ["x", "y"], "a": 1},
            {"a": ("A", "B")},
            {"input": "q", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "q", "output": "a", "choices": "c"},
            {"q": "q", "c": ["x", "y"], "a": "y"},
            {},
            {"input": "q", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "q", "output": "a", "choices": "c"},
            {"q": "q", "c": ["x", "y"], "a": "1"},
            {},
            {"input": "q", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "s", "output": "a", "choices": ["option1", "option2"]},
            {"s": "s", "option1": "x", "option2": "y", "a": "2"},
            {},
            {"input": "s", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "s", "output": "a", "choices": ["answerA", "answerB"]},
            {"s": "s", "answerA": "x", "answerB": "y", "a": "1"},
            {},
            {"input": "s", "output": "x", "choices": "x | y"},
        ),
        (
            {"input": "g", "output": "a", "choices": ["sol1", "sol2"]},
            {"g": "g", "sol1": "x", "sol2": "y", "a": 1},
            {},
            {"input": "g", "output": "y", "choices": "x | y"},
        ),
        (
            {"input": "m", "output": "m"},
            {"m": TURNS},
            {},
            {"instruction": "Be brief.", "input": "2 + 2?", "output": "4"},
        ),
        (
            {"input": "c", "output": "c"},
            {"c": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]},
            {},
            {"input": "hi", "output": "ho"},
        ),
        ({"input": "p", "output": "chosen"}, {"p": "p", "chosen": TURNS}, {}, {"input": "p", "output": "4"}),
        ({"input": "t.de", "output": "t.en"}, {"t": {"de": "ja", "en": "yes"}}, {}, {"input": "ja", "output": "yes"}),
        (
            {"input": "x", "output": "y", "rationale": "r"},
            {"x": "a\x1b[2J\n\nb", "y": None, "r": "so"},
            {},
            {"input": "a\ufffd[2J b", "rationale": "so"},
        ),
    ],
)
def test_a_row_is_shown_as_its_mapping_says(
    columns: dict[str, Any], row: dict[str, Any], classes: dict[str, tuple[str, ...]], expected: dict[str, str]
) -> None:
    assert mapped(row, ColumnMap.model_validate(columns), classes) == expected


def test_long_texts_are_cut_for_reading() -> None:
    shown = mapped({"x": "long " * 10_000, "y": ["a"] * 1000}, ColumnMap(input=("x",), output="y"))
    assert len(shown["input"]) == 300 and shown["output"] == "a"
    json.dumps(shown)
