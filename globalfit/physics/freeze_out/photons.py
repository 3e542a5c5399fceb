"""phi' -> gamma gamma at many energies: the loop function of `decays.fermion_loop` from a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.constants import ALPHA
from globalfit.physics.decays import fermion_loop

LOWEST: Final = float(np.log(1e-3))
_HIGH: Final = float(np.log(1e4))
_POINTS: Final = 131072
STEP: Final = (_POINTS - 1) / (_HIGH - LOWEST)  # entries per unit of ln(m/m_f)


def origin(m_f: float) -> float:
    """Return ln m at the first entry of the table for a fermion of mass `m_f` MeV."""
    return float(np.log(m_f)) + LOWEST


def width_to_photons(m: Array, loops: Mapping[float, Array]) -> Array:
    """Return the width (n, k) of phi' -> gamma gamma at masses `m` (n, k), as `decays.scalar_to_photons`.

    Linear interpolation in ln(m/m_f) is good to 1e-6 of the width, 1e-5 at m = 2 m_f; `m` is held at 1e-3 and
    1e4 m_f.

    Parameters
    ----------
    m : array (n, k)
        Masses in MeV.
    loops : mapping of float to array (n, 1)
        {mass of the fermion in MeV: N_c Q^2 y/m_f in 1/MeV}.
    """
    if len(loops) == 1:
        ((m_f, weight),) = loops.items()
        left, at = _place(np.log(m), m_f)
        sizes, differences = _sizes()
        alone = sizes[left]
        at *= differences[left]
        alone += at
        alone *= ALPHA**2 / (256.0 * pi**3) * weight**2
        alone *= m * m
        alone *= m
        return alone
    ln_m = np.log(m)
    amplitude: Array | NDArray[np.complex128] = np.zeros(())
    for m_f, weight in loops.items():
        left, at = _place(ln_m, m_f)
        values, slopes, imaginary_from = _table()
        amplitude = amplitude + weight * (values[left] + at * slopes[left] if left.max() >= imaginary_from
                                          else values.real[left] + at * slopes.real[left])  # fmt: skip
    size: Array = amplitude.real**2 + amplitude.imag**2 if np.iscomplexobj(amplitude) else amplitude.real**2
    size *= ALPHA**2 / (256.0 * pi**3) * (m * m)
    size *= m
    return size


def _place(ln_m: Array, m_f: float) -> tuple[NDArray[np.int32], Array]:
    """Return the entry of the table before m/m_f, and where between it and the next."""
    at = (ln_m - origin(m_f)) * STEP
    left = at.astype(np.int32)
    np.clip(left, 0, _POINTS - 2, out=left)
    at -= left
    return left, at


@lru_cache(maxsize=1)
def _sizes() -> tuple[Array, Array]:
    """|A_{1/2}|^2 over ln(m/m_f), and its differences: what a single fermion needs."""
    values, _, _ = _table()
    sizes = values.real**2 + values.imag**2
    return sizes, np.append(np.diff(sizes), 0.0)


@lru_cache(maxsize=1)
def flat_tables() -> tuple[Array, Array]:
    """Return |A_{1/2}|^2 (entries, 2), real and imaginary part (entries, 4), each with differences."""
    values, slopes, _ = _table()
    parts = (values.real, slopes.real, values.imag, slopes.imag)
    return np.stack(_sizes(), axis=1), np.stack(parts, axis=1)


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.complex128], NDArray[np.complex128], int]:
    """A_{1/2} over ln(m/m_f), its differences, and the entry from which it is complex."""
    ratio = np.exp(np.linspace(LOWEST, _HIGH, _POINTS))
    values = fermion_loop(ratio, 1.0)
    slopes = np.append(np.diff(values), 0.0)
    return values, slopes, int(np.argmax(ratio > 2.0)) - 1
