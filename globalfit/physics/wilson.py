"""Wilson coefficients of b -> s l l in three parametrisations: contact, Z-induced, exchange of A' and phi'.

Operators and normalisation are those of the flavio basis (WCxf), new-physics parts only:

    H_eff = -N sum C_i O_i,   N = (4 G_F / sqrt 2) V_tb V_ts^* alpha / (4 pi)
    O_9(10) = (sbar gamma^mu P_L b)(lbar gamma_mu (gamma5) l),   O_S(P) = m_b (sbar P_R b)(lbar (gamma5) l)

and primed ones with P_L <-> P_R; C_S, C_P in GeV^-1. A b-s coupling is real relative to V_tb V_ts^*: the
phase of that product (1 degree from the negative real axis in the PDG convention) is common to all of them,
so N > 0 here. Masses of the model are in MeV as everywhere; q^2 and the inside of this file are in GeV.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_E, M_MU

Lepton: TypeAlias = Literal["mu", "e"]
Strengths: TypeAlias = Mapping[str, Array]

# Inputs of flavio 2.7.1 (central values); a test holds them against the shipped forms file.
G_F = 1.1663788e-5  # GeV^-2
V_TB_V_TS = 0.041199689738862746  # |V_tb V_ts^*|
ALPHA_B = 1.0 / 132.1163672678663  # alpha at 4.8 GeV
M_B = 4.094053707418375  # MSbar at 4.8 GeV, GeV
M_S = 0.07590734961623889  # MSbar at 4.8 GeV, GeV
SIN2_THETA_W = 0.2312  # effective leptonic angle, PDG
VEV_HIGGS = (math.sqrt(2.0) * G_F) ** -0.5  # 246.22 GeV

NORMALISATION = 4.0 * G_F / math.sqrt(2.0) * V_TB_V_TS * ALPHA_B / (4.0 * math.pi)  # N, GeV^-2
SCALE_CONTACT = 160.0  # GeV
SCALE_Z = 91.1876  # GeV
M_LEPTON: Mapping[Lepton, float] = {"mu": M_MU * 1e-3, "e": M_E * 1e-3}  # GeV

#: C9/C10 of a current that couples to leptons like the Z: ratio of its vector to its axial coupling.
VECTOR_TO_AXIAL = -(1.0 - 4.0 * SIN2_THETA_W)


@dataclass(frozen=True)
class Exchange:
    """Tree-level exchange of one mediator: every coefficient is strength / (q^2 - m^2 + i m Gamma).

    Parameters
    ----------
    mediator : str
        Its name, for messages.
    mass, width : ndarray (n,)
        In MeV.
    strengths : mapping of lepton to mapping of operator to ndarray (n,)
        Numerators: GeV^2 for C9, C10 (and primed), GeV for C_S.
    longitudinal : bool
        A massive vector's q^mu q^nu / m^2 term, which turns an axial lepton coupling into C_P.
    """

    mediator: str
    mass: Array
    width: Array
    strengths: Mapping[Lepton, Strengths]
    longitudinal: bool = False

    def propagator(self, q2: Array) -> tuple[Array, Array]:
        """Return Re and Im of 1/(q^2 - m^2 + i m Gamma) in GeV^-2, each (k, n), at `q2` (k,) in GeV^2."""
        distance = q2[:, None] - (1e-3 * self.mass) ** 2
        absorption = 1e-6 * self.mass * self.width
        inverse = distance * distance
        inverse += absorption**2
        np.divide(1.0, inverse, out=inverse)
        distance *= inverse
        inverse *= -absorption
        return distance, inverse

    def numerators(self, lepton: Lepton, strange: bool) -> dict[str, Array]:
        """Return {operator: (n,)}, the longitudinal C_P included.

        q_mu (sbar gamma^mu P_L b) = m_b sbar P_R b - m_s sbar P_L b gives
        C_P = -(2 m_l / m^2) [C10 - (m_s/m_b) C10'], and the mirror of it. `strange` keeps the m_s piece:
        right for B_s -> l l; in B -> M l l flavio's own pseudoscalar amplitude has m_s = 0.
        """
        found = dict(self.strengths.get(lepton, {}))
        if self.longitudinal and {"C10", "C10p"} & found.keys():
            zero = np.zeros_like(self.mass)
            left, right = found.get("C10", zero), found.get("C10p", zero)
            factor = -2.0 * M_LEPTON[lepton] / (1e-3 * self.mass) ** 2
            ratio = M_S / M_B if strange else 0.0
            found["CP"] = found.get("CP", zero) + factor * (left - ratio * right)
            found["CPp"] = found.get("CPp", zero) + factor * (right - ratio * left)
        return found


@dataclass(frozen=True)
class WilsonCoefficients:
    """New-physics coefficients of n points: constant ones and exchanges of light mediators.

    Parameters
    ----------
    constant : mapping of lepton to mapping of operator to ndarray (n,)
        Set at `scale`; run to 4.8 GeV where they are used. Operators: C7, C9, C10, CS, CP and with p
        (primed).
    scale : float
        160 (contact), 91.1876 (Z-induced) or 4.8 (not run), in GeV.
    exchanges : tuple of Exchange
        They act at 4.8 GeV and are not run.
    """

    constant: Mapping[Lepton, Strengths]
    scale: float = SCALE_CONTACT
    exchanges: tuple[Exchange, ...] = ()

    @property
    def n(self) -> int:
        """Number of points."""
        for strengths in (
            *self.constant.values(),
            *(s for x in self.exchanges for s in x.strengths.values()),
        ):
            for values in strengths.values():
                return len(values)
        return 0

    def take(self, index: slice) -> WilsonCoefficients:
        """Return the points selected by `index`."""

        def cut(parts: Mapping[Lepton, Strengths]) -> dict[Lepton, Strengths]:
            return {lepton: {op: c[index] for op, c in part.items()} for lepton, part in parts.items()}

        return WilsonCoefficients(
            cut(self.constant),
            self.scale,
            tuple(
                Exchange(x.mediator, x.mass[index], x.width[index], cut(x.strengths), x.longitudinal)
                for x in self.exchanges
            ),
        )


def contact(
    c10_universal: Array,
    c_muon: Array,
    c_muon_primed: Array,
    c_scalar: Array,
    c_pseudoscalar: Array,
) -> WilsonCoefficients:
    """Return constant coefficients set at 160 GeV, the parametrisation of arXiv:2105.07655.

    Muons and electrons share C10 = c10_universal, C9 = -(1 - 4 s_W^2) c10_universal; muons have besides
    C9 = C10 = c_muon, C9' = C10' = c_muon_primed (right-handed muons), C_S - C_S' = c_scalar and
    C_P - C_P' = c_pseudoscalar in GeV^-1, put into the unprimed coefficients. All arrays are (n,).
    """
    c9_universal = VECTOR_TO_AXIAL * c10_universal
    return WilsonCoefficients(
        {
            "mu": {
                "C9": c9_universal + c_muon,
                "C10": c10_universal + c_muon,
                "C9p": c_muon_primed,
                "C10p": c_muon_primed,
                "CS": c_scalar,
                "CP": c_pseudoscalar,
            },
            "e": {"C9": c9_universal, "C10": c10_universal},
        },
        SCALE_CONTACT,
    )


def z_induced(theta_sb: Array) -> dict[Lepton, Strengths]:
    """Return C9, C10 of muons and electrons (n,) at m_Z from the mixing theta_sb = theta_L^s theta_L^b.

    Mixing of left-handed s, b with a heavy singlet gives the Z the coupling g_sb = (m_Z / v) theta_sb and so
    C10 = -theta_sb / (2 v^2 N), C9 = -(1 - 4 s_W^2) C10: |C10| = 4.85 needs |theta_sb| = 4.8e-4.
    """
    c10 = -theta_sb / (2.0 * VEV_HIGGS**2 * NORMALISATION)
    return {lepton: {"C9": VECTOR_TO_AXIAL * c10, "C10": c10} for lepton in ("mu", "e")}


def aprime_exchange(
    m_aprime: Array,
    width_aprime: Array,
    g_sb_left: Array,
    g_sb_right: Array,
    g_vector: Mapping[Lepton, Array],
    g_axial: Mapping[Lepton, Array],
) -> Exchange:
    """Return the exchange of A'.

    L = A'_mu [sbar gamma^mu (g_L P_L + g_R P_R) b + lbar gamma^mu (g_V + g_A gamma5) l] gives
    N C9 = g_sb^L g_V / (q^2 - m^2), N C10 = g_sb^L g_A / (q^2 - m^2); primed with g_sb^R; and the
    longitudinal C_P. All arrays (n,), masses and widths in MeV, couplings dimensionless.
    """
    return Exchange(
        "aprime",
        m_aprime,
        width_aprime,
        {
            lepton: {
                "C9": g_sb_left * g_vector[lepton] / NORMALISATION,
                "C10": g_sb_left * g_axial[lepton] / NORMALISATION,
                "C9p": g_sb_right * g_vector[lepton] / NORMALISATION,
                "C10p": g_sb_right * g_axial[lepton] / NORMALISATION,
            }
            for lepton in g_vector
        },
        longitudinal=True,
    )


def phi_exchange(m_phi: Array, width_phi: Array, y_sb: Array, y_lepton: Mapping[Lepton, Array]) -> Exchange:
    """Return the exchange of phi' with L = -phi' [y_sb sbar P_R b + y_l lbar l].

    N m_b C_S = -y_sb y_l / (q^2 - m^2). The scalar is CP-even: no C_P. All arrays (n,), MeV, dimensionless
    couplings.
    """
    return Exchange(
        "phi",
        m_phi,
        width_phi,
        {lepton: {"CS": -y_sb * y / (NORMALISATION * M_B)} for lepton, y in y_lepton.items()},
    )


def mediator(
    theta_sb: Array,
    aprime: Exchange,
    phi: Exchange,
) -> WilsonCoefficients:
    """Return the sum of the Z-induced part (at m_Z) and the exchanges of A' and phi' (at 4.8 GeV)."""
    return WilsonCoefficients(z_induced(theta_sb), SCALE_Z, (aprime, phi))
