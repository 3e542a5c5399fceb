"""Nuclei that a beam scatters on: masses, form factors, and coherent, incoherent and free-nucleon parts.

A composition {"C": number of nuclei, "H": ...} becomes a tuple of scatterers. Each has its own kernel at unit
charge, and `charge_weights` gives the squared charge that multiplies it: charges of proton and neutron stay
exact, whatever they are. Formulas and choices: docs/physics/beam-scattering.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M, M_E, M_NEUTRON, M_PROTON
from globalfit.errors import GlobalfitError, did_you_mean

Part = Literal["coherent", "incoherent", "free"]

U_MEV = 931.49410372  # atomic mass unit, CODATA 2022
FM = 1e-15 / HBARC_MEV_M  # one fermi in 1/MeV

# Symbol: (Z, A, atomic mass in u) of the most abundant isotope; AME2020, M. Wang et al., Chin. Phys. C 45
# (2021) 030003. A detector's natural isotopes are represented by that one.
ISOTOPES: dict[str, tuple[int, int, float]] = {
    "H": (1, 1, 1.00782503190),
    "Be": (4, 9, 9.01218306),
    "C": (6, 12, 12.0),
    "O": (8, 16, 15.99491461926),
    "Na": (11, 23, 22.9897692820),
    "Al": (13, 27, 26.98153841),
    "Si": (14, 28, 27.97692653442),
    "Ar": (18, 40, 39.9623831220),
    "Ca": (20, 40, 39.962590850),
    "Fe": (26, 56, 55.93493554),
    "Cu": (29, 63, 62.92959712),
    "Zn": (30, 64, 63.92914178),
    "I": (53, 127, 126.904471900),
    "Xe": (54, 132, 131.904155087),
    "Cs": (55, 133, 132.905451961),
    "W": (74, 184, 183.950933260),
    "Pb": (82, 208, 207.976652005),
}

# Charges of (proton, neutron) under the mediator by name. "quark" counts up quarks only: 18 for carbon-12.
# "isovector" is U(1)_T3R with opposite charges of u and d: zero for nuclei with as many neutrons as protons.
CHARGES: dict[str, tuple[float, float]] = {
    "Z": (1.0, 0.0),
    "A": (1.0, 1.0),
    "quark": (2.0, 1.0),
    "isovector": (1.0, -1.0),
}

HELM_SKIN = 0.9 * FM  # s
HELM_DIFFUSENESS = 0.52 * FM  # a
DIPOLE_MASS2 = 0.71e6  # MeV^2
MU_PROTON = 2.7928473446  # magnetic moment of the proton in nuclear magnetons, CODATA


@dataclass(frozen=True)
class Nucleus:
    """A nucleus: symbol, proton number `z`, mass number `a`, nuclear mass in MeV."""

    symbol: str
    z: int
    a: int
    mass: float


@dataclass(frozen=True)
class Scatterer:
    """One way of scattering on one nucleus: `number` of them, target mass in MeV and which form factor."""

    label: str
    part: Part
    nucleus: Nucleus
    mass: float
    number: float

    def form_factor_squared(self, t: Array) -> Array:
        """Return |F(t)|^2 at unit charge for t <= 0 in MeV^2, same shape."""
        if self.part == "coherent":
            return helm_squared(t, self.nucleus.a)
        if self.part == "incoherent":
            return nucleon_squared(t) * (1.0 - helm_squared(t, self.nucleus.a))
        return nucleon_squared(t)

    @property
    def scale(self) -> float:
        """MeV^2: momentum transfer squared where the form factor starts to fall."""
        return DIPOLE_MASS2 if self.part == "free" else 3.0 / helm_radius(self.nucleus.a) ** 2

    @property
    def reach(self) -> float:
        """MeV^2: momentum transfer squared beyond which the form factor is below 1e-6 of its maximum."""
        return 9.0 / HELM_SKIN**2 if self.part == "coherent" else np.inf

    def charge_squared(self, q_p: Array | float, q_n: Array | float) -> Array:
        """Return the squared charge of this part for charges of proton and neutron, any shape."""
        z, n = self.nucleus.z, self.nucleus.a - self.nucleus.z
        p, q = np.asarray(q_p, dtype=np.float64), np.asarray(q_n, dtype=np.float64)
        if self.part == "coherent":
            return (z * p + n * q) ** 2
        if self.part == "incoherent":
            return z * p**2 + n * q**2
        return p**2 + 0.0 * q


def nucleus(symbol: str) -> Nucleus:
    """Return the nucleus of a symbol.

    Raises
    ------
    GlobalfitError
        If the symbol is not in `ISOTOPES`.
    """
    if symbol not in ISOTOPES:
        raise GlobalfitError("composition", f"no nucleus named '{symbol}'", did_you_mean(symbol, ISOTOPES))
    z, a, atomic = ISOTOPES[symbol]
    return Nucleus(symbol, z, a, M_PROTON if a == 1 else atomic * U_MEV - z * M_E)


def scatterers(composition: Mapping[str, float]) -> tuple[Scatterer, ...]:
    """Return the parts of a composition {symbol: number of nuclei}, coherent and incoherent for each nucleus.

    Raises
    ------
    GlobalfitError
        If a symbol is unknown or a number is not positive and finite.
    """
    parts: list[Scatterer] = []
    for symbol, number in composition.items():
        nuc = nucleus(symbol)
        if not (np.isfinite(number) and number > 0.0):
            raise GlobalfitError("composition", f"'{symbol}' = {number} nuclei", "give a positive number")
        if nuc.a == 1:
            parts.append(Scatterer(symbol, "free", nuc, nuc.mass, number))
        else:
            parts.append(Scatterer(f"{symbol} coherent", "coherent", nuc, nuc.mass, number))
            nucleon = 0.5 * (M_PROTON + M_NEUTRON)
            parts.append(Scatterer(f"{symbol} incoherent", "incoherent", nuc, nucleon, number))
    return tuple(parts)


def named_charges(nuclear_charge: str) -> tuple[float, float]:
    """Return the charges of (proton, neutron) of a named option "Z", "A", "quark" or "isovector".

    Raises
    ------
    GlobalfitError
        If there is no such option.
    """
    if nuclear_charge not in CHARGES:
        raise GlobalfitError(
            "nuclear_charge", f"no option '{nuclear_charge}'", did_you_mean(nuclear_charge, CHARGES)
        )
    return CHARGES[nuclear_charge]


def charge_weights(parts: Sequence[Scatterer], q_p: Array | float, q_n: Array | float) -> Array:
    """Return the squared charges (..., parts) that multiply the kernels of `parts`, for charges (...)."""
    return np.stack([part.charge_squared(q_p, q_n) for part in parts], axis=-1)


def helm_radius(a: int) -> float:
    """Return the Helm radius in 1/MeV of mass number `a` (Lewin and Smith, Astropart. Phys. 6 (1996) 87)."""
    c = 1.23 * FM * a ** (1.0 / 3.0) - 0.6 * FM
    return float(np.sqrt(c**2 + 7.0 / 3.0 * pi**2 * HELM_DIFFUSENESS**2 - 5.0 * HELM_SKIN**2))


def helm_squared(t: Array, a: int) -> Array:
    """Return |F|^2 of the Helm form factor at t <= 0 in MeV^2, same shape; 1 at t = 0."""
    q2 = -np.asarray(t, dtype=np.float64)
    x2 = q2 * helm_radius(a) ** 2
    x = np.sqrt(np.maximum(x2, 1e-4))
    bessel = np.where(
        x2 < 1e-4, 1.0 - x2 / 10.0 + x2**2 / 280.0, 3.0 * (np.sin(x) - x * np.cos(x)) / (x * x * x)
    )
    return np.asarray(bessel**2 * np.exp(-q2 * HELM_SKIN**2))


def nucleon_squared(t: Array) -> Array:
    """Return the squared Dirac form factor of a nucleon of unit charge at t <= 0 in MeV^2, same shape.

    F_1 = (G_E + tau G_M)/(1 + tau) of the proton with dipole G_E = G_M/mu_p, tau = -t/4 m_p^2.
    """
    tau = -np.asarray(t, dtype=np.float64) / (4.0 * M_PROTON**2)
    dipole = (1.0 + 4.0 * M_PROTON**2 * tau / DIPOLE_MASS2) ** -2
    return np.asarray(((1.0 + MU_PROTON * tau) / (1.0 + tau) * dipole) ** 2)
