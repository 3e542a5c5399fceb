"""Couplings of the U(1)_T3R bosons from the scale of symmetry breaking, and anomaly coefficients.

Conventions: phi = (f + phi') exp(i a/f)/sqrt2 with f = kappa V; L = - y fbar f phi'
+ fbar gamma^mu (g_V + g_A gamma5) f A'_mu + ..., for right-handed currents g_V = g_A = g_R/2. Gauge
invariance of the Yukawa terms ties the charges of f_R and phi together: all relations below depend on f alone
(Dutta, Ghosh, Kumar, Phys. Rev. D 100 (2019) 075028, arXiv:1905.02692; docs/physics/model.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from globalfit.arrays import Array
from globalfit.constants import E_CHARGE

Kappa = Literal["sqrt2", "1"]
EtaCharges = Literal["hybrid", "literal", "pseudo-dirac"]

KAPPA: Final[dict[str, float]] = {"sqrt2": 2.0**0.5, "1": 1.0}
ELECTRIC_CHARGE: Final[dict[str, float]] = {
    "e": -1.0,
    "mu": -1.0,
    "u": 2.0 / 3.0,
    "c": 2.0 / 3.0,
    "d": -1.0 / 3.0,
    "s": -1.0 / 3.0,
}
T3R_CHARGE_PHI: Final = -2.0
T3R_SIGN: Final[dict[str, float]] = {
    "up": -1.0,
    "down": 1.0,
    "lepton": 1.0,
    "neutrino": -1.0,
}  # Q_f / |Q_phi|


def breaking_scale(vev: Array, kappa: Kappa) -> Array:
    """Return f = kappa V (n,) in MeV: sqrt2 V for phi = V + phi'/sqrt2, V for phi = (V + phi')/sqrt2."""
    return KAPPA[kappa] * vev


def yukawa(m: Array | float, f: Array) -> Array:
    """Return y = m/f (n,) of phi' to a fermion of mass `m` MeV whose mass comes from phi."""
    return m / f


def right_handed_coupling(m_aprime: Array, f: Array) -> Array:
    """Return |g_R| = m_A'/f (n,) of A' to right-handed currents; its sign is + for d, l, - for u, nu."""
    return m_aprime / f


def gauge_coupling(m_aprime: Array, f: Array, charge_phi: float = T3R_CHARGE_PHI) -> Array:
    """Return g = m_A'/(|Q_phi| f) (n,), for D = d - i g Q A'."""
    return m_aprime / (abs(charge_phi) * f)


def quartic(m_phi: Array, f: Array) -> Array:
    """Return lambda_phi = m_phi'^2/(2 f^2) (n,) of the potential mu^2 |phi|^2 + lambda_phi |phi|^4."""
    return 0.5 * (m_phi / f) ** 2


def kinetic_mixing(epsilon: Array, charge: float) -> Array:
    """Return what kinetic mixing adds to g_V of a fermion of electric charge `charge`: epsilon e Q (n,)."""
    shift: Array = E_CHARGE * charge * epsilon + 0.0  # no minus zero
    return shift


def nucleon_charges(g_u: Array, g_d: Array) -> tuple[Array, Array]:
    """Return g_p = 2 g_u + g_d and g_n = g_u + 2 g_d (n,): at q = 0 a vector current counts quarks."""
    return 2.0 * g_u + g_d, g_u + 2.0 * g_d


def eta_yukawas(charges: EtaCharges, m_eta: Array, delta_eta: Array, f: Array) -> tuple[Array, Array]:
    """Return y_1, y_2 (n,) in L = -(1/2) y_i eta_i eta_i phi'.

    With eta_R of charge -1 ("literal", and the phenomenological "hybrid") m_i comes from phi: y_i = m_i/f.
    With eta_R of charge +1 ("pseudo-dirac") the Dirac mass is bare and phi gives the gap alone:
    y_1 = -delta/(2f), y_2 = +delta/(2f).
    """
    if charges == "pseudo-dirac":
        y = delta_eta / (2.0 * f)
        return -y, y
    return yukawa(m_eta, f), yukawa(m_eta + delta_eta, f)


def neutrino_mixing(m_nu_dirac: float, m_nus: Array) -> Array:
    """Return theta = m_D/m_nus (n,), the mixing of the charged nu_R with the light neutrino nu_a."""
    return m_nu_dirac / m_nus


def nua_nus_yukawa(c_nu: float, m_nu_dirac: float, f: Array) -> Array:
    """Return y (n,) in L = -y nu_a nu_s phi': (1 - c_nu) m_D/f to first order in the mixing.

    For c_nu = 1 the coupling matrix of phi' is the mass matrix over f, hence diagonal.
    """
    return (1.0 - c_nu) * m_nu_dirac / f


@dataclass(frozen=True)
class Chiral:
    """A chiral fermion: its charge, hypercharge, number of colours and of weak components, chirality.

    `charge` is that of the field as written (e.g. of l_R); right-handed fields count with a minus sign.
    """

    charge: float
    hypercharge: float = 0.0
    colours: int = 1
    components: int = 1
    right_handed: bool = False


class Anomalies(NamedTuple):
    """Anomaly coefficients, left minus right, of a U(1) with charge Q; all zero if it is consistent."""

    gravitational: float
    cubic: float
    y2q: float
    yq2: float
    su2: float
    su3: float


def anomalies(fields: Iterable[Chiral]) -> Anomalies:
    """Return the coefficients grav^2 Q, Q^3, Y^2 Q, Y Q^2, SU(2)^2 Q and SU(3)^2 Q of chiral fermions."""
    grav = cubic = y2q = yq2 = su2 = su3 = 0.0
    for field in fields:
        sign = -1.0 if field.right_handed else 1.0
        count = sign * field.colours * field.components
        grav += count * field.charge
        cubic += count * field.charge**3
        y2q += count * field.hypercharge**2 * field.charge
        yq2 += count * field.hypercharge * field.charge**2
        su2 += sign * field.colours * field.charge if field.components == 2 else 0.0
        su3 += sign * field.components * field.charge if field.colours == 3 else 0.0
    return Anomalies(grav, cubic, y2q, yq2, su2, su3)


def t3r_quadruple() -> tuple[Chiral, ...]:
    """Return the charged right-handed quadruple (u, d, l, nu) of U(1)_T3R."""
    return (
        Chiral(-2.0, 2.0 / 3.0, 3, right_handed=True),
        Chiral(+2.0, -1.0 / 3.0, 3, right_handed=True),
        Chiral(+2.0, -1.0, right_handed=True),
        Chiral(-2.0, 0.0, right_handed=True),
    )


def eta_pair(charges: EtaCharges) -> tuple[Chiral, Chiral]:
    """Return eta_L (charge 1) and eta_R: charge -1 as printed in the T3R papers, +1 in "pseudo-dirac"."""
    return Chiral(1.0), Chiral(1.0 if charges == "pseudo-dirac" else -1.0, right_handed=True)
