"""The one error a user sees: a sentence that says what is wrong, and a fix."""

from importlib import import_module
from typing import Any


class HubExpertError(Exception):
    """Something the user can mend.

    Attributes:
        message: one sentence, what is wrong.
        fix: a command or an edit that mends it.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def first_line(error: BaseException) -> str:
    """The first line of a foreign error's message, shortened; its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def needed(name: str, does: str) -> Any:
    """The module of a library that the extra `data` installs.

    Args:
        name: of the module.
        does: what the library is for, as in `faiss, which searches many vectors, is not installed`.

    Raises:
        HubExpertError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        called = name.partition(".")[0]
        raise HubExpertError(
            f"{called}, which {does}, is not installed.", fix="pip install 'hubexpert[data]'"
        ) from error
