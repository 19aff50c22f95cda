"""The teacher."""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from hubexpert.recipe.section import Section


class TeacherSection(Section):
    """The teacher: a language model that writes what the examples lack.

    Attributes:
        model: the id that the server knows; with `local` the name of a base (a Hub id or a folder).
        url: a server that speaks OpenAI's chat completions; without one an inference provider is asked through the Hub.
        provider: the inference provider; by default the Hub chooses one.
        key_env: the environment variable that holds the key, never the key itself. Without it a `url` gets no key at
            all, and an inference provider the Hub's token.
        local: the model is loaded into this process.
        temperature: 0 is greedy.
        max_tokens: of one reply.
        concurrency: how many questions are asked at once.
        timeout: seconds without a byte until a request is given up.
        most_failures: the share of the questions that may stay without a usable reply before the run stops.
    """

    model: Annotated[str, Field(min_length=1)]
    url: str | None = None
    provider: str | None = None
    key_env: str | None = None
    local: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    max_tokens: Annotated[int, Field(gt=0)] = 256
    concurrency: Annotated[int, Field(gt=0, le=64)] = 4
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    most_failures: Annotated[float, Field(ge=0, le=1)] = 0.2

    @field_validator("url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://-")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # port: ValueError if none
            raise ValueError("it is no address such as http://localhost:8000/v1")
        return url

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
            raise ValueError("it is the NAME of an environment variable, in capitals, never the key itself")
        return name

    @model_validator(mode="after")
    def _one_way_to_it(self) -> Self:
        ways = [name for name in ("url", "provider", "local") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"`{ways[0]}` and `{ways[1]}` exclude each other")
        return self
