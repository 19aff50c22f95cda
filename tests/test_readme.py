"""What the README shows is what people get."""

from tests.readme import README, block, shown_by


def test_the_readme_shows_what_discover_prints() -> None:
    command, output = block(README.read_text(encoding="utf-8"))
    assert command == "hubexpert discover --base llama-2-7b"
    assert shown_by(command) == output, "run: python tests/readme.py"
