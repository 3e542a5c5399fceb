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

    Four-point Lagrange in the logarithm of E - threshold; from zero at the threshold to the first energy.
    """
    over = ENERGIES - thresholds[..., None]
    spacing = np.log(OVER_THRESHOLD[1] / OVER_THRESHOLD[0])
    x = np.log(np.maximum(over, 1e-9) / OVER_THRESHOLD[0]) / spacing
    first = np.clip(np.floor(x).astype(np.intp) - 1, 0, OVER_THRESHOLD.size - 4)
    d = x - first
    inside = np.zeros_like(x)
    for i, weight in enumerate(_lagrange(d)):
        inside += weight * np.take_along_axis(kernel, first + i, axis=-1)
    below = kernel[..., :1] * over / OVER_THRESHOLD[0]
    return np.where(over > 0.0, np.where(x < 0.0, below, np.maximum(inside, 0.0)), 0.0)


def _lagrange(d: Array) -> tuple[Array, Array, Array, Array]:
    """Weights of nodes at 0, 1, 2 and 3 for places d."""
    a, b, c = d - 1.0, d - 2.0, d - 3.0
    return -a * b * c / 6.0, d * b * c / 2.0, -d * a * c / 2.0, d * a * b / 6.0
