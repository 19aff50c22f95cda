"""The JSON in which a repository, its files, its commits and its discussions are shown."""

import hashlib
from collections.abc import Mapping
from typing import Any

from hubexpert.localhub.discussions import Discussion
from hubexpert.localhub.gitids import pointer
from hubexpert.localhub.records import Commit, FileEntry, Files, Repo
from hubexpert.localhub.trees import Node

LISTED = {
    "model": ("likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt", "trendingScore"),
    "dataset": (
        *("author", "disabled", "gated", "lastModified", "likes", "private", "sha", "downloads", "tags"),
        *("createdAt", "trendingScore"),
    ),
}
LISTED_FULL = {
    "model": ("author", "sha", "lastModified", "gated", "disabled", "siblings"),
    "dataset": ("cardData", "siblings"),
}
SHOWN = {
    "model": (
        *("author", "sha", "lastModified", "private", "gated", "disabled", "pipeline_tag", "library_name", "tags"),
        *("downloads", "likes", "model-index", "config", "cardData", "siblings", "spaces", "createdAt", "safetensors"),
        "usedStorage",
    ),
    "dataset": (
        *("author", "sha", "lastModified", "private", "gated", "disabled", "tags", "downloads", "likes", "cardData"),
        *("siblings", "createdAt", "usedStorage"),
    ),
}
# Answered for one repository, refused in listings, as on the Hub.
ONLY_SHOWN = ("baseModels", "childrenModelCount", "usedStorage")


def properties(repo: Repo, summary: Mapping[str, Any], sha: str) -> dict[str, Any]:
    """Everything that `expand` can name for a repository, except what takes a query of its own."""
    shared = {
        "author": repo.author,
        "cardData": summary["cardData"],
        "createdAt": repo.created,
        "disabled": False,
        "downloads": repo.downloads,
        "downloadsAllTime": repo.downloads,
        "gated": repo.gated or False,
        "lastModified": repo.modified,
        "likes": 0,
        "private": repo.private,
        "resourceGroup": None,
        "sha": sha,
        "siblings": [{"rfilename": name} for name in summary["siblings"]],
        "tags": summary["tags"],
        "trendingScore": 0,
        "usedStorage": summary["size"],
    }
    card = summary["cardData"] or {}
    if repo.type == "dataset":
        return shared | {
            "citation": None,
            "description": card.get("description"),
            "mainSize": summary["size"],
            "paperswithcode_id": card.get("paperswithcode_id"),
        }
    return shared | {
        "config": summary["config"],
        "evalResults": None,
        "gguf": None,
        "inference": None,
        "inferenceProviderMapping": None,
        "library_name": summary["library_name"],
        "mask_token": None,
        "model-index": card.get("model-index"),
        "pipeline_tag": summary["pipeline_tag"],
        "safetensors": summary["safetensors"],
        "spaces": [],
        "transformersInfo": None,
        "widgetData": card.get("widget"),
    }


def identity(repo: Repo) -> dict[str, Any]:
    """What every answer about a repository begins with."""
    internal = hashlib.sha256(f"{repo.type} {repo.key}".encode()).hexdigest()[:24]
    return {"_id": internal, "id": repo.id} | ({"modelId": repo.id} if repo.type == "model" else {})


def siblings(files: Files) -> list[dict[str, Any]]:
    """Files as the members of `siblings` with `blobs=true`."""
    return [_sibling(path, files[path]) for path in sorted(files)]


def _sibling(path: str, entry: FileEntry) -> dict[str, Any]:
    shown: dict[str, Any] = {"rfilename": path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        shown["lfs"] = {"sha256": entry.sha256, **_lfs_sizes(entry)}
    return shown


def node(item: Node, trees: Mapping[str, str], last: Commit | None) -> dict[str, Any]:
    """A file or folder as the tree and paths-info endpoints show it."""
    shown: dict[str, Any]
    if item.entry is None:
        shown = {"type": "directory", "oid": trees[item.path], "size": 0, "path": item.path}
    else:
        shown = {"type": "file", "oid": item.entry.oid, "size": item.entry.size, "path": item.path}
        if item.entry.lfs:
            shown["lfs"] = {"oid": item.entry.sha256, **_lfs_sizes(item.entry)}
    if last is not None:
        shown["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return shown


def commit(item: Commit) -> dict[str, Any]:
    """A commit as the commits endpoint shows it."""
    return {
        "id": item.oid,
        "title": item.title,
        "message": item.message,
        "authors": [{"user": item.author}],
        "date": item.date,
    }


def discussion(item: Discussion, repo: Repo) -> dict[str, Any]:
    """A discussion as the list of discussions shows it."""
    return {
        "num": item.num,
        "title": item.title,
        "author": {"name": item.author},
        "createdAt": item.created,
        "status": item.status,
        "isPullRequest": item.is_pull_request,
        "repo": {"name": repo.id, "type": repo.type},
        "numComments": sum(event["type"] == "comment" for event in item.events),
    }


def _lfs_sizes(entry: FileEntry) -> dict[str, int]:
    return {"size": entry.size, "pointerSize": len(pointer(entry.sha256, entry.size))}
