"""A reply as it came, read: the text without its thinking, or that there is none, or that the teacher will not."""

import re
import unicodedata

from hubexpert.records import Reply

LONGEST = 100_000  # characters; no reply to one question is longer in earnest
REFUSAL = re.compile(
    r"""
    \W* (?: (?:i\ am|i['’]?m) \ (?:so\ |very\ )? sorry\W+ | sorry\W+ | i\ apologi[sz]e\W+ | unfortunately,?\  )?
    (?: but\  )? (?: as\ an\ ai [^.\n]{0,80}? [,.]\  )?
    i \ ? (?: (?: can(?:not|['’]t|\ not) | (?:am|['’]?m)\ (?:not\ able|unable)\ to | will\ not | won['’]t )
    \  (?: \w+\  )? (?: help|assist|answer|comply|provide|fulfill?|discuss|respond|engage|support
    | (?:do|with)\ (?:this|that) )
    | (?:must|have\ to) \  (?: \w+\  )? decline ) \b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def read_reply(
    text: object, *, cut: bool = False, withheld: bool = False, prompt_tokens: object = 0, completion_tokens: object = 0
) -> Reply:
    """The reply with that text.

    Args:
        text: what the teacher wrote; anything but a text is malformed.
        cut: it reached the longest length that was allowed.
        withheld: the server says that the model refused, or that a filter did.
        prompt_tokens: what the server says the question took.
        completion_tokens: what it says the reply took.
    """
    shown = _shown(text) if isinstance(text, str) else ""
    refused = withheld or REFUSAL.match(shown)
    state = "refused" if refused else "written" if shown else "malformed"
    tokens = {"prompt_tokens": _number(prompt_tokens), "completion_tokens": _number(completion_tokens)}
    return Reply.model_validate({"state": state, "text": shown, "cut": cut, **tokens})


def encodable(text: str) -> str:
    """The text without what UTF-8 cannot hold: halves of surrogate pairs become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """The text that any reader takes: encodable, without control characters and white space around it."""
    return "".join(c for c in encodable(text) if c.isspace() or unicodedata.category(c) != "Cc").strip()


def _shown(text: str) -> str:
    """The text without control characters, white space around it, and thinking aloud, which may never have ended."""
    said = text[:LONGEST].rpartition("</think>")[2]
    if said.lstrip().startswith("<think>"):
        return ""
    return printable(said)


def _number(value: object) -> int:
    """A count of tokens as a stranger tells it; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0
