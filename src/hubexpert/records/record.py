"""What every record has, and where things come from."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class Record(BaseModel):
    """A frozen record; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Source(Record):
    """Where something came from: a repository at one commit.

    For a folder on disk `repo` is the folder as the recipe names it and `revision` the SHA-1 of its contents.
    """

    repo: str
    revision: Revision
    license: str | None = None
    repo_type: Literal["model", "dataset"] = "model"


class Refused(Record):
    """Something a stage did not take, with a stable reason code and a sentence."""

    source: Source
    code: str
    reason: str
