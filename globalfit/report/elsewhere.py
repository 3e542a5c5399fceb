"""What a posterior predicts for beam experiments that are in no fit: photons in any detector with a card."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError, GlobalfitError, did_you_mean
from globalfit.fit import Fit
from globalfit.models.portal import PortalPoint
from globalfit.physics.beam.cards import Card, read_card
from globalfit.physics.beam.raw_events import raw_events
from globalfit.report.predictive import LEVELS, SAMPLES, rows_of

ABOVE = {"booster": 100.0, "stopped-pion": 20.0, "collinear": 30.0}  # MeV, energies looked at, by beam
NODES = 6  # masses at which events are calculated; between them their ln is interpolated
MESONS = 2**13  # drawn for each source
NONE = 1e-30  # events of a closed channel


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Events in an experiment, before efficiencies.

    Attributes
    ----------
    experiment, reference : str
    above : float
        Energy of the photons in MeV above which they count.
    exposure : float
        Protons on target.
    best : float
        Of the best sample.
    draws : (n,)
        Of kept samples.
    """

    experiment: str
    reference: str
    above: float
    exposure: float
    best: float
    draws: Array

    @property
    def quantiles(self) -> Array:
        """The quantiles `LEVELS` (5,)."""
        return np.quantile(self.draws, LEVELS)

    def to_dict(self, *, intervals: bool = True) -> dict[str, Any]:
        """Return plain JSON types; without `intervals` (not converged) the best sample alone."""
        found = {
            name: getattr(self, name) for name in ("experiment", "reference", "above", "exposure", "best")
        }
        if intervals:
            found |= dict(zip(("low95", "low68", "median", "high68", "high95"), self.quantiles, strict=True))
        plain: dict[str, Any] = strict(found | {"samples": len(self.draws)})
        return plain


def shipped_cards() -> dict[str, Path]:
    """Return the cards that globalfit ships, by name."""
    folder = Path(str(files("globalfit.likelihoods").joinpath("data", "experiments")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def card_of(experiment: str) -> Card:
    """Return the card of a shipped experiment, or of a TOML file.

    Raises
    ------
    GlobalfitError
        If there is none.
    """
    known = shipped_cards()
    if experiment.endswith(".toml"):
        return read_card(Path(experiment))
    if experiment not in known:
        raise GlobalfitError("--experiment", f"no card named '{experiment}'", did_you_mean(experiment, known))
    return read_card(known[experiment])


def elsewhere(
    chain: Chain,
    fit: Fit,
    card: Card,
    *,
    above: float | None = None,
    samples: int = SAMPLES,
    discard: int | None = None,
) -> Elsewhere:
    """Return the events of a long-lived X in an experiment, in neutrino mode, with efficiency one.

    Parameters
    ----------
    chain, fit
        A chain and the fit that it was sampled from, of a model with a long-lived portal.
    card : Card
    above : float, optional
        Lowest energy of a photon in MeV; `ABOVE` by default.
    samples, discard
        As in `globalfit.report.predictive.predict`.

    Raises
    ------
    ChainError
        If the model has no long-lived particle, or lets it decay on its way.
    """
    posterior = fit.posterior
    rows = rows_of(chain, posterior.space.names, samples, discard)
    values = np.column_stack([rows[name] for name in posterior.space.names])
    point = posterior.point(posterior.space.columns(posterior.space.walker(values)))
    portal = str(getattr(posterior.model, "portal", "none"))
    if not isinstance(point, PortalPoint) or not portal.startswith("long-lived-"):
        raise ChainError(
            str(chain.path), f"its model has no long-lived particle (portal = '{portal}')",
            "predict a fit with portal = 'long-lived-scalar', '-pseudoscalar' or '-vector'",
        )  # fmt: skip
    if point.lifetime != "infinite":
        raise ChainError(
            str(chain.path), "its X decays on its way, which is not followed to other experiments",
            "set lifetime = 'infinite'",
        )  # fmt: skip
    above = ABOVE[card.beam] if above is None else above
    m_x, m_mediator = (np.broadcast_to(each, point.n) for each in (point.m_x, point.m_exchanged))
    nodes = [_nodes(m_x), _nodes(m_mediator)]
    tables: dict[str, Array] = {parent: np.empty((len(nodes[0]), len(nodes[1]))) for parent in card.parents}
    for i, x in enumerate(nodes[0]):
        for j, mediator in enumerate(nodes[1]):
            made = raw_events(card, point.setup, float(x), float(mediator), 1.0, above=above, n=MESONS)
            for parent, events in made.by_parent.items():
                tables[parent][i, j] = max(float(events.sum()), NONE)
    at = np.column_stack([np.log(m_x), np.log(m_mediator)])
    total = np.zeros(point.n)
    for parent, table in tables.items():
        total += np.exp(_between(nodes, np.log(table), at)) * point.flux_scale(parent)
    total *= point.portal_coupling**2
    return Elsewhere(card.name, card.reference, above, card.exposure["nu"], float(total[0]), total[1:])


def _nodes(values: Array) -> Array:
    """Return masses that span the samples; one if all are the same."""
    low, high = float(values.min()), float(values.max())
    return np.array([low]) if high - low <= 1e-9 * high else np.geomspace(low, high, NODES)


def _between(nodes: list[Array], table: Array, at: Array) -> Array:
    """Interpolate a table over the masses that vary, at their logarithms (n, 2)."""
    vary = [axis for axis, each in enumerate(nodes) if len(each) > 1]
    if not vary:
        return np.full(len(at), table[0, 0])
    kept = table[tuple(slice(None) if axis in vary else 0 for axis in range(2))]
    places = [np.log(nodes[axis]) for axis in vary]
    found = RegularGridInterpolator(places, kept, method="pchip", bounds_error=False, fill_value=None)
    return np.asarray(found(at[:, vary]))
