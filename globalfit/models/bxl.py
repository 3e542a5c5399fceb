"""B - sum x_l L_l: a purely vector A', for comparison with U(1)_T3R; see docs/physics/model.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import ClassVar

import numpy as np

from globalfit.arrays import Array, Columns
from globalfit.constants import M_E, M_MU
from globalfit.coordinates import Coordinate
from globalfit.errors import ModelError
from globalfit.models.mediators import MediatorPoint, mediator_quantities
from globalfit.parameters import Parameter, Prior, Quantity
from globalfit.physics import couplings, decays
from globalfit.physics.couplings import ELECTRIC_CHARGE
from globalfit.priors.shapes import Fixed, LogUniform, SignedLogUniform

PARAMETERS = (
    Parameter("g_x", "", "g_X"),
    Parameter("m_aprime", "MeV", "m_{A'}"),
    Parameter("m_phi", "MeV", r"m_{\phi'}", Fixed(1000.0)),
    Parameter("m_eta", "MeV", r"m_{\eta}"),
    Parameter("delta_eta", "MeV", r"\delta_{\eta}", Fixed(0.01)),
    Parameter("epsilon", "", r"\epsilon", Fixed(0.0)),
)
RANGES: dict[str, Prior] = {
    "g_x": LogUniform(1e-6, 1e-2),
    "m_aprime": LogUniform(1.0, 1_000.0),
    "m_phi": LogUniform(1.0, 3_000.0),
    "m_eta": LogUniform(1.0, 500.0),
    "delta_eta": LogUniform(1e-4, 1.0),
    "epsilon": SignedLogUniform(1e-8, 1e-3),
}
COUPLINGS = (
    Quantity("g_mu_vector", "", r"g_\mu^V"),
    Quantity("g_e_vector", "", "g_e^V"),
    Quantity("g_p", "", "g_p"),
    Quantity("g_n", "", "g_n"),
    Quantity("y_eta", "", r"y_\eta"),
    Quantity("g_eta", "", r"g_\eta"),
    Quantity("lambda_phi", "", r"\lambda_\phi"),
    Quantity("gauge_coupling", "", "g"),
)
CHANNELS_APRIME = ("nu_nu", "eta_eta", "e_e", "mu_mu", "pi0_gamma", "pi_pi")
CHANNELS_PHI = ("aprime_aprime", "eta_eta")


@dataclass(frozen=True)
class BXL:
    """U(1) of B - x_e L_e - x_mu L_mu - x_tau L_tau, with a pseudo-Dirac eta and phi of charge 2 q_eta.

    Parameters
    ----------
    x_e, x_mu, x_tau : float
        Lepton charges; their sum is 3, which cancels the anomalies together with right-handed neutrinos.
    q_eta : float
        Charge of eta.

    Raises
    ------
    ModelError
        If the charges do not cancel the anomalies or are not usable.
    """

    x_e: float = 0.0
    x_mu: float = 3.0
    x_tau: float = 0.0
    q_eta: float = 1.0

    name: ClassVar[str] = "b-xl"
    reference: ClassVar[str] = "Tulin, Phys. Rev. D 89 (2014) 114008, arXiv:1404.4370 (hadronic couplings)"

    def __post_init__(self) -> None:
        for option in ("x_e", "x_mu", "x_tau", "q_eta"):
            if not isfinite(getattr(self, option)):
                raise ModelError(
                    self.name, f"'{option}' = {getattr(self, option)} is not finite", "give a number"
                )
        total = self.x_e + self.x_mu + self.x_tau
        if abs(total - 3.0) > 1e-9:
            raise ModelError(
                self.name, f"x_e + x_mu + x_tau = {total:g} leaves an anomaly", "choose charges that sum to 3"
            )
        if self.q_eta == 0.0:
            raise ModelError(self.name, "'q_eta' = 0 leaves phi without charge", "give eta a charge")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters; masses in MeV."""
        return PARAMETERS

    @property
    def ranges(self) -> Mapping[str, Prior]:
        """Natural ranges of the parameters."""
        return RANGES

    @property
    def derived(self) -> tuple[Quantity, ...]:
        """Couplings, widths, branching ratios and decay lengths."""
        return (*COUPLINGS, *mediator_quantities(CHANNELS_APRIME, CHANNELS_PHI))

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        """Coordinates other than those the priors ask for: none."""
        return {}

    @property
    def notes(self) -> Mapping[str, str]:
        """What a reader of a result has to know about the chosen options, by the parameter it concerns."""
        return {"g_x": "right-handed neutrinos complete the anomaly cancellation and are taken to be heavy"}

    def point(self, columns: Columns) -> BXLPoint:
        """Return the points with parameter values `columns` {name: (n,)}."""
        return BXLPoint(columns, self.name, self)


@dataclass(frozen=True, eq=False)
class BXLPoint(MediatorPoint):
    """n points of B - xL. Every quantity reads only the parameters it depends on."""

    model: BXL = BXL()

    @cached_property
    def f(self) -> Array:
        """Scale of symmetry breaking m_A'/(|Q_phi| g_X) (n,) in MeV, the vev in phi = (f + phi')/sqrt2."""
        return self.m_aprime / (2.0 * abs(self.model.q_eta) * self.g_x)

    @cached_property
    def gauge_coupling(self) -> Array:
        """Gauge coupling g_X (n,)."""
        return self.g_x

    @cached_property
    def lambda_phi(self) -> Array:
        """Quartic coupling of phi (n,)."""
        return couplings.quartic(self.m_phi, self.f)

    @cached_property
    def g_mu_vector(self) -> Array:
        """Vector coupling of A' to muons (n,), kinetic mixing included."""
        return self._vector("mu", -self.model.x_mu)

    @cached_property
    def g_e_vector(self) -> Array:
        """Vector coupling of A' to electrons (n,), kinetic mixing included."""
        return self._vector("e", -self.model.x_e)

    @cached_property
    def g_u_vector(self) -> Array:
        """Vector coupling of A' to u quarks (n,), kinetic mixing included."""
        return self._vector("u", 1.0 / 3.0)

    @cached_property
    def g_d_vector(self) -> Array:
        """Vector coupling of A' to d quarks (n,), kinetic mixing included."""
        return self._vector("d", 1.0 / 3.0)

    @cached_property
    def g_p(self) -> Array:
        """Vector coupling of A' to the proton at q = 0 (n,), kinetic mixing included."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[0]

    @cached_property
    def g_n(self) -> Array:
        """Vector coupling of A' to the neutron at q = 0 (n,)."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[1]

    @property
    def g_mu_axial(self) -> Array:
        """Axial coupling of A' to muons (n,): zero."""
        return np.zeros(self.n)

    @property
    def g_e_axial(self) -> Array:
        """Axial coupling of A' to electrons (n,): zero."""
        return np.zeros(self.n)

    @property
    def y_mu(self) -> Array:
        """Coupling of phi' to muons (n,): zero, phi does not give them mass."""
        return np.zeros(self.n)

    @property
    def y_e(self) -> Array:
        """Coupling of phi' to electrons (n,): zero."""
        return np.zeros(self.n)

    @cached_property
    def m_eta2(self) -> Array:
        """Mass of the heavier dark fermion (n,) in MeV."""
        return self.m_eta + self.delta_eta

    @cached_property
    def g_eta(self) -> Array:
        """Off-diagonal coupling of A' to eta_1 eta_2 (n,)."""
        return self.model.q_eta * self.g_x

    @cached_property
    def y_eta(self) -> Array:
        """Coupling of phi' to the lighter dark fermion (n,), from the gap: -delta/(2f)."""
        return -self.delta_eta / (2.0 * self.f)

    @cached_property
    def y_eta2(self) -> Array:
        """Coupling of phi' to the heavier dark fermion (n,)."""
        return -self.y_eta

    @cached_property
    def widths_aprime(self) -> dict[str, Array]:
        """Partial widths of A' in MeV, {channel: (n,)}."""
        m, x = self.m_aprime, self.model
        neutrino = (x.x_e**2 + x.x_mu**2 + x.x_tau**2) ** 0.5 * self.g_x  # left-handed, massless
        return {
            "nu_nu": decays.vector_to_majorana_pair(m, 0.0, neutrino),
            "eta_eta": decays.vector_to_two_majorana(m, self.m_eta, self.m_eta2, self.g_eta),
            "e_e": decays.vector_to_dirac_pair(m, M_E, self.g_e_vector),
            "mu_mu": decays.vector_to_dirac_pair(m, M_MU, self.g_mu_vector),
            "pi0_gamma": decays.vector_to_pi0_gamma(m, self.g_u_vector, self.g_d_vector),
            "pi_pi": decays.vector_to_pi_pi(m, self.g_u_vector, self.g_d_vector),
        }

    @cached_property
    def widths_phi(self) -> dict[str, Array]:
        """Partial widths of phi' in MeV, {channel: (n,)}."""
        m = self.m_phi
        eta = decays.scalar_to_majorana_pair(m, self.m_eta, self.y_eta)
        return {
            "aprime_aprime": decays.scalar_to_vectors(m, self.m_aprime, self.f),
            "eta_eta": eta + decays.scalar_to_majorana_pair(m, self.m_eta2, self.y_eta2),
        }

    def _vector(self, fermion: str, charge: float) -> Array:
        return charge * self.g_x + couplings.kinetic_mixing(self.epsilon, ELECTRIC_CHARGE[fermion])
