"""The door to the Hub: every byte from or to it passes here, through `huggingface_hub`.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and the rest hold because `huggingface_hub` reads them. What goes
wrong is raised as `HubExpertError` with a fix; as `SourceError` where only one repository is at fault.
"""

from hubexpert.hub.cache import cache_folder, identity, kept
from hubexpert.hub.calls import SourceError, endpoint, offline, show_progress
from hubexpert.hub.card import card_fault
from hubexpert.hub.datasets import DatasetListing, look_dataset, search_datasets
from hubexpert.hub.fetch import Header, assets, cached, download, forget, read_json, read_text, snapshot, weights_header
from hubexpert.hub.folders import Kept, is_safe, keep_folder, kept_file, kept_folder
from hubexpert.hub.heads import Head, adapter_heads, heads, newest, titles
from hubexpert.hub.jobs import (
    LIVE,
    WAITING,
    Job,
    cancel_job,
    hourly_price,
    job_after,
    live_job,
    log_lines,
    look_job,
    own_namespace,
    start_job,
)
from hubexpert.hub.listing import Listing
from hubexpert.hub.look import look, model_pages, resolve, search, see_open
from hubexpert.hub.pace import Pace
from hubexpert.hub.publishing import Comparison, compare, publish
from hubexpert.hub.rights import require_token, token
from hubexpert.hub.rows import PASSING, Spread, can_read_rows, first_rows, spread_rows
from hubexpert.hub.web import CursorError
from hubexpert.hub.whole import every_row

__all__ = [
    "LIVE",
    "PASSING",
    "WAITING",
    "Comparison",
    "CursorError",
    "DatasetListing",
    "Head",
    "Header",
    "Job",
    "Kept",
    "Listing",
    "Pace",
    "SourceError",
    "Spread",
    "adapter_heads",
    "assets",
    "cache_folder",
    "cached",
    "can_read_rows",
    "cancel_job",
    "card_fault",
    "compare",
    "download",
    "endpoint",
    "every_row",
    "first_rows",
    "forget",
    "heads",
    "hourly_price",
    "identity",
    "is_safe",
    "job_after",
    "keep_folder",
    "kept",
    "kept_file",
    "kept_folder",
    "live_job",
    "log_lines",
    "look",
    "look_dataset",
    "look_job",
    "model_pages",
    "newest",
    "offline",
    "own_namespace",
    "publish",
    "read_json",
    "read_text",
    "require_token",
    "resolve",
    "search",
    "search_datasets",
    "see_open",
    "show_progress",
    "snapshot",
    "spread_rows",
    "start_job",
    "titles",
    "token",
    "weights_header",
]
