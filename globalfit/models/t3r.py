"""U(1)_T3R: right-handed light fermions, dark matter eta, vector A', scalar phi'.

B. Dutta, S. Ghosh, J. Kumar, Phys. Rev. D 100 (2019) 075028, arXiv:1905.02692; the normalisation, the options
and every formula are in docs/physics/model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import ClassVar, get_args

import numpy as np

from globalfit.arrays import Array, Columns
from globalfit.constants import M_C, M_D, M_E, M_MU, M_S, M_U
from globalfit.coordinates import Coordinate
from globalfit.errors import ModelError, did_you_mean
from globalfit.models.mediators import MediatorPoint, mediator_quantities
from globalfit.models.ridge import MuonG2Ridge
from globalfit.parameters import Parameter, Prior, Quantity
from globalfit.physics import couplings, decays
from globalfit.physics.couplings import ELECTRIC_CHARGE, T3R_SIGN, EtaCharges, Kappa
from globalfit.priors.shapes import Fixed, LogUniform, SignedLogUniform

MASSES = {"e": M_E, "mu": M_MU, "u": M_U, "d": M_D, "s": M_S, "c": M_C}
SIGN = {
    "u": T3R_SIGN["up"],
    "c": T3R_SIGN["up"],
    "d": T3R_SIGN["down"],
    "s": T3R_SIGN["down"],
    "e": T3R_SIGN["lepton"],
    "mu": T3R_SIGN["lepton"],
}

# Parameters come in groups, one for each sector.
BREAKING = (
    Parameter("vev", "MeV", "V"),
    Parameter("m_aprime", "MeV", "m_{A'}"),
    Parameter("m_phi", "MeV", r"m_{\phi'}"),
)
DARK_MATTER = (
    Parameter("m_eta", "MeV", r"m_{\eta}"),
    Parameter("delta_eta", "MeV", r"\delta_{\eta}", Fixed(0.01)),
)
NEUTRINO = (Parameter("m_nus", "MeV", r"m_{\nu_s}", Fixed(10.0)),)
MIXING = (Parameter("epsilon", "", r"\epsilon", Fixed(0.0)),)

# Natural ranges (docs/physics/model.md): where a likelihood is tested, and what a new fit may start from.
RANGES = {
    "vev": LogUniform(1_000.0, 20_000.0),
    "m_aprime": LogUniform(1.0, 250.0),
    "m_phi": LogUniform(1.0, 300.0),
    "m_eta": LogUniform(1.0, 100.0),
    "delta_eta": LogUniform(1e-4, 1.0),
    "m_nus": LogUniform(1.0, 50.0),
    "epsilon": SignedLogUniform(1e-8, 1e-3),
}

COUPLINGS = (
    Quantity("y_mu", "", r"y_\mu"),
    Quantity("g_mu_vector", "", r"g_\mu^V"),
    Quantity("g_mu_axial", "", r"g_\mu^A"),
    Quantity("y_e", "", "y_e"),
    Quantity("g_e_vector", "", "g_e^V"),
    Quantity("g_e_axial", "", "g_e^A"),
    Quantity("g_r", "", "g_R"),
    Quantity("g_p", "", "g_p"),
    Quantity("g_n", "", "g_n"),
    Quantity("y_eta", "", r"y_\eta"),
    Quantity("g_eta", "", r"g_\eta"),
    Quantity("y_nus", "", r"y_{\nu_s}"),
    Quantity("lambda_phi", "", r"\lambda_\phi"),
    Quantity("gauge_coupling", "", "g"),
)
CHANNELS_APRIME = ("nus_nus", "nua_nus", "eta_eta", "e_e", "mu_mu", "pi0_gamma", "pi_pi")


@dataclass(frozen=True)
class T3R:
    """What the variants share: options, parameters, derived quantities.

    Parameters
    ----------
    kappa : {"sqrt2", "1"}
        Normalisation of the vev: phi = V + phi'/sqrt2, or (V + phi')/sqrt2.
    eta_charges : {"hybrid", "literal", "pseudo-dirac"}
        Dark-matter sector: charges as printed with inelastic couplings (phenomenological); charges as printed
        (anomalous); or eta_R of charge +1.
    r_eta : float
        Coupling of A' to eta over |g_R|: the ratio of the charges, 1/2.
    c_nu : float or None
        y_nus = c_nu m_nus/f. None: 1 in "hybrid", 0 otherwise.
    m_nu_dirac : float
        Dirac mass of the neutrino in MeV.

    Raises
    ------
    ModelError
        If an option is unknown or not a usable number.
    """

    kappa: Kappa = "sqrt2"
    eta_charges: EtaCharges = "hybrid"
    r_eta: float = 0.5
    c_nu: float | None = None
    m_nu_dirac: float = 1e-3

    name: ClassVar[str] = "t3r"
    reference: ClassVar[str] = "Dutta, Ghosh, Kumar, Phys. Rev. D 100 (2019) 075028, arXiv:1905.02692"
    fermions: ClassVar[tuple[str, str, str]]  # the charged up-type quark, down-type quark and lepton

    def __post_init__(self) -> None:
        for option, value, known in (
            ("kappa", self.kappa, get_args(Kappa)),
            ("eta_charges", self.eta_charges, get_args(EtaCharges)),
        ):
            if value not in known:
                raise ModelError(self.name, f"no {option} '{value}'", did_you_mean(str(value), known))
        for option, number in (("r_eta", self.r_eta), ("c_nu", self.c_nu), ("m_nu_dirac", self.m_nu_dirac)):
            if number is not None and not isfinite(number):
                raise ModelError(self.name, f"'{option}' = {number} is not finite", "give a number")
        if self.m_nu_dirac < 0.0:
            raise ModelError(self.name, f"'m_nu_dirac' = {self.m_nu_dirac} is negative", "give a mass in MeV")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters; masses and vev in MeV."""
        return (*BREAKING, *DARK_MATTER, *NEUTRINO, *MIXING)

    @property
    def ranges(self) -> Mapping[str, Prior]:
        """Natural ranges of the parameters."""
        return RANGES

    @property
    def derived(self) -> tuple[Quantity, ...]:
        """Couplings, widths, branching ratios and decay lengths."""
        lepton = self.fermions[2]
        channels_phi = (
            "aprime_aprime", "nus_nus", "nua_nus", "eta_eta", f"{lepton}_{lepton}", "gamma_gamma", "pi_pi"
        )  # fmt: skip
        return (*COUPLINGS, *mediator_quantities(CHANNELS_APRIME, channels_phi))

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        """Optional coordinates: along the muon g-2 ridge, where phi' couples to the muon."""
        if self.fermions[2] != "mu":
            return {}
        kappa = float(couplings.breaking_scale(np.ones(1), self.kappa)[0])
        return {"m_phi": {"muon-g2-ridge": MuonG2Ridge(kappa)}}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of a result has to know about the chosen options."""
        anomaly = couplings.anomalies(couplings.eta_pair(self.eta_charges))
        size = f"gravitational {anomaly.gravitational:g}, cubic {anomaly.cubic:g}"
        if self.eta_charges == "hybrid":
            return (
                "eta_charges = 'hybrid' is phenomenological: no charge assignment gives both y_eta = m_eta/f "
                f"and an inelastic coupling of A' (the printed charges are anomalous: {size})",
            )
        if self.eta_charges == "literal":
            return (
                f"eta_charges = 'literal' is anomalous: {size}; further charged fermions have to cancel it",
            )
        return ("eta_charges = 'pseudo-dirac': the Dirac mass of eta is bare, y_eta = -delta_eta/(2 f)",)

    def point(self, columns: Columns) -> T3RPoint:
        """Return the points with parameter values `columns` {name: (n,)}."""
        return T3RPoint(columns, self.name, self)


@dataclass(frozen=True)
class T3RMuon(T3R):
    """U(1)_T3R of u_R, d_R, mu_R, nu_R."""

    name: ClassVar[str] = "t3r-muon"
    fermions: ClassVar[tuple[str, str, str]] = ("u", "d", "mu")


@dataclass(frozen=True)
class T3RElectron(T3R):
    """U(1)_T3R of u_R, d_R, e_R, nu_R; the muon couples through kinetic mixing alone."""

    name: ClassVar[str] = "t3r-electron"
    fermions: ClassVar[tuple[str, str, str]] = ("u", "d", "e")


@dataclass(frozen=True)
class T3RSecondGeneration(T3R):
    """U(1)_T3R of c_R, s_R, mu_R, nu_R."""

    name: ClassVar[str] = "t3r-second-generation"
    fermions: ClassVar[tuple[str, str, str]] = ("c", "s", "mu")


@dataclass(frozen=True, eq=False)
class T3RPoint(MediatorPoint):
    """n points of a U(1)_T3R model. Every quantity reads only the parameters it depends on."""

    model: T3R = T3R()

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
    def g_p(self) -> Array:
        """Vector coupling of A' to the proton at q = 0 (n,), kinetic mixing included."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[0]

    @cached_property
    def g_n(self) -> Array:
        """Vector coupling of A' to the neutron at q = 0 (n,)."""
        return couplings.nucleon_charges(self.g_u_vector, self.g_d_vector)[1]

    # --- dark matter and neutrinos

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
