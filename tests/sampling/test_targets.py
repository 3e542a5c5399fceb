"""Targets with known answers: the whole way from the prior to a verdict, and the evidence in closed form.

The seeds were fixed before any result was looked at. Errors are those that the sampler itself quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from globalfit.priors.shapes import Uniform
from globalfit.sampling.census import count_modes
from globalfit.sampling.ensemble import advance
from globalfit.sampling.moves import component_moves
from globalfit.sampling.reasons import AROUND_POINT
from globalfit.sampling.tempered import first_state, frozen_proposal, tempered_population

SEEDS = (1, 2, 3, 4)
CENTRES = np.array([[-5.0] * 6, [5.0] * 6, [-5.0, 5.0] * 3])
WEIGHTS = (0.5, 0.3, 0.2)
WIDTH = 0.5


def normal(x, sigma):
    return -0.5 * (x / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def three_modes(x):
    """Normalised; the modes are 35 to 49 of their widths apart."""
    terms = [
        np.log(weight) + normal(x - centre, WIDTH).sum(axis=1)
        for weight, centre in zip(WEIGHTS, CENTRES, strict=True)
    ]
    return np.logaddexp.reduce(terms, axis=0)


def shares(x):
    """Share of the points (n, 6) in each mode."""
    nearest = np.square(x[:, None] - CENTRES).sum(axis=-1).argmin(axis=1)
    return np.bincount(nearest, minlength=3) / len(x)


def box(toy, function, dim=6, half=10.0):
    return toy.posterior([Uniform(-half, half)] * dim, function)


def sampled(toy, path, posterior, steps=None, **sampler):
    """The chain of a fit as a user makes it: four ensembles into a file."""
    settings = {"ensembles": 4, "start": "tempered", "walkers": 64} | sampler
    return toy.fit(posterior, **settings).run(path / "chain.h5", steps=steps)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_three_modes_from_the_prior_to_the_verdict(toy, tmp_path, seed):
    chain = sampled(toy, tmp_path, box(toy, three_modes), seed=seed)
    verdict = chain.verdict
    assert verdict.converged, verdict.reasons
    assert verdict.worst_ess > 1000
    (census,) = verdict.census
    assert len(census.modes) == 3
    for mode, weight in zip(census.modes, WEIGHTS, strict=True):
        assert mode.masses == pytest.approx([weight] * 4, abs=0.05)
        assert abs(mode.mass - weight) < 4 * mode.error
    # the population that placed the walkers says the same, ensemble by ensemble
    evidence = np.array(verdict.evidence)
    assert np.std(evidence, ddof=1) < 0.1
    assert evidence.mean() == pytest.approx(-6 * np.log(20.0), abs=0.1)


def test_three_modes_by_a_smaller_population(toy):
    """2000 particles, a quarter of the default: weights to 0.05 all the same."""
    found = tempered_population(box(toy, three_modes), SEEDS[0], particles=2000)
    assert shares(found.coords) == pytest.approx(WEIGHTS, abs=0.05)


def from_a_ball(toy, path, width, steps, walkers):
    """Four ensembles from a ball in the mode that holds a fifth of the posterior."""

    def function(x):
        return three_modes(5.0 * np.sign(x) + (x - 5.0 * np.sign(x)) * WIDTH / width)

    point = {f"x{i}": float(x) for i, x in enumerate(CENTRES[2])}
    settings = {"start": "point", "point": point, "walkers": walkers}
    return sampled(toy, path, box(toy, function), steps, **settings)


@pytest.mark.parametrize("width", [0.5, 0.05])  # the ball is 0.12 wide
def test_three_modes_from_a_ball(toy, tmp_path, width):
    chain = from_a_ball(toy, tmp_path, width, 120, 16)
    assert shares(chain.values[-1])[2] == 1.0
    assert not chain.verdict.converged
    assert AROUND_POINT in chain.verdict.lasting


@pytest.mark.slow
def test_three_modes_from_a_ball_for_long(toy, tmp_path):
    """All else is perfect: tau, R-hat, ESS, the four masses of the one mode that is seen."""
    chain = from_a_ball(toy, tmp_path, 0.05, 2000, 64)
    verdict = chain.verdict
    assert shares(chain.values[-1])[2] == 1.0  # where a fifth of the posterior lies
    assert verdict.worst_ess > 10_000
    assert max(each.rhat for each in verdict.quantities) < 1.01
    assert verdict.census[0].agrees
    assert verdict.reasons == (AROUND_POINT,)


@dataclass(frozen=True)
class Known:
    """A target with its ln Z under flat priors, and the distribution functions of what is compared."""

    function: Any
    dim: int
    half: float
    mass: float  # integral of exp(function) inside the prior
    marginals: dict[str, tuple[Any, Any]]  # {name: (quantity of x, its distribution function)}

    @property
    def log_evidence(self):
        return float(np.log(self.mass)) - self.dim * np.log(2 * self.half)


def column(i):
    return lambda x: x[:, i]


def tabulated(density, low, high):
    """The distribution function of an unnormalised density."""
    grid = np.linspace(low, high, 20_001)
    total = integrate.cumulative_simpson(density(grid), x=grid, initial=0.0)
    return lambda t: np.interp(t, grid, total / total[-1])


def gaussian10():
    """Ten correlated dimensions, condition number 900."""
    rng = np.random.default_rng(4)
    axes = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    covariance = (axes * np.geomspace(1.0, 1 / 900, 10)) @ axes.T
    precision = np.linalg.inv(covariance)
    norm = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]

    def function(x):
        return -0.5 * np.einsum("ni,ij,nj->n", x, precision, x) - norm

    marginals = {f"x{i}": (column(i), stats.norm(0.0, np.sqrt(covariance[i, i])).cdf) for i in range(10)}
    return Known(function, 10, 10.0, 1.0, marginals)


def banana():
    """Six dimensions, a parabola 1/10 as wide as it is high in the first two."""

    def function(x):
        return normal(x[:, 0], 1.0) + normal(x[:, 1] - x[:, 0] ** 2, 0.3) + normal(x[:, 2:], 1.0).sum(axis=1)

    u = np.linspace(-6.0, 6.0, 4001)

    def height(y):
        return np.array([integrate.simpson(np.exp(normal(u, 1.0) + normal(t - u**2, 0.3)), x=u) for t in y])

    grid = np.linspace(-2.0, 30.0, 4001)
    total = integrate.cumulative_simpson(height(grid), x=grid, initial=0.0)
    marginals = {f"x{i}": (column(i), stats.norm.cdf) for i in (0, 2, 3, 4, 5)}
    marginals["x1"] = (column(1), lambda t: np.interp(t, grid, total / total[-1]))
    return Known(function, 6, 30.0, 1.0, marginals)


def funnel(dim=3, slope=0.5, half=40.0):
    """Neal's: the first parameter sets the width of the others, from 1/5 to 5 within two sigma."""

    def function(x):
        return normal(x[:, 0], 1.5) + normal(x[:, 1:], np.exp(slope * x[:, :1])).sum(axis=1)

    def density(v):  # of the first parameter; the prior cuts the others
        return np.exp(normal(v, 1.5)) * (1.0 - 2.0 * stats.norm.sf(half * np.exp(-slope * v))) ** (dim - 1)

    grid = np.linspace(-12.0, 12.0, 20_001)
    mass = integrate.simpson(density(grid), x=grid)
    marginals = {"x0": (column(0), tabulated(density, -12.0, 12.0))} | {
        f"x{i}": (lambda x, i=i: x[:, i] * np.exp(-slope * x[:, 0]), stats.norm.cdf) for i in range(1, dim)
    }
    return Known(function, dim, half, float(mass), marginals)


def corner():
    """Highest at, or beyond, a corner of its prior: bounded by it in every direction."""
    beyond = np.array([0.0, 1.0, 2.0])  # of the edge at 10, in widths

    def function(x):
        return normal(x - 10.0 - beyond, 1.0).sum(axis=1)

    mass = float(np.prod(stats.norm.sf(beyond)))

    def below(i):
        return lambda t: stats.norm.sf(beyond[i] + 10.0 - t) / stats.norm.sf(beyond[i])

    return Known(function, 3, 10.0, mass, {f"x{i}": (column(i), below(i)) for i in range(3)})


def ridge():
    """1e-3 wide along the diagonal of two dimensions, cut off by the prior at both ends."""

    def function(x):
        return normal(x[:, 0] - x[:, 1], 1e-3) + normal(x[:, 0] + x[:, 1], 8.0) + np.log(2.0)

    mass = 2 * stats.norm.cdf(20.0 / 8.0) - 1  # |x + y| < 20 inside the prior, but for 1e-4 of the mass
    along = tabulated(lambda t: np.exp(normal(t, 8.0)), -20.0, 20.0)
    marginals = {
        "across": (lambda x: x[:, 0] - x[:, 1], stats.norm(0.0, 1e-3).cdf),
        "along": (lambda x: x[:, 0] + x[:, 1], along),
    }
    return Known(function, 2, 10.0, float(mass), marginals)


TARGETS = {"gaussian10": gaussian10, "banana": banana, "funnel": funnel, "corner": corner, "ridge": ridge}


def distances(known, x):
    """Kolmogorov-Smirnov distances of the points (n, dim) to the truth."""
    return {
        name: float(stats.kstest(quantity(x), cdf).statistic)
        for name, (quantity, cdf) in known.marginals.items()
    }


def walked(posterior, population, steps, seed, walkers=64):
    """Points (n, dim) of an ensemble that the population started and whose moves it feeds."""
    state = first_state(posterior, population, walkers, seed, 0)
    moves = component_moves(posterior, frozen_proposal(posterior, population))
    block, _ = advance(posterior, state, steps, seconds=1e9, moves=moves)
    return block.values.reshape(-1, block.values.shape[2])


@pytest.mark.parametrize("name", ["banana", "corner", "ridge"])
def test_a_small_population_recovers(toy, name):
    """1000 particles, an eighth of the default, then 300 steps of 64 walkers: evidence and marginals."""
    known = TARGETS[name]()
    posterior = box(toy, known.function, known.dim, known.half)
    found = tempered_population(posterior, SEEDS[0], particles=1000)
    assert abs(found.log_evidence - known.log_evidence) < 2 * found.error_log_evidence
    far = distances(known, walked(posterior, found, 300, SEEDS[0]))
    assert max(far.values()) < 0.03, far


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_evidence_and_marginals(toy, name):
    """Four seeds: the first run alone and all together within two of the errors they quote."""
    known = TARGETS[name]()
    posterior = box(toy, known.function, known.dim, known.half)
    runs = [tempered_population(posterior, seed) for seed in SEEDS]
    off = np.array([run.log_evidence - known.log_evidence for run in runs])
    errors = np.array([run.error_log_evidence for run in runs])
    assert abs(off[0]) < 2 * errors[0]
    assert abs(off.mean()) < 2 * np.sqrt(np.square(errors).sum()) / len(off), (off, errors)
    for seed, run in zip(SEEDS, runs, strict=True):
        far = distances(known, walked(posterior, run, 1000, seed))
        assert max(far.values()) < 0.03, far


@pytest.mark.slow
def test_masses_of_the_start_are_those_of_the_chain(toy):
    """The population that was tempered and the walkers it sent out count the same modes."""
    posterior = box(toy, three_modes)
    for seed in SEEDS:
        population = tempered_population(posterior, seed, particles=2000)
        state = first_state(posterior, population, 64, seed, 0)
        moves = component_moves(posterior, frozen_proposal(posterior, population))
        block, _ = advance(posterior, state, 1000, seconds=1e9, moves=moves)
        kept = block.values[100:]
        index = np.square(kept[:, :, None] - CENTRES).sum(axis=-1).argmin(axis=-1)
        census = count_modes("modes", index[None], ("0", "1", "2"))
        before = shares(population.coords)
        # Descendants of one prior draw share a mode: the masses are about as uncertain as ln Z.
        error = np.sqrt(before * (1.0 - before)) * population.error_log_evidence
        for mode in census.modes:
            k = int(mode.label)
            assert abs(mode.mass - before[k]) < 4 * np.hypot(mode.error, error[k]), (seed, mode.label)
            assert mode.mass == pytest.approx(WEIGHTS[k], abs=0.05)


@pytest.mark.slow
def test_a_deep_funnel_is_put_right_by_the_chain(toy, tmp_path):
    """Five dimensions, widths from 1/10 to 10 in a box of 120: the chain finds a neck that particles miss."""
    known = funnel(5, 0.75, 60.0)
    posterior = box(toy, known.function, known.dim, known.half)
    chain = sampled(toy, tmp_path, posterior, 1500, seed=SEEDS[0])
    far = distances(known, chain.values[300:].reshape(-1, 5))
    assert max(far.values()) < 0.03, far
