"""The dark-matter portals of U(1)_T3R: eta_1 of meson decays that scatters up to eta_2, which makes e+ e-.

In "dark-matter-single" and "dark-matter-double" chi, chi' are eta_1, eta_2, V1 is A', and V2 is A' or a
vector of mass ``m_v2``; all branching ratios are one, decays are prompt, and the product of couplings is
free. In "predicted" every coupling, branching ratio and lifetime is the model's.
Conventions: docs/physics/beam-dark-matter.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M
from globalfit.parameters import Parameter, Prior
from globalfit.physics.beam.dark_matter import eta_decay, flux, prediction, prepared
from globalfit.physics.beam.dark_matter.channels import (
    CHARGED,
    GAP,
    M_CHI,
    M_V1,
    M_V2,
    NEUTRAL,
    OBSERVABLES,
    right_handed_weights,
)
from globalfit.physics.beam.dark_matter.eta_decay import EtaPair, Way
from globalfit.physics.beam.dark_matter.flux import Masses
from globalfit.physics.beam.dark_matter.lsnd import BINS as LSND_BINS
from globalfit.physics.beam.dark_matter.prepared import PARTS, DarkMatter
from globalfit.physics.beam.grid import CENTRES, MODES
from globalfit.physics.beam.nuclei import charge_weights
from globalfit.priors.shapes import LogUniform

if TYPE_CHECKING:
    from globalfit.models.t3r import T3R
    from globalfit.models.t3r_point import T3RPoint

PORTALS: Final = ("dark-matter-single", "dark-matter-double", "predicted")
COUPLINGS = (
    Parameter("portal_coupling", "", r"g_1 e\epsilon_2 g_2'"),
    Parameter("g_x", "", "g_1"),  # of V1 to the leg that radiates it: only limits on its production read it
)
PARAMETERS: Mapping[str, tuple[Parameter, ...]] = {
    "dark-matter-single": COUPLINGS,
    "dark-matter-double": (*COUPLINGS, Parameter("m_v2", "MeV", "m_{V_2}")),
    "predicted": (),
}
RANGES: Mapping[str, Prior] = {"m_v2": LogUniform(10.0, 1000.0)}
_NOTE = (
    "portal = '{}': g_1 e eps_2 g_2', and eps_1 eps_2 g_2' = portal_coupling/(4 pi alpha), both branching "
    "ratios one; depends on the options production_leg, leptons and nuclear_charge "
    "(docs/physics/beam-dark-matter.md)"
)
NOTES: Mapping[str, Mapping[str, str]] = {
    **{portal: {"portal_coupling": _NOTE.format(portal)} for portal in PORTALS[:2]},
    "predicted": {},
}
LIMITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "dark-matter-single": {"m_aprime": M_V1, "m_eta": M_CHI, "delta_eta": GAP},
    "dark-matter-double": {"m_aprime": M_V1, "m_eta": M_CHI, "delta_eta": GAP, "m_v2": M_V2},
    "predicted": {"m_aprime": M_V1, "m_eta": M_CHI},  # below 2 m_e the gap gives no pair, and no events
}
# Mean way, m, from a random point of a sphere to its surface in a random direction: 3/4 of the radius.
WAY: Final = {"miniboone": 0.75 * 5.0, "lsnd": 0.75 * 2.728}  # fiducial volumes


@cache
def tables() -> Path:
    """Return where the shipped tables are."""
    return Path(str(files("globalfit.likelihoods").joinpath("data", "dark_matter_tables.h5")))


def free(model: T3R) -> DarkMatter:
    """Return production and charges of the portals with a free coupling, by the model's options."""
    return prepared.dark_matter(tables(), model.production_leg, model.leptons, model.nuclear_charge)


@cache
def predicted(fermions: tuple[str, str, str]) -> DarkMatter:
    """Return production of A' with a variant's charges: pi, K -> l nu A' per g_R^2, pi0, eta -> gamma A'.

    A lepton without charge still has A' from the meson and the contact leg.
    """
    up, strange = (-1.0 if "u" in fermions else 0.0), (1.0 if "s" in fermions else 0.0)
    down = 1.0 if "d" in fermions else 0.0
    production: list[tuple[str, tuple[float, ...]]] = []
    for source in CHARGED:
        charge = 1.0 if source.lepton in fermions else 0.0
        difference = up - (down if source.meson == "pi" else strange)
        if charge or difference:
            weights = right_handed_weights(-charge, -0.5 * difference, difference)
            production.append((source.name, weights))
    production += [(source.name, (1.0,)) for source in NEUTRAL]
    return DarkMatter(tables(), tuple(production), None)


@dataclass(frozen=True, eq=False)
class DarkSignal:
    """Events of a point's portal, all (n, bins)."""

    point: T3RPoint

    @property
    def portal(self) -> str:
        """Name of the portal."""
        return self.point.model.portal

    @cached_property
    def setup(self) -> DarkMatter:
        """Sources of A', and nuclear charges."""
        model = self.point.model
        return predicted(model.fermions) if self.portal == "predicted" else free(model)

    @cached_property
    def masses(self) -> Masses:
        """Masses, with their places in the tables."""
        at = self.point
        if self.portal == "predicted":
            light = at.m_eta / np.maximum(self.stretch, 1e-9)
            return Masses(
                self.setup, at.m_aprime, at.m_aprime, at.m_eta, at.m_eta2,
                flux_m_chi=light, charges=charge_weights(PARTS, at.g_p, at.g_n), engine=at.engine,
            )  # fmt: skip
        m_v2 = at.m_v2 if self.portal == "dark-matter-double" else at.m_aprime
        return Masses(self.setup, at.m_aprime, m_v2, at.m_eta, at.m_eta2, engine=at.engine)

    def events(self, quantity: str, group: str = "all") -> Array:
        """Return events of all sources, or of "charged" or "neutral" mesons alone."""
        if self.portal == "predicted":
            return self._predicted(quantity, group)
        own = "neutral" if self.point.model.production_leg == "neutral" else "charged"
        coupling2 = (self.point.portal_coupling**2)[:, None]
        if group not in ("all", own):
            return 0.0 * coupling2
        return prediction.events(self.masses, quantity) * coupling2

    def branching_ratio(self, channel: str) -> Array:
        """Return BR(M -> l nu A') (n,) of "pi_mu", "pi_e" or "k_mu"."""
        coupling2 = self.point.g_r**2 if self.portal == "predicted" else self.point.g_x**2
        for name, weights in self.setup.production:
            if name == channel:
                return coupling2 * flux.branching_ratio(tables(), name, weights, self.point.m_aprime)
        return 0.0 * coupling2

    # --- predicted

    @cached_property
    def stretch(self) -> Array:
        """Energy of eta_1 of A' -> eta_1 eta_2 over m_A'/2 (n,), in the frame of A'.

        Momenta are those of a pair of equal masses m_eta/stretch, times this factor.
        """
        at = self.point
        energy = 1.0 - (at.m_eta2 - at.m_eta) * (at.m_eta2 + at.m_eta) / at.m_aprime**2
        return np.where(at.m_aprime > at.m_eta + at.m_eta2, energy, 0.0)

    @cached_property
    def factors(self) -> dict[str, Array]:
        """Squared couplings (n,) of each source: g_R, and what replaces e in pi0, eta -> gamma gamma."""
        at = self.point
        found = dict.fromkeys(self.masses.setup.sources, at.g_r**2)
        # anomaly with quark contents u - d and u + d - s
        g_s = at.g_s_vector
        found["pi0"] = (2.0 * at.g_u_vector + at.g_d_vector) ** 2
        found["eta"] = ((6.0 * at.g_u_vector - 3.0 * at.g_d_vector + 3.0 * g_s) / 4.0) ** 2
        return found

    @cached_property
    def widths(self) -> tuple[Array, Array]:
        """Widths (n,) of eta_2 -> eta_1 e+ e- and in total, MeV, through virtual A'."""
        at = self.point
        couplings = (at.g_eta, at.m_nus, at.g_r, at.theta_nu * at.g_r)
        leptons = (at.g_e_vector, at.g_e_axial, at.g_mu_vector, at.g_mu_axial)
        return eta_decay.widths(
            EtaPair(at.m_eta, at.m_eta2, at.m_aprime, *couplings, *leptons), at.engine
        )  # fmt: skip

    @cached_property
    def rates(self) -> Array:
        """What multiplies production and scattering (n,): A' -> eta_1 eta_2, eta_2 -> eta_1 e+ e-."""
        at = self.point
        if at.model.eta_charges == "literal":
            return np.zeros_like(at.g_eta)  # A' couples diagonally: eta_1 never becomes eta_2
        electrons, total = self.widths
        pairs = np.divide(electrons, total, out=np.zeros_like(total), where=total > 0.0)
        # one eta_1 an A', where the tables count two
        return np.asarray(0.5 * at.br_aprime_eta_eta * at.g_eta**2 * pairs)

    def _factors(self, group: str) -> dict[str, Array]:
        neutral = {source.name for source in NEUTRAL}
        return {
            name: factor * (group == "all" or (name in neutral) == (group == "neutral"))
            for name, factor in self.factors.items()
        }

    def _predicted(self, quantity: str, group: str) -> Array:
        if quantity == "signal_lsnd":
            made = prediction.lsnd_events(self.masses, self._factors(group), self._lsnd_way.change)[:, None]
        else:
            a = self._amplitudes(OBSERVABLES[quantity].mode, group)
            made = prediction.fold(self.masses, a, quantity)
        # no rate is no events outside the tables too, as is what is closed
        return np.multiply(
            made, self.rates[:, None], out=np.zeros_like(made), where=self.rates[:, None] > 0.0
        )

    def _amplitudes(self, mode: str, group: str) -> Array:
        """Amplitudes (n, k) of the flux whose eta_2 decay in the detector."""
        if group not in self._fluxes:
            self._fluxes[group] = flux.total_amplitudes(self.masses, self._factors(group))
        spectra = prepared.spectra(tables(), self._fluxes[group][:, MODES.index(mode)])
        return prepared.project(tables(), self._miniboone_way.change(spectra))

    @cached_property
    def _fluxes(self) -> dict[str, Array]:
        return {}

    @cached_property
    def _miniboone_way(self) -> Way:
        return self._way(CENTRES[prepared.seen(tables())], "miniboone")

    @cached_property
    def _lsnd_way(self) -> Way:
        return self._way(CENTRES[:LSND_BINS], "lsnd")

    def _way(self, energies: Array, card: str) -> Way:
        at = self.point
        loss = (WAY[card] / HBARC_MEV_M) * at.m_eta2 * self.widths[1]
        return Way.of(energies, self.stretch, at.m_eta2, loss, at.engine)
