"""The Boltzmann equation of freeze-out, and the relic abundance.

With Y = n/s and x = m/T (P. Gondolo, G. Gelmini, Nucl. Phys. B 360 (1991) 145, eqs. 2.24-2.27)

    dY/dx = -A (Y^2 - Y_eq^2),   A = sqrt(pi/45) M_Pl m g*^{1/2} <sigma v>/x^2.

For W = Y/Y_eq, b = A Y_eq and c = -dln Y_eq/dx it is W' = b - b W^2 + c W, and W = P/Q makes that linear:
(P, Q)' = [[c/2, b], [b, -c/2]] (P, Q). A step is the exponential of the fourth-order Magnus expansion from
its ends and its middle, with int c known exactly: it keeps the lag behind equilibrium however stiff the
equation is, and freeze-out through a rate that falls like exp(-7 x) too. Once Y_eq is nil 1/Y grows by
int A dx: beyond `X_FROZEN`, or where W has passed `FROZEN`. While b is large W follows its fixed point, from
where a window of steps may start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import kve

from globalfit.arrays import Array, Mask, readonly
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.freeze_out.degrees_of_freedom import root_and_h
from globalfit.physics.freeze_out.elementary import exp, inverse_powers

M_PLANCK: Final = 1.220890e22  # MeV, G^-1/2, CODATA 2022
ENTROPY_TODAY: Final = 2891.2  # cm^-3 at T = 2.7255 K, PDG
CRITICAL_DENSITY: Final = 1.053672e-2  # rho_c/h^2 in MeV cm^-3, PDG
SIGMA_V_CM3_S: Final = (HBARC_MEV_M * 1e2) ** 2 * 2.99792458e10  # 1 MeV^-2 in cm^3/s

X_START: Final = 1.0
X_FROZEN: Final = 64.0
X_END: Final = 3.0e4
G_ETA: Final = 2.0  # spin states of a Majorana fermion
DEPARTURE: Final = 2.5  # Y/Y_eq at freeze-out
FROZEN: Final = 300.0  # Y/Y_eq from which Y_eq^2 is left out: 1e-5 of Y^2, and falling like exp(-2 x)


def _k2_series() -> tuple[float, ...]:
    """Chebyshev fit of e^u K2(u) sqrt(2u/pi) as a polynomial in 1/u on 0 < 1/u <= 1."""
    r = 0.5 * (1.0 + np.cos(pi * (np.arange(64) + 0.5) / 64))
    fit = np.polynomial.Chebyshev.fit(r, kve(2, 1.0 / r) * np.sqrt(2.0 / (pi * r)), 8, domain=[0.0, 1.0])
    return tuple(float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


K2_SERIES: Final = _k2_series()


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps in x, then Gauss points of the tail.

    Parameters
    ----------
    x : array (2 k + 1 + t,)
        Where <sigma v> is needed: edges and middles of the k steps in turn, then the tail.
    count : int
        k, even.
    tail : array (t,)
        Weights in x from the last edge to the end.
    """

    x: Array
    count: int
    tail: Array

    @property
    def edges(self) -> Array:
        """The edges of the steps (k + 1,)."""
        return self.x[: 2 * self.count + 1 : 2]


@lru_cache(maxsize=64)
def steps(
    count: int = 96,
    power: float = 0.4,
    panels: int = 3,
    points: int = 6,
    x_end: float = X_END,
    first: int = 0,
    last: int | None = None,
) -> Steps:
    """Return steps `first` to `last` of `count`, uniform in x^power up to `X_FROZEN`, and the tail behind.

    The tail has one panel of 10 points up to `X_FROZEN`, then `panels` of `points` each, in ln x.
    """
    edges = np.linspace(X_START**power, X_FROZEN**power, count + 1) ** (1.0 / power)
    edges = edges[first : None if last is None else last + 1]
    early = np.empty(2 * edges.size - 1)
    early[::2], early[1::2] = edges, 0.5 * (edges[1:] + edges[:-1])
    cuts = np.linspace(np.log(X_FROZEN), np.log(x_end), panels + 1)
    parts = [_panels(cuts, points)]
    if edges[-1] < X_FROZEN * (1.0 - 1e-9):
        parts.insert(0, _panels(np.log(np.array([edges[-1], X_FROZEN])), 10))
    x = np.concatenate([early, *(x for x, _ in parts)])
    return Steps(readonly(x), edges.size - 1, readonly(np.concatenate([w for _, w in parts])))


def _panels(cuts: Array, points: int) -> tuple[Array, Array]:
    """Return Gauss points and weights in x of int dx, panels between `cuts` in ln x."""
    t, w = np.polynomial.legendre.leggauss(points)
    half = 0.5 * np.diff(cuts)[:, None]
    x = np.exp((cuts[:-1, None] + half * (t + 1.0)).ravel())
    return x, (half * w).ravel() * x


@dataclass(frozen=True, eq=False)
class FreezeOut:
    """The solution at n points.

    Parameters
    ----------
    yield_today : array (n,)
        Y = n/s at the end, all species together.
    left : array (n,) of int
        Index in x of the edge at which Y has left equilibrium, Y > `DEPARTURE` Y_eq.
    largest_rate : array (n,)
        Largest b x, about n_eq <sigma v>/H: below one the particles never were in equilibrium.
    last : array (n,)
        Y/Y_eq at the last edge.
    """

    yield_today: Array
    left: NDArray[np.intp]
    largest_rate: Array
    last: Array


@dataclass(frozen=True, eq=False)
class Relic:
    """The abundance of n points.

    Parameters
    ----------
    omega_h2 : array (n,)
        Abundance of eta_1 and eta_2, in the end all eta_1.
    sigma_v_freeze_out : array (n,)
        <sigma v> in cm^3/s at freeze-out.
    x_freeze_out : array (n,)
        m/T there.
    out_of_equilibrium : array (n,) of bool
        n_eq <sigma v> never exceeded H: the abundance depends on what came before, Omega h^2 here starts from
        equilibrium at T = m.
    """

    omega_h2: Array
    sigma_v_freeze_out: Array
    x_freeze_out: Array
    out_of_equilibrium: Mask

    @classmethod
    def of(cls, m: Array, sigma_v: Array, solution: FreezeOut, grid: Steps) -> Relic:
        """Return what `solve` has found, from <sigma v> (n, t) in MeV^-2 at grid.x."""
        at = solution.left
        return cls(
            omega_h2(m, solution.yield_today),
            sigma_v[np.arange(len(m)), at] * SIGMA_V_CM3_S,
            grid.x[at],
            solution.largest_rate < 1.0,
        )


def solve(m: Array, kappa: Array, sigma_v: Array, grid: Steps, *, following: bool = False) -> FreezeOut:
    """Solve the Boltzmann equation from equilibrium at the first edge.

    Parameters
    ----------
    m : array (n,)
        Mass of the lighter particle in MeV.
    kappa : array (n, grid.x.size)
        `effective_k2` of the particles that freeze out together, at grid.x.
    sigma_v : array (n, grid.x.size)
        Thermal average in MeV^-2 at m/T = grid.x.
    grid : Steps
        The steps.
    following : bool
        Start with the lag of a density that has followed equilibrium so far, for a large b; else at Y_eq.

    Notes
    -----
    Where m/x is above the range of g*(T) its last value stands: while Y follows Y_eq it does not matter.
    """
    x, last = grid.x, 2 * grid.count + 1
    rate, ratio = _rate_and_ratio(m, kappa, sigma_v, x)
    # points last from here on
    ratio = np.ascontiguousarray(ratio[:, :last].T)
    b = np.ascontiguousarray(rate[:, :last].T)
    b *= ratio
    b *= np.exp(-x[:last, None])
    start = np.ones(len(m))
    if following:
        lag = 0.5 * (1.0 - np.log(ratio[1] / ratio[0]) / (x[1] - x[0])) / b[0]  # c/2b
        start = lag + np.sqrt(1.0 + lag * lag)
    w = _advance(b, ratio, x[:last], start)
    coarse = _advance(b[::2], ratio[::2], x[:last:2], start)
    # both are of fourth order, and smooth in the length of the steps
    late = w[-1] * (w[-1] / coarse[-1]) ** (1.0 / 15.0)
    y = late * ratio[-1] * np.exp(-x[last - 1])
    y = 1.0 / (1.0 / y + rate[:, last:] @ grid.tail)
    left = 2 * np.argmax(w > DEPARTURE, axis=0)
    return FreezeOut(y, left, np.max(b * x[:last, None], axis=0), w[-1])


def equilibrium_rate(m: Array, kappa: Array, sigma_v: Array, x: Array) -> Array:
    """Return b = A Y_eq (n, t) at x (t,); b x is about n_eq <sigma v>/H."""
    rate, ratio = _rate_and_ratio(m, kappa, sigma_v, x)
    rate *= ratio
    rate *= np.exp(-x)
    return rate


def _rate_and_ratio(m: Array, kappa: Array, sigma_v: Array, x: Array) -> tuple[Array, Array]:
    """Return A and Y_eq e^x, each (n, t)."""
    root, h = root_and_h(m, x)
    rate = root * sigma_v
    rate *= ((pi / 45.0) ** 0.5 * M_PLANCK / x**2) * m[:, None]
    return rate, kappa * (45.0 * G_ETA / (4.0 * pi**4) * x**2) / h


def _advance(b: Array, ratio: Array, x: Array, start: Array) -> Array:
    """Return W (k + 1, n) at the edges of k steps, from b and Y_eq e^x (2 k + 1, n) at edges and middles."""
    length = (x[2::2] - x[:-1:2])[:, None]
    c = 0.5 * (np.log(ratio[:-1:2] / ratio[2::2]) + length)  # int c/2
    first, middle, second = b[:-1:2], b[1::2], b[2::2]
    # integrals of b over a step, and of (1 - 2 s) b for the commutator: exact for an exponential, and with
    # the curvature of ln b as in Simpson's rule
    z = 0.5 * np.log(first / second)
    z[np.abs(z) < 1e-4] += 2e-4
    growth = np.exp(z)
    shrinking = 1.0 / growth
    cosh, sinhc = growth + shrinking, growth - shrinking  # twice of each
    sinhc /= z
    cosh -= sinhc
    cosh /= z
    skew = cosh
    skew *= middle
    skew *= c
    skew *= 0.5 * length
    mean = first * second
    np.sqrt(mean, out=mean)
    mean += 2.0 * middle
    mean *= sinhc
    mean *= length / 6.0
    gain, loss = mean + skew, mean - skew
    omega = gain * loss
    omega += c * c
    np.maximum(omega, 1e-30, out=omega)
    np.sqrt(omega, out=omega)
    th = np.tanh(omega)
    th /= omega
    c *= th
    gain *= th
    loss *= th
    up, down = 1.0 + c, 1.0 - c
    w = np.empty((len(length) + 1, b.shape[1]))
    w[0] = start
    above, below = np.empty(b.shape[1]), np.empty(b.shape[1])
    for i in range(len(length)):  # w_{i+1} = (w_i up_i + gain_i)/(down_i + w_i loss_i)
        np.multiply(w[i], up[i], out=above)
        above += gain[i]
        np.multiply(w[i], loss[i], out=below)
        below += down[i]
        np.divide(above, below, out=w[i + 1])
    return w


def effective_k2(gap: Array, x: Array) -> Array:
    """Return kappa = e^x sum_i (m_i/m)^2 K2(m_i x/m) (n, t) for masses m and m (1 + gap), at x (t,) >= 1."""
    # the series of `k2e`: powers of mass and of x apart
    order = np.arange(len(K2_SERIES))[:, None]
    basis = np.sqrt(0.5 * pi) * np.array(K2_SERIES)[:, None] * x ** (-order - 0.5)
    found: Array = inverse_powers(1.0 + gap, -1.5, len(K2_SERIES)) @ basis
    found *= exp(-gap[:, None] * x)
    found += k2e(x)
    return found


def k2e(u: Array) -> Array:
    """Return e^u K2(u) for u >= 1, to 1e-7: sqrt(pi/2u) times a polynomial in 1/u."""
    r = 1.0 / u
    series = np.full_like(r, K2_SERIES[-1])
    for coefficient in K2_SERIES[-2::-1]:
        series *= r
        series += coefficient
    return np.sqrt(0.5 * pi * r) * series


def omega_h2(m: Array, yield_today: Array) -> Array:
    """Return Omega h^2 (n,) = m Y s_0/(rho_c/h^2) of particles of mass `m` (n,) in MeV."""
    return m * yield_today * ENTROPY_TODAY / CRITICAL_DENSITY
