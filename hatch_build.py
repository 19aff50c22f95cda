"""Puts the templates into the wheel, also where the link to them has become a text file."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Templates(BuildHookInterface[Any]):
    """What is added to a wheel; an editable install follows the link."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder."""
        if version == "standard":
            build_data["force_include"]["templates"] = "hubexpert/templates"
