"""The MiniBooNE sector of a model: its parameters and events, by the option ``portal``.

A long-lived X is made in M -> l nu X and turns into a photon on a nucleus, X N -> gamma N. What is exchanged
is A' for a scalar or pseudoscalar X unless ``m_mediator`` is given, and a scalar of that mass for a vector X.
X is taken to live long enough to reach every detector. Conventions: docs/physics/beam.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import ModelError
from globalfit.models import dark_matter_portal
from globalfit.models.dark_matter_portal import DarkSignal
from globalfit.models.mediators import MediatorPoint
from globalfit.parameters import Parameter, Prior
from globalfit.physics.beam import prediction
from globalfit.physics.beam.channels import CHANNELS, HIGHEST_X, LOWEST_X
from globalfit.physics.beam.prediction import LongLived, Masses
from globalfit.priors.shapes import Fixed, LogUniform

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

LONG_LIVED = (
    Parameter("m_x", "MeV", "m_X", Fixed(1.0)),
    Parameter("portal_coupling", "MeV^-1", r"g_\mu g_n \lambda"),
    Parameter("g_x", "", "g_X"),  # of X to the lepton alone: only limits on its production read it
)
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


def limits(portal: Portal) -> Mapping[str, tuple[float, float]]:
    """Return the masses in MeV that the tables cover, {parameter: (low, high)}."""
    if portal == "none":
        return {}
    if portal in dark_matter_portal.PORTALS:
        return dark_matter_portal.LIMITS[portal]
    low, high = LongLived(portal.removeprefix("long-lived-"), tables()).mediators
    return {"m_x": (LOWEST_X, HIGHEST_X), "m_mediator": (low, high)}


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
        return Masses(self.setup, self.m_x, self.m_exchanged)

    def _events(self, quantity: str) -> Array:
        if self.dark_signal is not None:
            return self.dark_signal.events(quantity)
        per_unit = prediction.events(self._masses, quantity)
        return np.asarray(per_unit * (self.portal_coupling**2)[:, None])

    def _branching_ratio(self, channel: str) -> Array:
        if self.dark_signal is not None:
            return self.dark_signal.branching_ratio(channel)
        setup, coupling = self.setup, self.g_x
        (found,) = (each for each in CHANNELS if each.name == channel)
        return prediction.branching_ratio(setup, found, self.m_x) * coupling**2
