"""Chain files: writing, reading, diagnosing, summarising and drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain

__all__ = ["Chain"]


def __getattr__(name: str) -> Any:
    """Import `Chain` when it is first asked for: h5py and pandas-like tools are slow to load."""
    if name == "Chain":
        from globalfit.chains.chain import Chain

        return Chain
    raise AttributeError(name)
