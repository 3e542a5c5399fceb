"""Points of the U(1)_T3R models: couplings and widths; the formulas are in docs/physics/model.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_C, M_D, M_E, M_MU, M_S, M_U
from globalfit.models.dark_matter_portal import PORTALS as DARK_MATTER
from globalfit.models.dark_matter_portal import DarkSignal
from globalfit.models.flavour import wilson_coefficients
from globalfit.models.portal import Lifetime, PortalPoint, long_lived
from globalfit.physics import couplings, decays, direct_detection
from globalfit.physics.beam.prediction import LongLived
from globalfit.physics.compiled_code import Engine
from globalfit.physics.couplings import ELECTRIC_CHARGE, T3R_SIGN, EtaCharges
from globalfit.physics.wilson import WilsonCoefficients

if TYPE_CHECKING:
    from globalfit.models.t3r import T3R

MASSES = {"e": M_E, "mu": M_MU, "u": M_U, "d": M_D, "s": M_S, "c": M_C}
SIGN = {
    "u": T3R_SIGN["up"],
    "c": T3R_SIGN["up"],
    "d": T3R_SIGN["down"],
    "s": T3R_SIGN["down"],
    "e": T3R_SIGN["lepton"],
    "mu": T3R_SIGN["lepton"],
}


@dataclass(frozen=True, eq=False)
class T3RPoint(PortalPoint):
    """n points of a U(1)_T3R model. Every quantity reads only the parameters it depends on."""

    model: T3R = field(kw_only=True)

    # --- symmetry breaking

    @cached_property
    def f(self) -> Array:
        """Scale of symmetry breaking kappa V (n,) in MeV."""
        return couplings.breaking_scale(self.vev, self.model.kappa)

    @cached_property
    def g_r(self) -> Array:
        """Right-handed gauge coupling |g_R| (n,)."""
        return couplings.right_handed_coupling(self.m_aprime, self.f)

    @cached_property
    def gauge_coupling(self) -> Array:
        """Gauge coupling g (n,), for D = d - i g Q A' and Q = +-2."""
        return couplings.gauge_coupling(self.m_aprime, self.f)

    @cached_property
    def lambda_phi(self) -> Array:
        """Quartic coupling of phi (n,)."""
        return couplings.quartic(self.m_phi, self.f)

    # --- charged fermions of the standard model

    @cached_property
    def y_mu(self) -> Array:
        """Coupling of phi' to muons (n,)."""
        return self._yukawa("mu")

    @cached_property
    def g_mu_vector(self) -> Array:
        """Vector coupling of A' to muons (n,), kinetic mixing included."""
        return self._vector("mu")

    @cached_property
    def g_mu_axial(self) -> Array:
        """Axial coupling of A' to muons (n,)."""
        return self._axial("mu")

    @cached_property
    def y_e(self) -> Array:
        """Coupling of phi' to electrons (n,)."""
        return self._yukawa("e")

    @cached_property
    def g_e_vector(self) -> Array:
        """Vector coupling of A' to electrons (n,), kinetic mixing included."""
        return self._vector("e")

    @cached_property
    def g_e_axial(self) -> Array:
        """Axial coupling of A' to electrons (n,)."""
        return self._axial("e")

    @cached_property
    def y_u(self) -> Array:
        """Coupling of phi' to u quarks (n,)."""
        return self._yukawa("u")

    @cached_property
    def y_d(self) -> Array:
        """Coupling of phi' to d quarks (n,)."""
        return self._yukawa("d")

    @cached_property
    def y_s(self) -> Array:
        """Coupling of phi' to s quarks (n,)."""
        return self._yukawa("s")

    @cached_property
    def y_c(self) -> Array:
        """Coupling of phi' to c quarks (n,)."""
        return self._yukawa("c")

    @cached_property
    def g_u_vector(self) -> Array:
        """Vector coupling of A' to u quarks (n,), kinetic mixing included."""
        return self._vector("u")

    @cached_property
    def g_d_vector(self) -> Array:
        """Vector coupling of A' to d quarks (n,), kinetic mixing included."""
        return self._vector("d")

    @cached_property
    def g_s_vector(self) -> Array:
        """Vector coupling of A' to s quarks (n,), kinetic mixing included."""
        return self._vector("s")

    @cached_property
    def g_p(self) -> Array:
        """Vector coupling of A' to the proton at q = 0 (n,), kinetic mixing included."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[0]

    @cached_property
    def g_n(self) -> Array:
        """Vector coupling of A' to the neutron at q = 0 (n,)."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[1]

    # --- dark matter and neutrinos

    @property
    def eta_charges(self) -> EtaCharges:
        """The option of the dark-matter sector, which decides how A' couples to eta."""
        return self.model.eta_charges

    @cached_property
    def m_eta2(self) -> Array:
        """Mass of the heavier dark fermion (n,) in MeV."""
        return self.m_eta + self.delta_eta

    @cached_property
    def y_eta(self) -> Array:
        """Coupling of phi' to the lighter dark fermion (n,)."""
        return self._y_eta[0]

    @cached_property
    def y_eta2(self) -> Array:
        """Coupling of phi' to the heavier dark fermion (n,)."""
        return self._y_eta[1]

    @cached_property
    def g_eta(self) -> Array:
        """Coupling of A' to eta (n,): off-diagonal, eta_1 eta_2; in "literal" diagonal, (g_eta/2) axial."""
        return self.model.r_eta * self.g_r

    @cached_property
    def y_nus(self) -> Array:
        """Coupling of phi' to a pair of sterile neutrinos (n,)."""
        return self._c_nu * couplings.yukawa(self.m_nus, self.f)

    @cached_property
    def theta_nu(self) -> Array:
        """Mixing of the sterile with the light neutrino (n,)."""
        return couplings.neutrino_mixing(self.model.m_nu_dirac, self.m_nus)

    @cached_property
    def y_nua_nus(self) -> Array:
        """Coupling of phi' to one light and one sterile neutrino (n,)."""
        return couplings.nua_nus_yukawa(self._c_nu, self.model.m_nu_dirac, self.f)

    # --- direct detection

    @cached_property
    def sigma_si_scalar(self) -> Array:
        """Elastic cross-section (n,) in cm^2 of eta_1 on a proton through phi'."""
        quarks, inputs = self.model.fermions[:2], self.model.nuclear_inputs
        y_nucleon = direct_detection.nucleon_yukawa(self.f, quarks, inputs=inputs)
        return direct_detection.sigma_scalar(self.m_eta, self.m_phi, self.y_eta, y_nucleon, inputs=inputs)

    @cached_property
    def sigma_si_vector(self) -> Array:
        """Cross-section (n,) in cm^2 of eta_1 p -> eta_2 p through A', the mass gap neglected."""
        inputs = self.model.nuclear_inputs
        return direct_detection.sigma_vector(self.m_eta, self.m_aprime, self.g_eta, self.g_p, inputs=inputs)

    # --- widths

    @cached_property
    def widths_aprime(self) -> dict[str, Array]:
        """Partial widths of A' in MeV, {channel: (n,)}."""
        m = self.m_aprime
        if self.model.eta_charges == "literal":
            eta = decays.vector_to_majorana_pair(m, self.m_eta, self.g_eta)
            eta = eta + decays.vector_to_majorana_pair(m, self.m_eta2, self.g_eta)
        else:
            eta = decays.vector_to_two_majorana(m, self.m_eta, self.m_eta2, self.g_eta)
        return {
            "nus_nus": decays.vector_to_majorana_pair(m, self.m_nus, self.g_r),
            "nua_nus": decays.vector_to_two_majorana(m, 0.0, self.m_nus, self.theta_nu * self.g_r),
            "eta_eta": eta,
            "e_e": decays.vector_to_dirac_pair(m, M_E, self.g_e_vector, self.g_e_axial),
            "mu_mu": decays.vector_to_dirac_pair(m, M_MU, self.g_mu_vector, self.g_mu_axial),
            "pi0_gamma": decays.vector_to_pi0_gamma(m, self.g_u_vector, self.g_d_vector),
            "pi_pi": decays.vector_to_pi_pi(m, self.g_u_vector, self.g_d_vector),
        }

    @cached_property
    def widths_phi(self) -> dict[str, Array]:
        """Partial widths of phi' in MeV, {channel: (n,)}."""
        m = self.m_phi
        up, _, lepton = self.model.fermions
        loops = {MASSES[lepton]: self._yukawa(lepton) / MASSES[lepton]}
        heavy: Array | float = 0.0
        if up == "c":  # light quarks act as pions, not as loops of current quarks
            heavy = self.y_c / M_C
            loops[M_C] = 3.0 * ELECTRIC_CHARGE["c"] ** 2 * heavy
        eta = decays.scalar_to_majorana_pair(m, self.m_eta, self.y_eta)
        return {
            "aprime_aprime": decays.scalar_to_vectors(m, self.m_aprime, self.f),
            "nus_nus": decays.scalar_to_majorana_pair(m, self.m_nus, self.y_nus),
            "nua_nus": decays.scalar_to_two_majorana(m, 0.0, self.m_nus, self.y_nua_nus),
            "eta_eta": eta + decays.scalar_to_majorana_pair(m, self.m_eta2, self.y_eta2),
            f"{lepton}_{lepton}": decays.scalar_to_dirac_pair(m, MASSES[lepton], self._yukawa(lepton)),
            "gamma_gamma": decays.scalar_to_photons(m, loops),
            "pi_pi": decays.scalar_to_pi_pi(m, self.y_u, self.y_d, heavy),
        }

    # --- b -> s l l

    @cached_property
    def wilson_coefficients(self) -> WilsonCoefficients:
        """B -> s l l coefficients, by the model's option ``flavour``."""
        return wilson_coefficients(self, self.model.flavour)

    # --- beam experiments

    @cached_property
    def dark_signal(self) -> DarkSignal | None:
        """Events of a dark-matter portal; None in the others."""
        return DarkSignal(self) if self.model.portal in DARK_MATTER else None

    @cached_property
    def setup(self) -> LongLived:
        """Process and conventions of the portal, by the model's options."""
        return long_lived(self.model)

    @property
    def lifetime(self) -> Lifetime:
        """What X decays by, an option of the model."""
        return self.model.lifetime

    @property
    def engine(self) -> Engine:
        """What calculates events, an option of the model."""
        return self.model.engine

    # --- charges of the variant

    def _charged(self, fermion: str) -> bool:
        return fermion in self.model.fermions

    def _yukawa(self, fermion: str) -> Array:
        return couplings.yukawa(MASSES[fermion], self.f) if self._charged(fermion) else np.zeros(self.n)

    def _axial(self, fermion: str) -> Array:
        return 0.5 * SIGN[fermion] * self.g_r if self._charged(fermion) else np.zeros(self.n)

    def _vector(self, fermion: str) -> Array:
        mixing = couplings.kinetic_mixing(self.epsilon, ELECTRIC_CHARGE[fermion])
        return 0.5 * SIGN[fermion] * self.g_r + mixing if self._charged(fermion) else mixing

    @cached_property
    def _c_nu(self) -> float:
        if self.model.c_nu is not None:
            return self.model.c_nu
        return 1.0 if self.model.eta_charges == "hybrid" else 0.0

    @cached_property
    def _y_eta(self) -> tuple[Array, Array]:
        return couplings.eta_yukawas(self.model.eta_charges, self.m_eta, self.delta_eta, self.f)
