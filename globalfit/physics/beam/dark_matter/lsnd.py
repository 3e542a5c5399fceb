"""The axes of LSND's tables: energies of chi near its threshold, where MiniBooNE's shapes do not apply."""

from __future__ import annotations

from typing import Final

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.physics.beam.grid import CENTRES

BINS: Final = 58  # of the energy grid: chi of 800 MeV protons, up to 900 MeV
ENERGIES: Final = readonly(CENTRES[:BINS])
OVER_THRESHOLD: Final = readonly(np.geomspace(0.1, 900.0, 28))  # MeV


def at_energies(kernel: Array, thresholds: Array) -> Array:
    """Return kernels (n, parts, BINS) on the energy grid from those (n, parts, 28) over threshold.

    Linear in the logarithm of E - threshold; from zero at the threshold to the first energy.
    """
    over = ENERGIES - thresholds[..., None]
    x = np.log(np.maximum(over, 1e-9) / OVER_THRESHOLD[0]) / np.log(OVER_THRESHOLD[1] / OVER_THRESHOLD[0])
    left = np.clip(x.astype(np.intp), 0, OVER_THRESHOLD.size - 2)
    share = np.clip(x - left, 0.0, 1.0)
    low = np.take_along_axis(kernel, left, axis=-1)
    high = np.take_along_axis(kernel, left + 1, axis=-1)
    inside = low + share * (high - low)
    return np.where(over > 0.0, np.where(x < 0.0, kernel[..., :1] * over / OVER_THRESHOLD[0], inside), 0.0)
