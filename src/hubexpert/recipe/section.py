"""What every part of the recipe is, and how folders are told from names."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair, which is no text
ROWS = (".jsonl", ".jsonl.gz")  # how files of rows end
Language = Annotated[str, Field(pattern="^[a-z]{2}$", description="ISO 639-1 code")]


class Section(BaseModel):
    """A frozen part of the recipe; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        if isinstance(value, str) and HALF.search(value):  # YAML does not join the halves
            raise ValueError("it holds half of a surrogate pair: write the character itself, not its escape")
        return value


def is_folder(base: str) -> bool:
    """Whether a base is named as a folder: by a path that begins with `/`, `./`, `../` or `~`."""
    return base.startswith(("/", "./", "../", "~"))


def is_local(dataset: str) -> bool:
    """Whether a dataset is named as a folder, by its path, or as a file."""
    return is_folder(dataset) or dataset.endswith(ROWS)
