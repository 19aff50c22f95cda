"""hubexpert: from K labelled examples to a published mixture of open LoRA experts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubexpert.moe.adapter import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` on first use: it needs torch, and `import hubexpert` must not."""
    if name == "load":
        from hubexpert.moe.adapter import load

        return load
    raise AttributeError(f"module 'hubexpert' has no attribute {name!r}")
