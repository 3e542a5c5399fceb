"""The muon g-2 ridge: a coordinate for m_phi along which the muon's magnetic moment is what varies.

In the U(1)_T3R model delta a_mu is a difference of two terms that cancel to half a per cent: the points a
measurement allows form a curved ridge, a few tenths of an MeV wide in m_phi. Walkers that move in delta a_mu
itself, in units of about its error, see a straight slab of constant width instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from globalfit.arrays import Array, Columns
from globalfit.constants import ALPHA, M_MU
from globalfit.physics import couplings
from globalfit.physics.couplings import ELECTRIC_CHARGE, Kappa
from globalfit.physics.magnetic_moment import delta_a_scalar_and_slope, delta_a_vector, scalar_mass

FLOOR = 5e-10  # about the error of a measurement


@dataclass(frozen=True)
class MuonG2Ridge:
    """u = delta a_mu / w at one loop as the coordinate for ``m_phi``.

    The scalar's loop function falls strictly with its mass, so u and m_phi are in bijection at fixed vev,
    m_aprime and epsilon. The unit w = hypot(5e-10, (alpha/pi) |A' contribution|) follows the two-loop theory
    error, which grows as 1/vev^2, so that the band has the same width everywhere. No measurement enters and
    no posterior changes: the exact Jacobian goes with the coordinate.

    Parameters
    ----------
    kappa : {"sqrt2", "1"}
        The model's normalisation of the vev.
    """

    kappa: Kappa = "sqrt2"
    reads: tuple[str, ...] = ("vev", "m_aprime", "epsilon")

    def _parts(self, columns: Columns) -> tuple[Array, Array, Array]:
        """Return the muon's Yukawa coupling, the A' contribution to delta a_mu and the unit w, each (n,)."""
        f = couplings.breaking_scale(columns["vev"], self.kappa)
        g = 0.5 * couplings.right_handed_coupling(columns["m_aprime"], f)
        g_vector = g + couplings.kinetic_mixing(columns["epsilon"], ELECTRIC_CHARGE["mu"])
        vector = delta_a_vector(g_vector, g, columns["m_aprime"])
        return couplings.yukawa(M_MU, f), vector, np.hypot(FLOOR, ALPHA / pi * vector)

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return m_phi (n,) in MeV and ln |dm_phi/du| (n,); both nan where no m_phi > 0 gives `u` (n,)."""
        y, vector, unit = self._parts(columns)
        m_phi = scalar_mass(unit * u - vector, y)
        _, slope = delta_a_scalar_and_slope(y, m_phi)
        return m_phi, np.log(unit / -slope)

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u = delta a_mu / w (n,) at m_phi = `x` (n,) in MeV."""
        y, vector, unit = self._parts(columns)
        scalar, _ = delta_a_scalar_and_slope(y, x)
        return (scalar + vector) / unit
