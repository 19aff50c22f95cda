"""The README.md of an export: what it is, which mixture it comes from, and what was lost on the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from markupsafe import Markup

from hubexpert import __version__
from hubexpert.escape import REPO_ID, code, link, shown_name
from hubexpert.page import render
from hubexpert.records import Source
from hubexpert.snippets import VLLM_RANKS


@dataclass(frozen=True)
class Exported:
    """What an export wrote; what does not apply to its form is None.

    `error` is ‖ΔW - ΔW_R‖ / ‖ΔW‖ over all modules, `worst_error` that of `worst_module` alone; `expert` is
    repo@revision, or `shared`.
    """

    form: Literal["static", "expert", "merged"]
    modules: int
    rank: int | None = None
    even: bool = True  # whether all modules have that rank in the file
    error: float | None = None
    worst_module: str | None = None
    worst_error: float | None = None
    expert: str | None = None
    dtype: str | None = None


def write_export_card(
    made: Exported, folder: Path, *, mixture: Source | str, base: Source | str, endpoint: str
) -> None:
    """Write README.md into the folder of the export.

    Args:
        made: what was written.
        folder: where it lies.
        mixture: where it comes from: the repository at its commit, or a name.
        base: the base at its commit, or the name that the adapter gives it.
        endpoint: of the Hub that the links point to.
    """
    text = render(
        "export_card.md",
        made=made,
        metadata=Markup(_metadata(made, base)),  # noqa: S704 - YAML by a library, outside the page
        mixture=_named(mixture, endpoint),
        base=_named(base, endpoint),
        expert=_expert(made.expert, endpoint) if made.expert else None,
        lost=f"{100 * made.error:.2g} %" if made.error else None,
        worst_lost=f"{100 * made.worst_error:.2g} %" if made.worst_error else None,
        vllm_rank=next((allowed for allowed in VLLM_RANKS if allowed >= (made.rank or 0)), None),
        version=__version__,
    )
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")


def _metadata(made: Exported, base: Source | str) -> str:
    """What the Hub reads: the base, and how the files are loaded."""
    name = base.repo if isinstance(base, Source) else base
    known = isinstance(base, Source) or "/" in name  # a bare name may be a folder's
    facts: dict[str, Any] = {}
    if known and REPO_ID.fullmatch(name):
        facts = {"base_model": name, "base_model_relation": "finetune" if made.form == "merged" else "adapter"}
    facts["library_name"] = "transformers" if made.form == "merged" else "peft"
    facts |= {
        "pipeline_tag": "text-generation",
        "tags": ["hubexpert"] if made.form == "merged" else ["hubexpert", "lora"],
    }
    return yaml.safe_dump(facts, sort_keys=False)


def _named(what: Source | str, endpoint: str) -> Markup:
    return link(what, endpoint) if isinstance(what, Source) else code(shown_name(what))


def _expert(name: str, endpoint: str) -> Markup:
    """The expert's repository; its commit is part of the name where it has one."""
    repo, _, revision = name.rpartition("@")
    return _named(at_commit(repo, revision) if repo else name, endpoint)


def at_commit(repo: str, revision: str | None) -> Source | str:
    """The source, or the name alone where the commit is not known or none."""
    hexadecimal = revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef")
    return Source(repo=repo, revision=revision) if hexadecimal else repo
