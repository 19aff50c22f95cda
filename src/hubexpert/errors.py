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
