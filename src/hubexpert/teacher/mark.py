"""Marks around texts of strangers in a question to the teacher: none of them can forge one."""

import hashlib
import json


def mark(text: str) -> str:
    """A mark that hangs on the whole text and stands nowhere in it: no part of the text can know it."""
    made = hashlib.sha256(json.dumps(text).encode()).hexdigest()[:16]
    while made in text:
        made = hashlib.sha256(made.encode()).hexdigest()[:16]
    return made
