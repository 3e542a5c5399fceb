"""Relativistic degrees of freedom of the plasma: an ideal gas with sudden neutrino decoupling.

Photons, e, mu, pi and K in equilibrium at T; three neutrinos at T above `T_DECOUPLING`, and below it at the
temperature that conserves the entropy of photons and electrons separately. g counts the energy density,
h the entropy density: rho = (pi^2/30) g T^4, s = (2 pi^2/45) h T^3 (P. Gondolo, G. Gelmini, Nucl. Phys. B 360
(1991) 145, eqs. 2.17-2.20). Above some 120 MeV hadrons are no longer an ideal gas of pi and K.
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import Final, NamedTuple

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.constants import M_E, M_K, M_MU, M_PI, M_PI0
from globalfit.errors import GlobalfitError

T_DECOUPLING: Final = 2.0  # MeV, decoupling of the neutrinos taken as sudden
T_MAX: Final = 150.0  # MeV, hadrons melt at 156.5 +- 1.5 MeV (HotQCD, Phys. Lett. B 795 (2019) 15)
T_MIN: Final = 1e-6  # MeV, neutrinos and plasma may be taken as massless and collisionless
# mass in MeV, spin states (antiparticles included), +1 for a Fermi and -1 for a Bose gas
_SPECIES: Final = (
    (M_E, 4.0, 1.0),
    (M_MU, 4.0, 1.0),
    (M_PI, 2.0, -1.0),
    (M_PI0, 1.0, -1.0),
    (M_K, 4.0, -1.0),
)
_POINTS: Final = 4001  # of the table in ln T: linear interpolation is good to 1e-5


class DegreesOfFreedom(NamedTuple):
    """g, h and the combination the Boltzmann equation needs, each (n, ...)."""

    g: Array
    h: Array
    root: Array  # g*^{1/2} = h/sqrt(g) (1 + (1/3) dln h/dln T)


class _Table(NamedTuple):
    low: float
    step: float
    g: Array
    h: Array
    root: Array
    h_slope: Array  # differences of neighbours
    root_slope: Array


def degrees_of_freedom(temperature: Array) -> DegreesOfFreedom:
    """Return g, h and g*^{1/2} at temperatures in MeV (any shape).

    Raises
    ------
    GlobalfitError
        If a temperature is outside `T_MIN` to `T_MAX`.
    """
    t = np.asarray(temperature, dtype=np.float64)
    outside = ~((t >= T_MIN) & (t <= T_MAX))
    if outside.any():
        raise GlobalfitError(
            "relic density",
            f"g*(T) is asked at T = {t[outside].flat[0]:.6g} MeV, outside {T_MIN:g} to {T_MAX:g} MeV",
            "use masses that freeze out in this range",
        )
    table = _table()
    at = (np.log(t) - table.low) / table.step
    left = np.clip(at.astype(np.intp), 0, _POINTS - 2)
    part = at - left

    def linear(values: Array) -> Array:
        below: Array = values[left]
        return below + part * (values[left + 1] - below)

    return DegreesOfFreedom(linear(table.g), linear(table.h), linear(table.root))


def root_and_h(m: Array, x: Array) -> tuple[Array, Array]:
    """Return g*^{1/2} and h (n, t) at T = m/x, m (n,) in MeV, x (t,): the fast path.

    Linear interpolation; the ends of the range hold beyond it.
    """
    table = _table()
    at = (np.log(m)[:, None] - (np.log(x) + table.low)) * (1.0 / table.step)
    left = at.astype(np.int32)
    np.clip(left, 0, _POINTS - 2, out=left)
    at -= left
    np.clip(at, 0.0, 1.0, out=at)
    root, h = table.root_slope[left], table.h_slope[left]
    root *= at
    root += table.root[left]
    h *= at
    h += table.h[left]
    return root, h


def plasma_table() -> tuple[Array, float, float]:
    """Return g*^{1/2} and h, each with differences (entries, 4), uniform in ln T; first ln T and step."""
    table = _table()
    columns = (table.root, table.root_slope, table.h, table.h_slope)
    return np.stack(columns, axis=1), table.low, table.step


@lru_cache(maxsize=1)
def _table() -> _Table:
    """Tabulate g, h and g*^{1/2}, uniform in ln T."""
    ln_t = np.linspace(np.log(T_MIN), np.log(T_MAX), _POINTS)
    t = np.exp(ln_t)
    g, h, slope = np.full(t.size, 2.0), np.full(t.size, 2.0), np.zeros(t.size)
    em_h, em_slope = np.full(t.size, 2.0), np.zeros(t.size)  # photons and electrons alone
    for mass, states, statistics in _SPECIES:
        dg, dh, dslope = _gas(mass / t, statistics)
        g, h, slope = g + states * dg, h + states * dh, slope + states * dslope
        if mass == M_E:
            em_h, em_slope = em_h + states * dh, em_slope + states * dslope
    # the entropy ratio at decoupling fixes T_nu/T below it
    at_decoupling = 2.0 + 4.0 * float(_gas(np.array([M_E / T_DECOUPLING]), 1.0)[1][0])
    coupled = t >= T_DECOUPLING
    cube = np.where(coupled, 1.0, em_h / at_decoupling)  # (T_nu/T)^3
    cube_slope = np.where(coupled, 0.0, em_slope / at_decoupling)  # d cube/dln T
    neutrino = 6.0 * 7.0 / 8.0
    g = g + neutrino * cube ** (4.0 / 3.0)
    h = h + neutrino * cube
    slope = slope + neutrino * cube_slope
    root = h / np.sqrt(g) * (1.0 + slope / (3.0 * h))
    slopes = (readonly(np.append(np.diff(each), 0.0)) for each in (h, root))
    return _Table(
        float(ln_t[0]), float(ln_t[1] - ln_t[0]), readonly(g), readonly(h), readonly(root), *slopes
    )  # fmt: skip


def _gas(y: Array, statistics: float) -> tuple[Array, Array, Array]:
    """Return g, h and dh/dln T of one state of mass y T: integrals over the momentum q T."""
    q, weight = np.polynomial.legendre.leggauss(100)
    u, jacobian = 0.5 * (q + 1.0), 0.5 * weight
    cut = np.minimum(y, 800.0)[:, None]
    # momenta of a massive gas scale as sqrt(y), of a massless one as 1
    momentum = u**2 * (40.0 + 12.0 * np.sqrt(cut))
    jacobian = jacobian * 2.0 * u * (40.0 + 12.0 * np.sqrt(cut))
    energy = np.hypot(momentum, cut)
    boltzmann = np.exp(-energy)
    occupation = boltzmann / (1.0 + statistics * boltzmann)
    per_energy = jacobian * momentum**2 * occupation
    g = 15.0 / pi**4 * np.sum(per_energy * energy, axis=1)
    entropy = (energy + momentum**2 / (3.0 * energy)) * 45.0 / (4.0 * pi**4)
    h = np.sum(per_energy * entropy, axis=1)
    # s(T) T^-3 at fixed mass: d/dln T of the occupation at fixed momentum gives E (1 - f), the rest by parts
    steeper = 1.0 / (1.0 + statistics * boltzmann)  # 1 -+ f
    slope = (
        np.sum(
            per_energy * energy * steeper * (energy + momentum**2 / (3.0 * energy)) * 45.0 / (4.0 * pi**4),
            axis=1,
        )
        - 4.0 * h
    )
    return g, h, slope
