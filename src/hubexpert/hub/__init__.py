"""The door to the Hub: every byte from or to it passes here, through `huggingface_hub`.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and the rest hold because `huggingface_hub` reads them. What goes
wrong is raised as `HubExpertError` with a fix; as `SourceError` where only one repository is at fault.
"""

from hubexpert.hub.cache import cache_folder, identity
from hubexpert.hub.calls import SourceError, endpoint, offline, show_progress
from hubexpert.hub.card import card_fault
from hubexpert.hub.changes import FileChange
from hubexpert.hub.datasets import DatasetListing, look_dataset, search_datasets
from hubexpert.hub.fetch import Header, assets, cached, download, forget, read_json, read_text, snapshot, weights_header
from hubexpert.hub.heads import Head, heads, newest
from hubexpert.hub.look import Listing, ModelPage, kept, look, model_pages, resolve, search, titles
from hubexpert.hub.pace import Pace
from hubexpert.hub.publishing import Comparison, compare, publish
from hubexpert.hub.rights import token
from hubexpert.hub.rows import PASSING, Spread, can_read_rows, first_rows, spread_rows
from hubexpert.hub.web import CursorError
from hubexpert.hub.whole import every_row

__all__ = [
    "PASSING",
    "Comparison",
    "CursorError",
    "DatasetListing",
    "FileChange",
    "Head",
    "Header",
    "Listing",
    "ModelPage",
    "Pace",
    "SourceError",
    "Spread",
    "assets",
    "cache_folder",
    "cached",
    "can_read_rows",
    "card_fault",
    "compare",
    "download",
    "endpoint",
    "every_row",
    "first_rows",
    "forget",
    "heads",
    "identity",
    "kept",
    "look",
    "look_dataset",
    "model_pages",
    "newest",
    "offline",
    "publish",
    "read_json",
    "read_text",
    "resolve",
    "search",
    "search_datasets",
    "show_progress",
    "snapshot",
    "spread_rows",
    "titles",
    "token",
    "weights_header",
]
