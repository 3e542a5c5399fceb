"""The tempered start: sequential Monte Carlo from draws of the prior to the posterior, with its evidence.

A population is taken through the densities prior x likelihood^beta, beta rising from 0 to 1 as fast as its
effective size allows; at each beta it is resampled and moved. It ends with a fair share in every mode, which
an ensemble that starts anywhere else may never reach. Del Moral, Doucet, Jasra, J. R. Stat. Soc. B 68 (2006)
411.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.posterior import Posterior
from globalfit.sampling.moves import BlockDEMove
from globalfit.sampling.state import State, random_state

PARTICLES = 8000
MOVES = 24  # per stage; with 12 the masses of modes come out wrong by 0.1 on the full posterior
ESS = 0.6  # share of the population that stays effective from one beta to the next
ROUNDS = 200  # how often prior draws that a constraint forbids are redrawn
STAGES = 1000


@dataclass(frozen=True)
class Population:
    """A population on its way from the prior (beta = 0) to the posterior (beta = 1).

    Attributes
    ----------
    coords : (particles, dim)
        Walker coordinates.
    log_prior, log_likelihood : (particles,)
        In walker coordinates.
    beta : float
        Power of the likelihood that the population follows.
    log_evidence : float
        ln of the integral of prior x likelihood^beta, for the prior normalised inside the constraints.
    stage : int
        How many times beta was raised.
    acceptance : float
        Of the last stage's moves.
    """

    coords: Array
    log_prior: Array
    log_likelihood: Array
    beta: float
    log_evidence: float
    stage: int
    acceptance: float


def tempered_population(
    posterior: Posterior,
    seed: int,
    *,
    ensemble: int = 0,
    particles: int = PARTICLES,
    moves: int = MOVES,
    progress: Callable[[Population], None] | None = None,
) -> Population:
    """Return a population of the posterior.

    Parameters
    ----------
    posterior : Posterior
        What to sample.
    seed, ensemble : int
        The stream of random numbers is that of `ensemble` under `seed`.
    particles : int
        Size of the population.
    moves : int
        Block differential-evolution moves after each stage.
    progress : callable, optional
        Called with the population after each stage.

    Raises
    ------
    SamplingError
        If the prior or a constraint forbids all draws, or the likelihood vanishes at all of them.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ensemble, 2)))
    now = _prior_population(posterior, particles, rng)
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed, spawn_key=(ensemble, 3))))
    while now.beta < 1.0:
        if now.stage >= STAGES:
            raise SamplingError(
                "start", f"beta is {now.beta:.3g} after {STAGES} stages", "check the likelihood"
            )
        now = _raise_beta(now, rng)
        now = _move(posterior, now, moves, random)
        if progress is not None:
            progress(now)
    return now


def tempered_start(
    posterior: Posterior,
    walkers: int,
    seed: int,
    *,
    ensemble: int = 0,
    progress: Callable[[Population], None] | None = None,
) -> State:
    """Return a first state whose walkers are drawn from a tempered population; see `tempered_population`."""
    population = tempered_population(posterior, seed, ensemble=ensemble, progress=progress)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ensemble, 4)))
    replace = walkers > len(population.coords)
    coords = population.coords[rng.choice(len(population.coords), size=walkers, replace=replace)]
    rows = posterior.walk(coords)
    return State(coords, rows[:, 0], rows[:, 1:], random_state(seed, ensemble, 1))


def _prior_population(posterior: Posterior, particles: int, rng: np.random.Generator) -> Population:
    coords = np.empty((0, posterior.space.dim))
    for _ in range(ROUNDS):
        draws = posterior.space.draw(particles, rng)
        draws = draws[np.isfinite(draws).all(axis=1)]
        coords = np.concatenate([coords, draws[posterior.evaluate_prior(draws) > -np.inf]])[:particles]
        if len(coords) == particles:
            break
    else:
        raise SamplingError("start", "the constraints forbid nearly all of the prior", "check the priors")
    log_prior, log_likelihood = _densities(posterior, coords)
    if not (log_likelihood > -np.inf).any():
        raise SamplingError(
            "start", f"ln L is -inf at all of {particles} draws of the prior", "check the fit"
        )
    return Population(coords, log_prior, log_likelihood, 0.0, 0.0, 0, math.nan)


def _densities(posterior: Posterior, coords: Array) -> tuple[Array, Array]:
    evaluation = posterior.evaluate(coords)
    return evaluation.log_prior, evaluation.log_likelihood


def _raise_beta(now: Population, rng: np.random.Generator) -> Population:
    """Raise beta until only a share of the population is effective; resample it by its weights."""
    step = _step(now.log_likelihood, 1.0 - now.beta)
    log_weight = np.where(now.log_likelihood > -np.inf, step * now.log_likelihood, -np.inf)
    top = log_weight.max()
    weight = np.exp(log_weight - top)
    log_evidence = now.log_evidence + float(top + np.log(weight.mean()))
    # Systematic resampling: one random offset for all, the least noise.
    places = (np.arange(len(weight)) + rng.random()) / len(weight)
    chosen = np.searchsorted(np.cumsum(weight) / weight.sum(), places).clip(max=len(weight) - 1)
    beta = 1.0 if step >= 1.0 - now.beta else now.beta + step
    return Population(
        now.coords[chosen],
        now.log_prior[chosen],
        now.log_likelihood[chosen],
        beta,
        log_evidence,
        now.stage + 1,
        math.nan,
    )


def _step(log_likelihood: Array, most: float) -> float:
    """Return the largest step in beta, up to `most`, that keeps the effective size above its share."""

    def effective(step: float) -> float:
        log_weight = np.where(log_likelihood > -np.inf, step * log_likelihood, -np.inf)
        weight = np.exp(log_weight - log_weight.max())
        return float(weight.sum() ** 2 / np.square(weight).sum() / len(weight))

    share = ESS * float(np.mean(log_likelihood > -np.inf))
    if effective(most) >= share:
        return most
    low, high = 0.0, most
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= share else (low, middle)
    return high


def _move(posterior: Posterior, now: Population, moves: int, random: np.random.RandomState) -> Population:
    """Move each half of the population along differences of the other half, at fixed beta."""
    move = BlockDEMove()
    coords, log_prior, log_likelihood = now.coords.copy(), now.log_prior.copy(), now.log_likelihood.copy()
    accepted = 0
    half = len(coords) // 2
    for _ in range(moves):
        order = random.permutation(len(coords))
        for here, there in ((order[:half], order[half:]), (order[half:], order[:half])):
            proposed, _ = move.get_proposal(coords[here], [coords[there]], random)
            prior, likelihood = _densities(posterior, proposed)
            with np.errstate(invalid="ignore"):
                gain = prior - log_prior[here] + now.beta * (likelihood - log_likelihood[here])
            yes = np.log(random.random_sample(len(here))) < np.where(prior > -np.inf, gain, -np.inf)
            taken = here[yes]
            coords[taken], log_prior[taken], log_likelihood[taken] = (
                proposed[yes],
                prior[yes],
                likelihood[yes],
            )
            accepted += int(yes.sum())
    return Population(
        coords,
        log_prior,
        log_likelihood,
        now.beta,
        now.log_evidence,
        now.stage,
        accepted / (moves * len(coords)),
    )
