"""The card's figures, and the map of rows, as `data:` addresses."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from hubexpert.figures import drawings, save
from hubexpert.lock import Lock
from hubexpert.report.beside import Beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures(lock: Lock, known: Beside) -> dict[str, str]:
    """Every figure for which there are numbers: its file name on the card, or `map.png` -> its address."""
    from hubexpert.rows.map import data_map

    found = drawings(lock)
    if known.map:
        found["map.png"] = partial(data_map, known.map)
    return {name: _address(drawing) for name, drawing in found.items()}


def _address(drawing: "Callable[[], Figure]") -> str:
    file = BytesIO()
    save(drawing, file)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
