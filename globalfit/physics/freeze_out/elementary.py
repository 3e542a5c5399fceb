"""Elementary functions of many values, at the least cost."""

from __future__ import annotations

from typing import Final

import numpy as np

from globalfit.arrays import Array

LEAST: Final = -600.0  # exponent; numbers below 1e-308 lose digits and take the processor many times as long


def exp(exponent: Array) -> Array:
    """Return exp of an array, in place; what is below `LEAST` counts as that, 1e-261."""
    np.maximum(exponent, LEAST, out=exponent)
    return np.exp(exponent, out=exponent)


def inverse_powers(values: Array, first: float, count: int) -> Array:
    """Return values^(-first - k) (n, count), k from 0 on; without the general power of numpy, but for one."""
    found = np.empty((count, values.size))
    found[0] = values**-first
    found[1:] = 1.0 / values
    np.multiply.accumulate(found, axis=0, out=found)
    return found.T
