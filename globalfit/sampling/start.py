"""Where the walkers start: over-dispersed draws of the prior, or around a given point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.parameters import ParameterSpace
from globalfit.posterior import Posterior
from globalfit.sampling.state import State, random_state

ROUNDS = 200  # how often draws without posterior are redrawn
BALL = 0.02  # width of the cloud around a start point, in prior probability

Draw: TypeAlias = Callable[[int, np.random.Generator], Array]


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
    draw = _prior(space) if point is None else _cloud(space, point, rng)
    for _ in range(ROUNDS):
        draws = draw(walkers, rng)
        good = draws[posterior(draws) > -np.inf]
        coords = np.concatenate([coords, good])[:walkers]
        if len(coords) == walkers:
            break
    else:
        where = "of the prior" if point is None else "around the start point"
        remedy = "check the priors and the data" if point is None else "move 'point'"
        raise SamplingError("start", _blame(posterior, draw(1000, rng), where), remedy)
    rows = posterior.walk(coords)
    return State(
        coords=coords,
        log_prob=rows[:, 0],
        blobs=rows[:, 1:],
        random=random_state(seed, ensemble, 1),
    )


def _prior(space: ParameterSpace) -> Draw:
    """Draws of the prior; those that are not finite (an edge of an open coordinate) are left out."""

    def draw(n: int, rng: np.random.Generator) -> Array:
        coords = space.draw(n, rng)
        return coords[np.isfinite(coords).all(axis=1)]

    return draw


def _cloud(space: ParameterSpace, point: Mapping[str, float], rng: np.random.Generator) -> Draw:
    """Draws around a point: normal in each coordinate with a width of 2 % of the prior's."""
    centre = space.walker(np.array([[point[name] for name in space.names]]))
    width = BALL * np.std(_prior(space)(1000, rng), axis=0)

    def draw(n: int, rng: np.random.Generator) -> Array:
        cloud: Array = centre + width * rng.standard_normal((n, space.dim))
        return cloud

    return draw


def _blame(posterior: Posterior, draws: Array, where: str) -> str:
    evaluation = posterior.evaluate(draws)
    if not (evaluation.log_prior > -np.inf).any():
        return f"the prior or a constraint forbids all of {len(draws)} draws {where}"
    for name, values in evaluation.log_likelihoods.items():
        if not (values > -np.inf).any():
            return f"the likelihood '{name}' is -inf at all of {len(draws)} draws {where}"
    return f"the posterior vanishes at all but a few of {len(draws)} draws {where}"
