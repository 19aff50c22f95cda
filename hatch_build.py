"""Puts the templates into the wheel, also where the link to them has become a text file."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Templates(BuildHookInterface[Any]):
    """What is added to a wheel; an editable install follows the link."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder: the repository's, or that of a source distribution, which has it in the place of the link."""
        if version == "standard":
            folder = next(name for name in ("templates", "src/hubexpert/templates") if Path(self.root, name).is_dir())
            build_data["force_include"][folder] = "hubexpert/templates"
