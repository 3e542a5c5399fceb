"""U(1)_T3R: right-handed light fermions, dark matter eta, vector A', scalar phi'.

B. Dutta, S. Ghosh, J. Kumar, Phys. Rev. D 100 (2019) 075028, arXiv:1905.02692; the normalisation, the options
and every formula are in docs/physics/model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, get_args

from globalfit.arrays import Columns
from globalfit.coordinates import Coordinate
from globalfit.errors import ModelError, did_you_mean
from globalfit.models import flavour as flavour_sector
from globalfit.models import portal as portal_sector
from globalfit.models.flavour import Flavour
from globalfit.models.mediators import mediator_quantities
from globalfit.models.portal import Leptons, Lifetime, NuclearCharge, Portal, ProductionLeg, Vertex
from globalfit.models.regions import SHEETS, SIGNS
from globalfit.models.resonance import ResonanceRatio
from globalfit.models.ridge import MuonG2Ridge
from globalfit.models.t3r_point import T3RPoint
from globalfit.parameters import Parameter, Prior, Quantity
from globalfit.physics import couplings
from globalfit.physics.compiled_code import Engine, check_engine
from globalfit.physics.couplings import EtaCharges, Kappa
from globalfit.physics.direct_detection import NUCLEAR_INPUTS
from globalfit.priors.shapes import Fixed, LogUniform, SignedLogUniform
from globalfit.regions import Partition

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
RANGES: dict[str, Prior] = {
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
    Quantity("sigma_si_scalar", "cm^2", r"\sigma_{SI}^{\phi'}"),
    Quantity("sigma_si_vector", "cm^2", r"\sigma_{SI}^{A'}"),
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
    flavour : {"none", "contact", "mediator"}
        b -> s l l: absent; free Wilson coefficients at 160 GeV; or mixing couplings of s and b, from which
        Z, A' and phi' exchange follow.
    nuclear_inputs : str
        Quark contents of the nucleon for direct detection, a set of `physics.direct_detection`.
    portal : {"none", "long-lived-scalar", "long-lived-pseudoscalar", "long-lived-vector", \
"dark-matter-single", "dark-matter-double", "predicted"}
        What makes events in MiniBooNE and LSND.
    vertex : {"doubled", "single"}
        What "+ h.c." of the real term (lambda/4) phi F'F means: counted twice or once, a quarter of the rate.
    nuclear_charge : {"Z", "A", "quark"}
        Charge of a nucleus under the mediator: protons, nucleons, or up quarks.
    production_leg : {"lepton", "meson", "contact", "gauge-invariant", "neutral"}
        What radiates a vector X, or V1 of dark matter; "neutral", for V1 alone, is pi0, eta -> gamma V1.
    leptons : {"mu", "e", "e+mu"}
        Leptons beside which X is made, with one coupling.
    lifetime : {"infinite", "leptons"}
        Whether a long-lived X reaches every detector, or decays on its way by its coupling g_x to `leptons`.
    engine : {"auto", "numpy", "numba"}
        What calculates the events of `portal`. "auto" is compiled code where numba is installed; both agree
        to 1e-10 of the largest bin.

    Raises
    ------
    ModelError
        If an option is unknown or not a usable number.
    GlobalfitError
        If `engine` is unknown or not installed.
    """

    kappa: Kappa = "sqrt2"
    eta_charges: EtaCharges = "hybrid"
    r_eta: float = 0.5
    c_nu: float | None = None
    m_nu_dirac: float = 1e-3
    flavour: Flavour = "none"
    nuclear_inputs: str = "hoferichter-2015"
    portal: Portal = "none"
    vertex: Vertex = "doubled"
    nuclear_charge: NuclearCharge = "Z"
    production_leg: ProductionLeg = "lepton"
    leptons: Leptons = "mu"
    lifetime: Lifetime = "infinite"
    engine: Engine = "auto"

    name: ClassVar[str] = "t3r"
    reference: ClassVar[str] = "Dutta, Ghosh, Kumar, Phys. Rev. D 100 (2019) 075028, arXiv:1905.02692"
    fermions: ClassVar[tuple[str, str, str]]  # the charged up-type quark, down-type quark and lepton

    def __post_init__(self) -> None:
        for option, value, known in (
            ("kappa", self.kappa, get_args(Kappa)),
            ("eta_charges", self.eta_charges, get_args(EtaCharges)),
            ("flavour", self.flavour, get_args(Flavour)),
            ("portal", self.portal, get_args(Portal)),
            ("vertex", self.vertex, get_args(Vertex)),
            ("nuclear_charge", self.nuclear_charge, get_args(NuclearCharge)),
            ("production_leg", self.production_leg, get_args(ProductionLeg)),
            ("leptons", self.leptons, get_args(Leptons)),
            ("lifetime", self.lifetime, get_args(Lifetime)),
        ):
            if value not in known:
                raise ModelError(self.name, f"no {option} '{value}'", did_you_mean(str(value), known))
        check_engine(self.name, self.engine)
        for option, number in (("r_eta", self.r_eta), ("c_nu", self.c_nu), ("m_nu_dirac", self.m_nu_dirac)):
            if number is not None and not isfinite(number):
                raise ModelError(self.name, f"'{option}' = {number} is not finite", "give a number")
        if self.nuclear_inputs not in NUCLEAR_INPUTS:
            problem = f"no nuclear_inputs '{self.nuclear_inputs}'"
            raise ModelError(self.name, problem, did_you_mean(self.nuclear_inputs, NUCLEAR_INPUTS))
        if self.m_nu_dirac < 0.0:
            raise ModelError(self.name, f"'m_nu_dirac' = {self.m_nu_dirac} is negative", "give a mass in MeV")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters; masses and vev in MeV."""
        own = (*BREAKING, *DARK_MATTER, *NEUTRINO, *MIXING)
        sectors = (*flavour_sector.PARAMETERS[self.flavour], *portal_sector.PARAMETERS[self.portal])
        return (*own, *sectors)

    @property
    def ranges(self) -> Mapping[str, Prior]:
        """Natural ranges of the parameters."""
        own = {parameter.name for parameter in self.parameters}
        known = RANGES | flavour_sector.RANGES | portal_sector.RANGES
        return {name: prior for name, prior in known.items() if name in own}

    def limits(self, fixed: Mapping[str, float]) -> Mapping[str, tuple[float, float]]:
        """Return the values beyond which the model predicts nothing, {parameter: (low, high)}.

        ln L is -inf there. `fixed` are the values that a fit fixes.
        """
        return portal_sector.limits(self.portal, fixed)

    @property
    def derived(self) -> tuple[Quantity, ...]:
        """Couplings, widths, branching ratios and decay lengths."""
        lepton = self.fermions[2]
        channels_phi = (
            "aprime_aprime", "nus_nus", "nua_nus", "eta_eta", f"{lepton}_{lepton}", "gamma_gamma", "pi_pi"
        )  # fmt: skip
        other = "mu" if lepton == "e" else "e"  # it couples through kinetic mixing alone
        kept = (each for each in COUPLINGS if each.name not in (f"y_{other}", f"g_{other}_axial"))
        beam = portal_sector.DERIVED if self.portal.startswith("long-lived") else ()
        return (*kept, *mediator_quantities(CHANNELS_APRIME, channels_phi), *beam)

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        """Optional coordinates: along the muon g-2 ridge, and the distance from the phi' resonance."""
        found: dict[str, Mapping[str, Coordinate]] = {"m_eta": {"resonance-ratio": ResonanceRatio()}}
        if self.fermions[2] == "mu":  # phi' couples to the muon
            found["m_phi"] = {"muon-g2-ridge": MuonG2Ridge(self.kappa)}
        return found

    @property
    def null(self) -> Mapping[str, float]:
        """Parameter values without new physics in b -> s l l: what a pull is measured from."""
        return {parameter.name: 0.0 for parameter in flavour_sector.PARAMETERS[self.flavour]}

    @property
    def regions(self) -> tuple[Partition, ...]:
        """Where modes lie: sheets of the relic density about its resonances, signs of Wilson coefficients."""
        return (*SHEETS, *SIGNS) if self.flavour == "contact" else SHEETS

    @property
    def notes(self) -> Mapping[str, str]:
        """What a reader of a result has to know about the chosen options, by the parameter it concerns."""
        anomaly = couplings.anomalies(couplings.eta_pair(self.eta_charges))
        size = f"gravitational {anomaly.gravitational:g}, cubic {anomaly.cubic:g}"
        texts: dict[EtaCharges, str] = {
            "hybrid": "eta_charges = 'hybrid' is phenomenological: no charge assignment gives both "
            f"y_eta = m_eta/f and an inelastic coupling of A' (the printed charges are anomalous: {size})",
            "literal": f"eta_charges = 'literal' is anomalous: {size}; further fermions have to cancel it",
            "pseudo-dirac": "eta_charges = 'pseudo-dirac': the Dirac mass of eta is bare, "
            "y_eta = -delta_eta/(2 f)",
        }
        return {
            "m_eta": texts[self.eta_charges],
            **flavour_sector.NOTES[self.flavour],
            **portal_sector.NOTES[self.portal],
        }

    def point(self, columns: Columns) -> T3RPoint:
        """Return the points with parameter values `columns` {name: (n,)}."""
        return T3RPoint(columns, self.name, model=self)


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
