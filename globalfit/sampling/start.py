"""Where the walkers start: over-dispersed draws of the prior, or around a given point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.posterior import Posterior
from globalfit.sampling.ensemble import describe
from globalfit.sampling.state import State, random_state

ROUNDS = 200  # how often draws without posterior are redrawn
BALL = 0.02  # width of the cloud around a start point, in prior probability


def start(
    posterior: Posterior,
    walkers: int,
    seed: int,
    *,
    ensemble: int = 0,
    point: Mapping[str, float] | None = None,
) -> State:
    """Return the first state of an ensemble.

    Draws of the prior cover all of it, so that no mode is favoured; draws where the posterior vanishes are
    redrawn.

    Parameters
    ----------
    posterior : Posterior
        What will be sampled.
    walkers, seed, ensemble : int
        Number of walkers; the stream of random numbers is that of `ensemble` under `seed`.
    point : mapping, optional
        Start in a small cloud around these physical values instead.

    Raises
    ------
    SamplingError
        If the posterior vanishes at (almost) all draws; names the likelihood that does it.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ensemble, 0)))
    space = posterior.space
    coords = np.empty((0, space.dim))
    for _ in range(ROUNDS):
        draws = space.draw(walkers, rng) if point is None else _around(posterior, point, walkers, rng)
        draws = draws[np.isfinite(draws).all(axis=1)]
        good = draws[posterior(draws) > -np.inf]
        coords = np.concatenate([coords, good])[:walkers]
        if len(coords) == walkers:
            break
    else:
        raise SamplingError(
            "start", _blame(posterior, space.draw(1000, rng)), "check the priors and the data"
        )
    rows = posterior.walk(coords)
    return State(
        coords=coords,
        log_prob=rows[:, 0],
        blobs=rows[:, 1:],
        described=describe(posterior, coords),
        random=random_state(seed, ensemble, 1),
    )


def _around(posterior: Posterior, point: Mapping[str, float], n: int, rng: np.random.Generator) -> Array:
    """Draw around a point: normal in each coordinate with a width of 2 % of the prior's."""
    space = posterior.space
    centre = space.walker(np.array([[point[name] for name in space.names]]))
    width: Array = BALL * np.std(space.draw(1000, rng), axis=0)
    cloud: Array = centre + width * rng.standard_normal((n, space.dim))
    return cloud


def _blame(posterior: Posterior, draws: Array) -> str:
    evaluation = posterior.evaluate(draws)
    if not (evaluation.log_prior > -np.inf).any():
        return f"the prior or a constraint forbids all of {len(draws)} draws of the priors"
    for name, values in evaluation.log_likelihoods.items():
        if not (values > -np.inf).any():
            return f"the likelihood '{name}' is -inf at all of {len(draws)} draws of the prior"
    return f"the posterior vanishes at all but a few of {len(draws)} draws of the prior"
