"""A posterior whose data change, component by component: kept, reweighted, or sampled anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from globalfit.analysis.draws import Draws, of_fit
from globalfit.analysis.pareto import smoothed_weights
from globalfit.analysis.parts import Part, parts
from globalfit.arrays import Array
from globalfit.fit import Fit
from globalfit.posterior import Posterior

LEAST = 0.1  # effective share of the draws below which they would become too few
KEPT, REWEIGHTED, SAMPLED = "kept", "reweighted", "sampled"


@dataclass(frozen=True)
class Piece:
    """A component of a posterior with draws of it.

    Attributes
    ----------
    part : Part
    measurements : tuple of str
        Of its likelihoods.
    draws : Draws
        Equally weighted; with the ln Z of the component.
    route : str
        How they were had: "kept", "reweighted (k = ...)", "sampled".
    """

    part: Part
    measurements: tuple[str, ...]
    draws: Draws
    route: str


def pieces(
    fit: Fit, used: Mapping[str, str], before: Sequence[Piece], seed: int, particles: int
) -> list[Piece]:
    """Return the components of a fit's posterior under some of its likelihoods.

    Parameters
    ----------
    fit : Fit
    used : mapping of str to str
        The likelihoods that count, with the names of their measurements.
    before : sequence of Piece
        Those of the same fit with other measurements, to be kept or reweighted where that is reliable.
    seed, particles : int
        Of the tempered runs.
    """
    whole = fit.posterior
    counted = [whole.likelihoods[name] for name in used]
    posterior = Posterior(whole.space, whole.model, counted, whole.constraints)
    found = []
    for part in parts(posterior):
        measurements = tuple(used[name] for name in part.likelihoods)
        old = next((each for each in before if each.part.parameters == part.parameters), None)
        made: Piece | None = None
        if old is not None and (old.part, old.measurements) == (part, measurements):
            made = replace(old, route=KEPT)
        elif old is not None and old.part.likelihoods and part.likelihoods:
            made = _reweighted(posterior, part, measurements, old, seed)
        found.append(
            made or Piece(part, measurements, of_fit(fit, part.likelihoods, seed, particles), SAMPLED)
        )
    return found


def joined(fit: Fit, used: Mapping[str, str], found: Sequence[Piece]) -> Draws:
    """Return draws of a whole posterior from those of its components; the first has the highest ln L.

    Components are independent, so that their draws may be paired in any order.
    """
    values: dict[str, Array] = {}
    log_likelihoods: dict[str, Array] = {}
    n = min(len(each.draws.values[name]) for each in found for name in each.part.parameters)
    log_evidence = 0.0
    for each in found:
        own = [each.draws.log_likelihoods[name] for name in each.part.likelihoods]
        top = int(np.argmax(np.sum(own, axis=0))) if own else 0
        for name in each.part.parameters:
            values[name] = np.roll(each.draws.values[name], -top)[:n]
        for name, ln_l in zip(each.part.likelihoods, own, strict=True):
            log_likelihoods[name] = np.roll(ln_l, -top)[:n]
        log_evidence += float(each.draws.log_evidence or 0.0)
    space = fit.posterior.space
    idle = [name for name in used if name not in log_likelihoods]
    if idle:
        middle = space.columns(space.from_unit_cube(np.full((1, space.dim), 0.5)))
        point = fit.posterior.point(middle)
        for name in idle:
            likelihood = fit.posterior.likelihoods[name]
            ln_l = fit.posterior.score(likelihood, fit.posterior.predict(likelihood, point), point)
            log_likelihoods[name] = np.full(n, ln_l[0])
            log_evidence += float(ln_l[0])
    return Draws(
        {name: values[name] for name in space.names},
        {name: log_likelihoods[name] for name in used},
        log_evidence,
    )


def _reweighted(
    posterior: Posterior, part: Part, measurements: tuple[str, ...], old: Piece, seed: int
) -> Piece | None:
    """Return a component with other data from its draws with the old ones; None if that is not reliable."""
    space, draws = posterior.space, old.draws
    theta = space.walker(np.column_stack([draws.values[name] for name in space.names]))
    own = [posterior.likelihoods[name] for name in part.likelihoods]
    scored = Posterior(space, posterior.model, own, posterior.constraints).evaluate(theta)
    change = scored.log_likelihood - draws.log_likelihood
    if not np.isfinite(change).any():
        return None
    weights = smoothed_weights(np.where(np.isfinite(change), change, -np.inf))
    n = len(change)
    if not weights.reliable or weights.ess < LEAST * n:
        return None
    rng = np.random.default_rng([seed, 23])
    places = (np.arange(n) + rng.random()) / n
    chosen = rng.permutation(np.searchsorted(np.cumsum(weights.weights), places).clip(max=n - 1))
    made = Draws(
        {name: values[chosen] for name, values in draws.values.items()},
        {name: values[chosen] for name, values in scored.log_likelihoods.items()},
        float(draws.log_evidence or 0.0) + weights.log_mean,
    )
    return Piece(part, measurements, made, f"{REWEIGHTED} (k = {weights.k:.2f})")
