"""hubexpert: from K labelled examples to a published mixture of open LoRA experts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubexpert.moe.adapter import load as load
    from hubexpert.retrieval import open_knowledge as open_knowledge

__version__ = "0.1.0"
__all__ = ["__version__", "load", "open_knowledge"]


def __getattr__(name: str) -> Any:
    """Import these on first use: they need torch, and `import hubexpert` must not."""
    if name == "load":
        from hubexpert.moe.adapter import load

        return load
    if name == "open_knowledge":
        from hubexpert.retrieval import open_knowledge

        return open_knowledge
    raise AttributeError(f"module 'hubexpert' has no attribute {name!r}")
