"""The tempered start: sequential Monte Carlo from draws of the prior to the posterior, with its evidence.

A population is taken through the densities prior x likelihood^beta, beta rising from 0 to 1 as fast as its
effective size allows; at each beta it is resampled and moved. It ends with a fair share in every mode, which
an ensemble that starts anywhere else may never reach. Del Moral, Doucet, Jasra, J. R. Stat. Soc. B 68 (2006)
411. Components of the posterior that share nothing are tempered each at its own pace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Blocks, Component, blocks
from globalfit.sampling.freezing import fitted, frozen_proposal
from globalfit.sampling.moves import differ, halve
from globalfit.sampling.population import Population as Population
from globalfit.sampling.state import Origin, State, random_state
from globalfit.sampling.trial import Cloud, Trial
from globalfit.sampling.tries import attempt

PARTICLES = 8000
MOVES = 24  # at most, per stage
TRIES = 2  # draws from a mixture in each
ENOUGH = 0.1  # correlation with the start of the stage below which its moves end
LEAST = 4  # moves per stage in any case
ESS = 0.6  # share of the population that stays effective from one beta to the next
ROUNDS = 200  # how often prior draws that a constraint forbids are redrawn
STAGES = 1000
REFINED = 3  # rounds that refine the mixtures of a stage


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
        Most moves after each stage; they end earlier once the population has forgotten where it was.
    progress : callable, optional
        Called with the population after each stage.

    Raises
    ------
    SamplingError
        If the prior or a constraint forbids all draws, or the likelihood vanishes at all of them.
    """
    now = first_population(posterior, seed, ensemble, particles=particles)
    while not now.finished:
        now = next_population(posterior, now, seed, ensemble, moves=moves)
        if progress is not None:
            progress(now)
    return now


def first_population(
    posterior: Posterior, seed: int, ensemble: int = 0, *, particles: int = PARTICLES
) -> Population:
    """Return draws of the prior inside the constraints, with their likelihoods; see `tempered_population`."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ensemble, 2)))
    structure = blocks(posterior)
    coords = np.empty((0, posterior.space.dim))
    for _ in range(ROUNDS):
        draws = posterior.space.draw(particles, rng)
        draws = draws[np.isfinite(draws).all(axis=1)]
        coords = np.concatenate([coords, draws[posterior.evaluate_prior(draws) > -np.inf]])[:particles]
        if len(coords) == particles:
            break
    else:
        raise SamplingError("start", "the constraints forbid nearly all of the prior", "check the priors")
    trial, every = Trial(posterior, coords), np.arange(particles)
    found = [trial.log_likelihood(name, every) for name in posterior.likelihoods]
    log_likelihoods = np.column_stack([np.empty((particles, 0)), *found])
    for name, values in zip(posterior.likelihoods, found, strict=True):
        if not (values > -np.inf).any():
            problem = f"the likelihood '{name}' is -inf at all of {particles} draws of the prior"
            raise SamplingError("start", problem, "check the fit")
    parts = structure.components
    return Population(
        coords,
        trial.log_prior,
        log_likelihoods,
        betas=np.array([0.0 if len(each.likelihoods) else 1.0 for each in parts]),
        log_evidences=np.zeros(len(parts)),
        ancestors=np.tile(every, (len(parts), 1)).astype(np.int64),
        history=np.empty((0, len(parts), 5)),
        idle=float(log_likelihoods[0, structure.idle].sum()),
    )


def next_population(
    posterior: Posterior, now: Population, seed: int, ensemble: int = 0, *, moves: int = MOVES
) -> Population:
    """Return the population one stage on: beta raised, resampled, moved, in each component not yet at 1.

    Its random numbers depend on seed, ensemble and stage alone, so that a start goes on after an interruption
    as if there had been none.
    """
    if now.stage >= STAGES:
        problem = f"beta is {now.beta:.3g} after {STAGES} stages"
        raise SamplingError("start", problem, "check the likelihood")
    structure = blocks(posterior)
    track = np.full((len(structure.components), 5), np.nan)
    after = replace(
        now,
        coords=now.coords.copy(),
        log_likelihoods=now.log_likelihoods.copy(),
        betas=now.betas.copy(),
        log_evidences=now.log_evidences.copy(),
        ancestors=now.ancestors.copy(),
    )
    streams = np.random.SeedSequence(seed, spawn_key=(ensemble, 3, now.stage)).spawn(len(track))
    for i, (component, stream) in enumerate(zip(structure.components, streams, strict=True)):
        if now.betas[i] < 1.0:
            rng = np.random.default_rng(stream)
            _raise_beta(after, i, component, rng)
            track[i] = _move(posterior, structure, component, after, i, moves, rng)
    log_prior = posterior.space.log_prior(after.coords)
    return replace(after, log_prior=log_prior, history=np.concatenate([now.history, track[None]]))


def first_state(
    posterior: Posterior, population: Population, walkers: int, seed: int, ensemble: int
) -> State:
    """Return a first state whose walkers are drawn from a finished population."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ensemble, 4)))
    replaced = walkers > len(population.coords)
    coords = population.coords[rng.choice(len(population.coords), size=walkers, replace=replaced)]
    rows = posterior.walk(coords)
    return State(coords, rows[:, 0], rows[:, 1:], random_state(seed, ensemble, 1))


def arrived(posterior: Posterior, population: Population, walkers: int, seed: int, ensemble: int) -> State:
    """Return what a finished population leaves to its ensemble: walkers, ln Z and the frozen proposal."""
    origin = Origin(
        population.log_evidence,
        population.error_log_evidence,
        population.stage,
        population.unique,
        frozen_proposal(posterior, population).to_bytes(),
    )
    return replace(first_state(posterior, population, walkers, seed, ensemble), origin=origin)


def _raise_beta(now: Population, i: int, component: Component, rng: np.random.Generator) -> None:
    """Raise one beta until only a share of the population is effective; resample it by its weights."""
    log_likelihood = now.log_likelihoods[:, component.likelihoods].sum(axis=1)
    if not (log_likelihood > -np.inf).any():
        problem = f"ln L is -inf at all of {len(log_likelihood)} draws of the prior"
        raise SamplingError("start", problem, "check the fit")
    left = 1.0 - float(now.betas[i])
    step = _step(log_likelihood, left)
    log_weight = np.where(log_likelihood > -np.inf, step * log_likelihood, -np.inf)
    top = log_weight.max()
    weight = np.exp(log_weight - top)
    now.log_evidences[i] += top + np.log(weight.mean())
    now.betas[i] = 1.0 if step >= left else now.betas[i] + step
    # Systematic resampling: one random offset for all, the least noise.
    places = (np.arange(len(weight)) + rng.random()) / len(weight)
    chosen = np.searchsorted(np.cumsum(weight) / weight.sum(), places).clip(max=len(weight) - 1)
    # In random order: components must not be paired by it, nor neighbours be copies.
    chosen = rng.permutation(chosen)
    for values, columns in (
        (now.coords, component.parameters),
        (now.log_likelihoods, component.likelihoods),
    ):
        values[:, columns] = values[np.ix_(chosen, columns)]
    now.ancestors[i] = now.ancestors[i, chosen]


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


def _move(
    posterior: Posterior,
    structure: Blocks,
    component: Component,
    now: Population,
    i: int,
    moves: int,
    rng: np.random.Generator,
) -> Array:
    """Move one component at fixed beta until it has forgotten its start; return its line of the history."""
    random = np.random.RandomState(np.random.MT19937(rng.integers(2**63)))
    x = now.coords[:, component.parameters]
    cloud = Cloud(now.coords, posterior.space.log_prior(now.coords), now.log_likelihoods)
    before, beta = _watched(cloud, component), float(now.betas[i])
    # Each half moves by a mixture that the other half was fitted with: it knows nothing of whom it moves.
    halves = halve(len(x), random)
    sources = [fitted(cloud, component, half, rng, REFINED, beta) for half in halves[::-1]]
    accepted, done, correlation = 0, 0, 1.0
    while done < moves and (done < LEAST or correlation > ENOUGH):
        moved = np.zeros(len(x), dtype=np.bool_)
        for half, each in zip(halves, sources, strict=True):
            moved[half] = attempt(posterior, component, cloud, half, each, TRIES, random, beta=beta)
        moved |= differ(posterior, structure, component, cloud, halves, random, beta=beta)
        accepted += int(moved.sum())
        done += 1
        correlation = _correlation(before, _watched(cloud, component))
    unique = len(np.unique(now.coords[:, component.parameters], axis=0)) / len(now.coords)
    return np.array([beta, accepted / (done * len(x)), done, unique, correlation])


def _watched(cloud: Cloud, component: Component) -> Array:
    """Return the parameters of a component and its ln L, side by side (n, k + 1)."""
    total = cloud.log_likelihoods[:, component.likelihoods].sum(axis=1)
    return np.column_stack([cloud.coords[:, component.parameters], total])


def _correlation(before: Array, after: Array) -> float:
    """Return the largest correlation of a quantity with its value before."""
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    norm = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return float(np.max(np.abs((a * b).sum(axis=0)) / np.where(norm > 0.0, norm, 1.0)))
