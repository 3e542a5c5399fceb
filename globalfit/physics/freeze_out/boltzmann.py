"""The Boltzmann equation of freeze-out, and the relic abundance.

With Y = n/s, x = m/T and l = ln x (P. Gondolo, G. Gelmini, Nucl. Phys. B 360 (1991) 145, eqs. 2.24-2.27)

    dY/dl = -A (Y^2 - Y_eq^2),   A = sqrt(pi/45) M_Pl m g*^{1/2} <sigma v>/x.

Y = P/Q turns this Riccati equation into the linear system P' = A Y_eq^2 Q, Q' = A P. A step is the exponential of
its fourth-order Magnus expansion, from two Gauss points: a ratio of positive terms at any stiffness, and the exact
tanh step where A and Y_eq are constant. Beyond `X_FROZEN` Y_eq is nil and 1/Y grows by int A dl.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import Final

import numpy as np
from scipy.special import kve

from globalfit.arrays import Array, readonly
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.freeze_out.degrees_of_freedom import T_MAX, T_MIN, root_and_h

M_PLANCK: Final = 1.220890e22  # MeV, G^-1/2, CODATA 2022
ENTROPY_TODAY: Final = 2891.2  # cm^-3 at T = 2.7255 K, PDG
CRITICAL_DENSITY: Final = 1.053672e-2  # rho_c/h^2 in MeV cm^-3, PDG
SIGMA_V_CM3_S: Final = (HBARC_MEV_M * 1e2) ** 2 * 2.99792458e10  # 1 MeV^-2 in cm^3/s

X_START: Final = 1.0
X_FROZEN: Final = 64.0
X_END: Final = 3.0e4
G_ETA: Final = 2.0  # spin states of a Majorana fermion


def _k2_series() -> tuple[float, ...]:
    """Chebyshev fit of e^u K2(u) sqrt(2u/pi) as a polynomial in 1/u on 0 < 1/u <= 1."""
    r = 0.5 * (1.0 + np.cos(pi * (np.arange(64) + 0.5) / 64))
    fit = np.polynomial.Chebyshev.fit(r, kve(2, 1.0 / r) * np.sqrt(2.0 / (pi * r)), 10, domain=[0.0, 1.0])
    return tuple(float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


_K2_SERIES: Final = _k2_series()


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps in ln x, two Gauss points each, then Gauss points of the tail.

    Parameters
    ----------
    x : array (2 k + t,)
        All temperatures: the early and the late points of the steps alternate, the tail follows.
    length : array (k,)
        Step lengths in ln x.
    tail : array (t,)
        Weights in ln x from `X_FROZEN` to the end.
    """

    x: Array
    length: Array
    tail: Array


@lru_cache(maxsize=8)
def steps(
    early: int = 10, middle: int = 50, late: int = 6, panels: int = 3, points: int = 8, x_end: float = X_END
) -> Steps:
    """Return the steps: `early` up to x = 10, `middle` to 40, `late` to 64, then `panels` of Gauss points."""
    edges = np.concatenate(
        [
            np.linspace(np.log(X_START), np.log(10.0), early + 1)[:-1],
            np.log(np.linspace(10.0, 40.0, middle + 1))[:-1],
            np.linspace(np.log(40.0), np.log(X_FROZEN), late + 1),
        ]
    )
    length = np.diff(edges)
    offset = length * 3.0**0.5 / 6.0
    centre = 0.5 * (edges[1:] + edges[:-1])
    both = np.column_stack([centre - offset, centre + offset]).ravel()
    t, w = np.polynomial.legendre.leggauss(points)
    cuts = np.linspace(np.log(X_FROZEN), np.log(x_end), panels + 1)
    half = 0.5 * np.diff(cuts)[:, None]
    tail = (cuts[:-1, None] + half * (t + 1.0)).ravel()
    return Steps(
        readonly(np.exp(np.concatenate([both, tail]))), readonly(length), readonly((half * w).ravel())
    )


@dataclass(frozen=True, eq=False)
class FreezeOut:
    """The solution at n points.

    Parameters
    ----------
    yield_today : array (n,)
        Y = n/s at the end, all species together.
    x_freeze_out : array (n,)
        x at which Y leaves equilibrium: Y = 2.5 Y_eq, to the length of a step.
    largest_rate : array (n,)
        Largest n_eq <sigma v>/H: below one the particles never were in equilibrium.
    """

    yield_today: Array
    x_freeze_out: Array
    largest_rate: Array


def solve(m: Array, kappa: Array, sigma_v: Array, grid: Steps) -> FreezeOut:
    """Solve the Boltzmann equation from equilibrium.

    Parameters
    ----------
    m : array (n,)
        Mass of the lighter particle in MeV.
    kappa : array (n, grid.x.size)
        `effective_k2` of the particles that freeze out together.
    sigma_v : array (n, grid.x.size)
        Thermal average in MeV^-2 at m/T = grid.x.
    grid : Steps
        The steps.

    Notes
    -----
    Where m/x is above the range of g*(T) its last value stands; `check_range` refuses masses for which this
    matters.
    """
    x = grid.x
    ln_t = np.log(m)[:, None] - np.log(x)
    root, h = root_and_h(ln_t)
    rate = (pi / 45.0) ** 0.5 * M_PLANCK * m[:, None] * root * sigma_v / x  # A
    k = 2 * grid.length.size
    x_k = x[:k]
    equilibrium = (45.0 * G_ETA / (4.0 * pi**4) * x_k**2 * np.exp(-x_k)) * kappa[:, :k] / h[:, :k]
    q = np.ascontiguousarray(rate[:, :k].T)
    e = np.ascontiguousarray(equilibrium.T)
    p = q * e**2
    length = grid.length[:, None]
    off_p, off_q = 0.5 * length * (p[::2] + p[1::2]), 0.5 * length * (q[::2] + q[1::2])
    diagonal = 3.0**0.5 / 12.0 * length**2 * (p[1::2] * q[::2] - p[::2] * q[1::2])
    omega = np.sqrt(diagonal**2 + off_p * off_q)
    th = np.where(omega > 1e-8, np.tanh(omega) / np.maximum(omega, 1e-300), 1.0)
    up, down, gain, loss = 1.0 + diagonal * th, 1.0 - diagonal * th, off_p * th, off_q * th
    y = equilibrium[:, 0].copy()
    frozen = np.full(m.shape, X_FROZEN)
    waiting = np.ones(m.shape, dtype=bool)
    for i in range(grid.length.size):
        y = (y * up[i] + gain[i]) / (down[i] + y * loss[i])
        left = waiting & (y > 2.5 * e[2 * i + 1])
        frozen[left] = x[2 * i + 1]
        waiting &= ~left
    y = 1.0 / (1.0 / y + rate[:, k:] @ grid.tail)
    largest = np.max(rate[:, :k] * equilibrium, axis=1)  # A Y_eq is n_eq <sigma v>/H but for dln h/dln T
    return FreezeOut(y, frozen, largest)


def effective_k2(gap: Array, x: Array) -> Array:
    """Return kappa = e^x sum_i (m_i/m)^2 K2(m_i x/m) (n, t) for masses m and m (1 + gap), at x (t,) >= 1."""
    ratio = 1.0 + gap[:, None]
    return k2e(x) + ratio**2 * k2e(ratio * x) * np.exp(-gap[:, None] * x)


def k2e(u: Array) -> Array:
    """Return e^u K2(u) for u >= 1, to 1e-9: sqrt(pi/2u) times a polynomial in 1/u."""
    r = 1.0 / u
    series = np.full_like(r, _K2_SERIES[-1])
    for coefficient in _K2_SERIES[-2::-1]:
        series *= r
        series += coefficient
    return np.sqrt(0.5 * pi * r) * series


def omega_h2(m: Array, yield_today: Array) -> Array:
    """Return Omega h^2 (n,) = m Y s_0/(rho_c/h^2) of particles of mass `m` (n,) in MeV."""
    return m * yield_today * ENTROPY_TODAY / CRITICAL_DENSITY


def in_range(m: Array) -> Array:
    """Return whether g*(T) is known from freeze-out (x > 8) to the end for particles of mass `m` (n,)."""
    known: Array = (m / 8.0 <= T_MAX) & (m / X_END >= T_MIN)
    return known
