"""Which names of repositories, files and revisions are accepted.

The rules for repositories are those of `huggingface_hub.utils.validate_repo_id`. They are repeated here because
importing `huggingface_hub` fixes `HF_ENDPOINT` for the whole process, before an in-process server has an address.
"""

import re

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_HEX = re.compile(r"[0-9a-f]{7,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

# First segments of the server's own addresses: a user of that name would hide them.
_RESERVED = frozenset({"api", "datasets", "models", "spaces", "kernels", "buckets", "lfs", "oauth"})


def is_namespace(name: str) -> bool:
    """Whether `name` can be a user or an organisation."""
    return bool(_PART.fullmatch(name)) and ".." not in name and "--" not in name and name not in _RESERVED


def is_repo_id(repo_id: str) -> bool:
    """Whether `repo_id` is a `namespace/name` the client would accept, too."""
    namespace, slash, name = repo_id.partition("/")
    return (
        bool(slash)
        and is_namespace(namespace)
        and bool(_PART.fullmatch(name))
        and ".." not in name
        and "--" not in name
        and not name.endswith(".git")
    )


def is_file_path(path: str) -> bool:
    """Whether `path` can name a file in a repository: relative, `/` between segments, nothing that climbs or hides."""
    if not path or len(path) > 1024 or _CONTROL.search(path) or not path.isprintable():
        return False
    segments = path.split("/")
    return all(s not in ("", ".", "..") and s.lower() != ".git" and len(s.encode()) <= 255 for s in segments)


def is_ref_name(name: str) -> bool:
    """Whether `name` can be a branch or a tag: nothing that climbs, and no whole commit id."""
    return (
        bool(_REF.fullmatch(name))
        and ".." not in name
        and "//" not in name
        and not name.endswith(("/", ".", ".lock"))
        and name.split("/")[0] != "refs"
        and not (len(name) == 40 and _HEX.fullmatch(name))
    )


def is_sha256(text: str) -> bool:
    """Whether `text` is a sha256 as it is written here."""
    return bool(_SHA256.fullmatch(text))


def is_commit_id(revision: str) -> bool:
    """Whether `revision` reads as a commit id, whole or cut short (seven digits or more)."""
    return bool(_HEX.fullmatch(revision))
