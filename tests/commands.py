"""The command line as tests call it: in this process, errors rendered."""

import pytest

from hubexpert.cli.main import main


def run(*arguments: str) -> int:
    """The exit code of `hubexpert` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)
