"""Whether the disk has room for a chain: said before a run, not first when it is full."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from globalfit.fit import Fit

COPIES = 2  # the journal and the view published from it; an old view stands until the new one is whole


def bytes_needed(fit: Fit, steps: int, ensembles: int) -> int:
    """Return the bytes that so many steps of a run take on the disk while it goes on, without compression."""
    row = fit.posterior.space.dim + 1 + len(fit.posterior.blob_names)
    return 8 * row * fit.sampler.walkers * ensembles * steps * (COPIES + 1)


def lack_of_room(path: Path, fit: Fit, steps: int, ensembles: int) -> str:
    """Return a line with the numbers if the disk is too small for so many more steps, else nothing."""
    needed, free = bytes_needed(fit, steps, ensembles), shutil.disk_usage(path.resolve().parent).free
    if needed <= free:
        return ""
    return (
        f"{steps} steps take up to {needed / 1e9:.1f} GB beside '{path.name}', and {free / 1e9:.1f} GB are "
        "free; on a full disk the run stops, nothing is lost, and goes on when there is room"
    )
