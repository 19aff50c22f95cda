"""The door to the Hub: every byte from or to it passes here, through `huggingface_hub`.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE` and the rest hold because `huggingface_hub` reads them. What goes
wrong is raised as `HubExpertError` with a fix; as `SourceError` where only one repository is at fault.
"""

from hubexpert.hub.calls import SourceError, endpoint, offline, show_progress
from hubexpert.hub.fetch import assets, download, read_json, snapshot, weights_header
from hubexpert.hub.look import Listing, RepoFiles, listing, look, repo_files, resolve
from hubexpert.hub.publishing import publish

__all__ = [
    "Listing",
    "RepoFiles",
    "SourceError",
    "assets",
    "download",
    "endpoint",
    "listing",
    "look",
    "offline",
    "publish",
    "read_json",
    "repo_files",
    "resolve",
    "show_progress",
    "snapshot",
    "weights_header",
]
