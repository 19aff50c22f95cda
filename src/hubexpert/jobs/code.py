"""Which hubexpert a job installs: a release, a commit, or, of a checkout, a wheel of what runs here."""

import base64
import hashlib
import json
import os
import zipfile
from importlib.metadata import Distribution, distribution, version
from pathlib import Path
from typing import Any

NAME = "hubexpert"
PACKAGE = Path(__file__).parents[1]
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file, so that equal contents make equal wheels
WHEEL = "Wheel-Version: 1.0\nGenerator: hubexpert\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def origin() -> dict[str, Any]:
    """Where this hubexpert was installed from, as in `direct_url.json` (PEP 610); empty where it was an index."""
    found = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    return found if isinstance(found, dict) else {}


def is_checkout(place: dict[str, Any]) -> bool:
    """Whether it was installed from files of this machine, which no job can have."""
    return str(place.get("url", "")).startswith("file:")


def requirement(extras: list[str], place: dict[str, Any], wheel: str | None) -> str:
    """What pip installs.

    Args:
        extras: names of extras.
        place: as `origin` gives it.
        wheel: the path of a wheel, where one is sent.
    """
    wanted, source = f"{NAME}[{','.join(extras)}]", place.get("vcs_info", {})
    if wheel:
        return f"{wheel}[{','.join(extras)}]"
    if source.get("vcs") == "git" and "@" not in place["url"]:  # a password may stand before it
        return f"{wanted} @ git+{place['url']}@{source['commit_id']}"
    return f"{wanted}=={version(NAME)}"


def write_wheel(folder: Path) -> str:
    """Write the package that runs here as a wheel into the folder; its name. Equal contents make equal bytes."""
    told = distribution(NAME)
    stem = f"{NAME}-{told.version}"
    contents = {f"{NAME}/{name}": path.read_bytes() for name, path in _files()}
    contents |= {f"{stem}.dist-info/{name}": text.encode() for name, text in _metadata(told).items()}
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in contents.items()]
    contents[record] = "".join([*lines, f"{record},,\n"]).encode()
    name = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return name


def _metadata(told: Distribution) -> dict[str, str]:
    names = ("METADATA", "entry_points.txt")
    return {"WHEEL": WHEEL, **{name: told.read_text(name) or "" for name in names}}


def _files() -> list[tuple[str, Path]]:
    """The package's files by their paths from its folder; the templates may be reached by a link."""
    found = []
    for folder, _, names in os.walk(PACKAGE, followlinks=True):
        place = Path(folder)
        found += [(place / name).relative_to(PACKAGE).as_posix() for name in names if place.name != "__pycache__"]
    return [(name, PACKAGE / name) for name in sorted(found)]


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
