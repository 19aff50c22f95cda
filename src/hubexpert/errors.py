"""The one error a user sees: a sentence that says what is wrong, and a fix."""


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
