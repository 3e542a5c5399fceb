"""Distance from the phi' resonance as a coordinate for m_eta: the relic density varies along it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array, Columns


@dataclass(frozen=True)
class ResonanceRatio:
    """u = R = m_phi/(2 m_eta) as the coordinate for ``m_eta``, at fixed m_phi.

    Annihilation through phi' makes Omega h^2 a steep function of R, with the pole at R = 1: sheets of
    constant abundance are flat in R and slanted in m_eta. A bijection for positive masses; the posterior
    does not change.
    """

    reads: tuple[str, ...] = ("m_phi",)

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return m_eta = m_phi/(2 u) (n,) in MeV and ln |dm_eta/du| (n,); both nan where u <= 0."""
        ratio = np.where(u > 0.0, u, np.nan)
        m_eta = 0.5 * columns["m_phi"] / ratio
        return m_eta, np.log(m_eta / ratio)

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return R (n,) at m_eta = `x` (n,) in MeV."""
        return 0.5 * columns["m_phi"] / x
