"""The MiniBooNE sector of a model: its parameters and events, by the option ``portal``.

A long-lived X is made in M -> l nu X and turns into a photon on a nucleus, X N -> gamma N. What is exchanged
is A' for a scalar or pseudoscalar X unless ``m_mediator`` is given, and a scalar of that mass for a vector X.
X lives for ever unless the option ``lifetime`` says that it decays by its coupling to leptons. Conventions:
docs/physics/beam.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import ModelError
from globalfit.models import dark_matter_portal
from globalfit.models.dark_matter_portal import DarkSignal
from globalfit.models.mediators import MediatorPoint
from globalfit.parameters import Parameter, Prior, Quantity
from globalfit.physics.beam import lifetime, prediction
from globalfit.physics.beam.channels import CHANNELS, HIGHEST_X, LOWEST_X
from globalfit.physics.beam.events import survival
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.prediction import LEPTONS, LongLived
from globalfit.physics.compiled_code import Engine
from globalfit.priors.shapes import Fixed, LogNormal, LogUniform

if TYPE_CHECKING:
    from globalfit.models.t3r import T3R

Portal: TypeAlias = Literal[
    "none",
    "long-lived-scalar",
    "long-lived-pseudoscalar",
    "long-lived-vector",
    "dark-matter-single",
    "dark-matter-double",
    "predicted",
]
NuclearCharge: TypeAlias = Literal["Z", "A", "quark"]
Vertex: TypeAlias = Literal["doubled", "single"]
ProductionLeg: TypeAlias = Literal["lepton", "meson", "contact", "gauge-invariant", "neutral"]
Leptons: TypeAlias = Literal["mu", "e", "e+mu"]
Lifetime: TypeAlias = Literal["infinite", "leptons"]

LONG_LIVED = (
    Parameter("m_x", "MeV", "m_X", Fixed(1.0)),
    Parameter("portal_coupling", "MeV^-1", r"g_\mu g_n \lambda"),
    Parameter("g_x", "", "g_X"),  # of X to the lepton alone: limits on its production and its lifetime
    # normalisations of the flux relative to the one of the tables
    Parameter("flux_pi", "", r"\phi_\pi", Fixed(1.0)),
    Parameter("flux_k", "", r"\phi_K", Fixed(1.0)),
    Parameter("flux_k_minus", "", r"\phi_{K^-}/\phi_{K^+}", Fixed(1.0)),
)
DERIVED = (Quantity("survival_x", "", r"P_X"),)
TYPICAL = 541.0, 500.0  # m, MeV: way and energy of `survival_x`
APRIME = Parameter("m_mediator", "MeV", r"m_\mathrm{med}", Fixed(0.0))  # 0: it is A'
SCALAR = Parameter("m_mediator", "MeV", r"m_\mathrm{med}")
PARAMETERS: Mapping[Portal, tuple[Parameter, ...]] = {
    "none": (),
    "long-lived-scalar": (*LONG_LIVED, APRIME),
    "long-lived-pseudoscalar": (*LONG_LIVED, APRIME),
    "long-lived-vector": (*LONG_LIVED, SCALAR),
    **dark_matter_portal.PARAMETERS,  # type: ignore[dict-item]
}
RANGES: dict[str, Prior] = {
    "m_x": LogUniform(0.5, 100.0),
    "portal_coupling": LogUniform(1e-10, 1e-7),
    "m_mediator": LogUniform(10.0, 1000.0),
    "g_x": LogUniform(1e-7, 1e-2),
    "flux_pi": LogNormal(1.0, 0.1),
    "flux_k": LogNormal(1.0, 0.25),
    "flux_k_minus": LogNormal(1.0, 0.5),
    **dark_matter_portal.RANGES,
}
NOTES: Mapping[Portal, Mapping[str, str]] = {
    "none": {},
    **{
        portal: {
            "portal_coupling": f"portal = '{portal}': absolute values depend on the options vertex, "
            "nuclear_charge, leptons and production_leg (docs/physics/beam.md)"
        }
        for portal in ("long-lived-scalar", "long-lived-pseudoscalar", "long-lived-vector")
    },
    **dark_matter_portal.NOTES,  # type: ignore[dict-item]
}


def limits(portal: Portal, fixed: Mapping[str, float]) -> Mapping[str, tuple[float, float]]:
    """Return the masses in MeV that the tables cover, {parameter: (low, high)}.

    Parameters
    ----------
    portal : str
    fixed : mapping of str to float
        Values that a fit fixes: with ``m_mediator`` at 0 it is A' whose mass the tables have to cover.
    """
    if portal == "none":
        return {}
    if portal in dark_matter_portal.PORTALS:
        return dark_matter_portal.LIMITS[portal]
    covered = LongLived(portal.removeprefix("long-lived-"), tables()).mediators
    found = {"m_x": (LOWEST_X, HIGHEST_X), "m_mediator": covered}
    if portal != "long-lived-vector" and fixed.get("m_mediator") == 0.0:
        found["m_aprime"] = covered
    return found


def long_lived(model: T3R) -> LongLived:
    """Return process and conventions of a model's portal.

    Raises
    ------
    ModelError
        If the model has none.
    """
    if model.portal == "none":
        problem = "has no beam signals with portal = 'none'"
        raise ModelError(model.name, problem, "set portal = 'long-lived-scalar' in [model]")
    return LongLived(
        model.portal.removeprefix("long-lived-"),
        tables(),
        model.production_leg,
        model.leptons,
        model.nuclear_charge,
        model.vertex,
    )


@cache
def tables() -> Path:
    """Return where the shipped tables are."""
    return Path(str(files("globalfit.likelihoods").joinpath("data", "beam_tables.h5")))


@dataclass(frozen=True, eq=False)
class PortalPoint(MediatorPoint):
    """A point of a model with the option ``portal``: events in the beam experiments, all (n,) or (n, bins).

    Events count the experiment's exposure with efficiency, resolution and cuts. They are infinite where a
    mass lies outside the tables: the likelihoods give -inf there.
    """

    @property
    def setup(self) -> LongLived:
        """Process and conventions of the portal; a model returns `long_lived` of its options."""
        raise NotImplementedError

    @property
    def lifetime(self) -> Lifetime:
        """What X decays by; a model returns its option."""
        return "infinite"

    @property
    def engine(self) -> Engine:
        """What calculates events; a model returns its option."""
        return "auto"

    @property
    def dark_signal(self) -> DarkSignal | None:
        """Events of a dark-matter portal, which a model returns for those."""
        return None

    @cached_property
    def m_exchanged(self) -> Array:
        """Mass of what is exchanged with the nucleus (n,) in MeV: ``m_mediator``, or A' where that is 0."""
        if self.setup.process == "vector":
            return self.m_mediator
        return np.where(self.m_mediator > 0.0, self.m_mediator, self.m_aprime)

    @cached_property
    def signal_nu(self) -> Array:
        """MiniBooNE, neutrino mode, bins of E_nu^QE (n, 11)."""
        return self._events("signal_nu")

    @cached_property
    def signal_nubar(self) -> Array:
        """MiniBooNE, antineutrino mode, bins of E_nu^QE (n, 11)."""
        return self._events("signal_nubar")

    @cached_property
    def signal_costheta(self) -> Array:
        """MiniBooNE, neutrino mode, bins of cos theta (n, 20)."""
        return self._events("signal_costheta")

    @cached_property
    def signal_evis(self) -> Array:
        """MiniBooNE, neutrino mode, bins of visible energy (n, 23)."""
        return self._events("signal_evis")

    @cached_property
    def signal_dump_charged(self) -> Array:
        """MiniBooNE with the beam on the dump, X from charged mesons (n,), E_nu^QE below 1250 MeV."""
        if self.dark_signal is not None:
            return self.dark_signal.events("signal_dump", "charged")[:, 0]
        return self._events("signal_dump")[:, 0]

    @cached_property
    def signal_dump_neutral(self) -> Array:
        """The same from neutral mesons (n,): none in the long-lived portals."""
        if self.dark_signal is not None:
            return self.dark_signal.events("signal_dump", "neutral")[:, 0]
        return np.zeros_like(self.signal_dump_charged)

    @cached_property
    def signal_lsnd(self) -> Array:
        """LSND showers of 20 to 60 MeV (n,), with or without a neutron."""
        return self._events("signal_lsnd")[:, 0]

    @cached_property
    def br_k_mu_nu_x(self) -> Array:
        """BR(K -> mu nu X) (n,)."""
        return self._branching_ratio("k_mu")

    @cached_property
    def br_pi_mu_nu_x(self) -> Array:
        """BR(pi -> mu nu X) (n,)."""
        return self._branching_ratio("pi_mu")

    @cached_property
    def br_pi_e_nu_x(self) -> Array:
        """BR(pi -> e nu X) (n,)."""
        return self._branching_ratio("pi_e")

    @cached_property
    def _masses(self) -> Masses:
        return Masses(self.setup, self.m_x, self.m_exchanged, self.engine)

    @cached_property
    def width_x(self) -> Array:
        """Width of X (n,) in MeV from its coupling to leptons, g_x."""
        return lifetime.width(self.setup.process, self.m_x, self.g_x, LEPTONS[self.setup.leptons])

    @cached_property
    def survival_x(self) -> Array:
        """Share of X of 500 MeV that travel the 541 m to MiniBooNE (n,); 0 if heavier.

        Of an X that decays by g_x alone, whatever the option ``lifetime``: where it is not near 1, an
        infinite lifetime is not consistent.
        """
        way, energy = TYPICAL
        return survival(self.m_x, self.width_x, way, np.array([energy]))[:, 0]

    @cached_property
    def _scales(self) -> Mapping[str, Array]:
        pi, k, minus = self.flux_pi, self.flux_k, self.flux_k_minus
        return {"pi+": pi, "pi-": pi, "k+": k, "k-": k if (minus == 1.0).all() else k * minus}

    def flux_scale(self, parent: str) -> Array:
        """Return the flux of "pi+", "pi-", "k+", "k-" over that of the tables, (n,) or ()."""
        return np.asarray(self._scales[parent])

    def _events(self, quantity: str) -> Array:
        if self.dark_signal is not None:
            return self.dark_signal.events(quantity)
        loss = self.m_x * self.width_x if self.lifetime == "leptons" else None
        per_unit = prediction.events(self._masses, quantity, self._scales, loss)
        return np.asarray(per_unit * (self.portal_coupling**2)[:, None])

    def _branching_ratio(self, channel: str) -> Array:
        if self.dark_signal is not None:
            return self.dark_signal.branching_ratio(channel)
        setup, coupling = self.setup, self.g_x
        meson, lepton = channel.split("_")
        found = next(each for each in CHANNELS if (each.meson, each.lepton) == (meson, lepton))
        return prediction.branching_ratio(setup, found, self.m_x) * coupling**2
