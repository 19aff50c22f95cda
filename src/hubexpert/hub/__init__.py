"""The door to the Hub: every byte from or to it passes here, through `huggingface_hub`.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and the rest hold because `huggingface_hub` reads them. What goes
wrong is raised as `HubExpertError` with a fix; as `SourceError` where only one repository is at fault.
"""

from hubexpert.hub.calls import SourceError, endpoint, offline, show_progress
from hubexpert.hub.datasets import DatasetListing, look_dataset, search_datasets
from hubexpert.hub.fetch import download, read_json, snapshot, weights_header
from hubexpert.hub.look import Listing, RepoFiles, listing, look, repo_files, resolve
from hubexpert.hub.publishing import publish
from hubexpert.hub.rows import can_read_rows, first_rows

__all__ = [
    "DatasetListing",
    "Listing",
    "RepoFiles",
    "SourceError",
    "can_read_rows",
    "download",
    "endpoint",
    "first_rows",
    "listing",
    "look",
    "look_dataset",
    "offline",
    "publish",
    "read_json",
    "repo_files",
    "resolve",
    "search_datasets",
    "show_progress",
    "snapshot",
    "weights_header",
]
