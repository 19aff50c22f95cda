"""Passages of the knowledge that a task rests on."""

from pydantic import Field

from hubexpert.records.record import Record, Source


class Passage(Record):
    """A piece of a text: of one row of a source, or of one file."""

    source: Source
    row: int = Field(description="from 0, in the order of the source")
    part: int = Field(description="from 0, of the passages of that text")
    title: str = ""
    text: str
