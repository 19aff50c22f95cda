"""The question whether an example that the teacher made is right, and what its reply says."""

from hubexpert.filled import prompt
from hubexpert.metrics import exact_match
from hubexpert.rebase.form import Form
from hubexpert.rebase.transform import facts_of, shown
from hubexpert.records import Example, Reply

YES = Example(input="", output="yes")


def check_prompt(form: Form, example: Example) -> str:
    """The question to the teacher; the example stands between marks that hang on it and that it cannot forge."""
    text = shown(form, example)
    return prompt("check.jinja", {**facts_of(form, text), "example": text})


def says_yes(reply: Reply) -> bool:
    """Whether the reply says yes; one that cannot be read does not."""
    return bool(exact_match(reply.text, YES))
