"""The muon g-2 ridge: a coordinate for m_phi along which the muon's magnetic moment is what varies.

In the U(1)_T3R model delta a_mu is a difference of two terms that cancel to half a per cent: the points a
measurement allows form a curved ridge, a few tenths of an MeV wide in m_phi. Walkers that move in delta a_mu
itself see a straight band. With the experimental error alone the ridge narrows as vev^2 and the band does
not; where the two-loop error dominates (vev below 10 GeV) the ridge keeps its width and the band widens as
1/vev^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array, Columns
from globalfit.constants import E_CHARGE, M_MU
from globalfit.physics.magnetic_moment import delta_a_scalar_and_slope, delta_a_vector, scalar_mass

_UNIT = 1e-10  # the coordinate is of order one within the band


@dataclass(frozen=True)
class MuonG2Ridge:
    """u = delta a_mu / 1e-10 at one loop as the coordinate for ``m_phi``.

    The scalar's loop function falls strictly with its mass, so u and m_phi are in bijection at fixed vev,
    m_aprime and epsilon. The coordinate knows no measurement and changes no posterior: the exact Jacobian
    goes with it.

    Parameters
    ----------
    kappa_value : float
        phi = vev + phi'/sqrt2 has sqrt2, phi = (vev + phi')/sqrt2 has 1.
    """

    kappa_value: float = 2.0**0.5
    reads: tuple[str, ...] = ("vev", "m_aprime", "epsilon")

    def _scalar_coupling(self, columns: Columns) -> Array:
        return M_MU / (self.kappa_value * columns["vev"])

    def _vector_part(self, columns: Columns) -> Array:
        """Return the A' contribution to delta a_mu, (n,)."""
        g_right = columns["m_aprime"] / (self.kappa_value * columns["vev"])
        g_vector = 0.5 * g_right - columns["epsilon"] * E_CHARGE
        return delta_a_vector(g_vector, 0.5 * g_right, columns["m_aprime"])

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return m_phi (n,) in MeV and ln |dm_phi/du| (n,); both nan where no m_phi > 0 gives `u` (n,)."""
        y = self._scalar_coupling(columns)
        m_phi = scalar_mass(_UNIT * u - self._vector_part(columns), y)
        _, slope = delta_a_scalar_and_slope(y, m_phi)
        return m_phi, np.log(_UNIT) - np.log(-slope)

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u = delta a_mu/1e-10 (n,) at m_phi = `x` (n,) in MeV."""
        scalar, _ = delta_a_scalar_and_slope(self._scalar_coupling(columns), x)
        return (scalar + self._vector_part(columns)) / _UNIT
