"""What a base reads of an example, as text: one user turn, behind the shots where it is shown some."""

from collections.abc import Sequence
from typing import Any

from hubexpert import filled
from hubexpert.records import Example


def user_turn(example: Example) -> str:
    """What the user says: instruction, passages, input, and the choices unless the text names them all already."""
    told = {"instruction": example.instruction, "passages": example.passages, "input": example.input}
    return filled.prompt("prompt.jinja", {**told, "options": options(example)})


def options(example: Example) -> tuple[str, ...]:
    """The choices, as they are listed behind the input; none where instruction and input name them all already."""
    said = f"{example.instruction}\n{example.input}".lower()
    return () if all(choice.lower() in said for choice in example.choices) else example.choices


def prompt_text(tokenizer: Any, example: Example, shots: Sequence[Example] = ()) -> str:
    """The prompt as the model sees it: the base's chat template with one user turn, or plain text without one.

    Shots stand before it in their order: as earlier turns of user and assistant, or as text, each with an empty line
    behind its output.
    """
    if tokenizer.chat_template:
        said = [text for shot in shots for text in (user_turn(shot), shot.reply)]
        turns = [
            {"role": "assistant" if place % 2 else "user", "content": text}
            for place, text in enumerate([*said, user_turn(example)])
        ]
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text
    shown = "".join(f"{user_turn(shot)}\n{shot.reply}\n\n" for shot in shots)
    return f"{tokenizer.bos_token or ''}{shown}{user_turn(example)}\n"
