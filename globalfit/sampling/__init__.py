"""Walkers: where they start, how they move, when a run is long enough."""

from __future__ import annotations

import sys
from typing import Any


def _import_emcee() -> None:
    """Import emcee without scipy.stats, two thirds of a run's start-up, which `KDEMove` alone needs."""
    if "emcee" in sys.modules or "scipy.stats" in sys.modules:
        return
    sys.modules["scipy.stats"] = None  # type: ignore[assignment]  # emcee takes this for "not installed"
    try:
        import emcee.moves.kde as kde
    finally:
        del sys.modules["scipy.stats"]
    kde.gaussian_kde = _gaussian_kde


def _gaussian_kde(*args: Any, **options: Any) -> Any:
    """Return scipy's, imported when `KDEMove` first asks for it."""
    from scipy.stats import gaussian_kde

    return gaussian_kde(*args, **options)


_import_emcee()
