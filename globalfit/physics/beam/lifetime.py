"""The width of a long-lived X that couples to leptons alone: to a pair, or to photons by their loop."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.constants import ALPHA
from globalfit.physics import decays
from globalfit.physics.beam.mesons import LEPTON_MASSES


def width(process: str, m: Array, g: Array, leptons: Sequence[str]) -> Array:
    """Return the width (n,) of X in MeV.

    Scalar: l+ l- and gamma gamma, L = -g lbar l X; pseudoscalar the same with i gamma5; vector: l+ l- alone,
    as three photons are negligible. For m << m_mu and muons Gamma(gamma gamma) is
    alpha^2 g^2 m^3/(144 pi^3 m_mu^2) for a scalar and alpha^2 g^2 m^3/(64 pi^3 m_mu^2) for a pseudoscalar.

    Parameters
    ----------
    process : {"scalar", "pseudoscalar", "vector"}
    m, g : array (n,)
        Mass in MeV and coupling to each of the leptons.
    leptons : sequence of str
        Of "e", "mu".
    """
    masses = [LEPTON_MASSES[lepton] for lepton in leptons]
    if process == "scalar":
        pairs = sum(decays.scalar_to_dirac_pair(m, m_l, g) for m_l in masses)
        return np.asarray(pairs + decays.scalar_to_photons(m, {m_l: g / m_l for m_l in masses}))
    if process == "vector":
        return np.asarray(sum(decays.vector_to_dirac_pair(m, m_l, g) for m_l in masses))
    pairs = sum(g**2 * m / (8.0 * pi) * np.sqrt(np.maximum(1.0 - 4.0 * m_l**2 / m**2, 0.0)) for m_l in masses)
    loops = sum(g / m_l * pseudoscalar_loop(m, m_l) for m_l in masses)
    return np.asarray(pairs + ALPHA**2 * m**3 / (64.0 * pi**3) * np.abs(loops) ** 2)


def pseudoscalar_loop(m: Array, m_f: float) -> NDArray[np.complex128]:
    """Return the loop (n,) of a fermion over that of a heavy one: arcsin^2(x)/x^2 with x = m/2 m_f."""
    x = np.asarray(m, dtype=np.float64) / (2.0 * m_f)
    below = np.arcsin(np.clip(x, 1e-9, 1.0)).astype(np.complex128) ** 2
    above = -((np.arccosh(np.maximum(x, 1.0)) - 0.5j * pi) ** 2)
    return np.asarray(np.where(x <= 1.0, below, above) / np.maximum(x, 1e-9) ** 2)
