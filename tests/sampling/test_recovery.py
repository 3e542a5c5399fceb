"""Posteriors with known moments, sampled by the default moves from draws of the prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from globalfit.priors.shapes import LogNormal, LogUniform, Normal, SignedLogUniform, TruncatedNormal, Uniform
from globalfit.sampling.autocorrelation import autocorrelation_times
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start
from globalfit.sampling.state import State, random_state


def sample(posterior, steps, discard, walkers=64, seed=1):
    block, _ = advance(posterior, start(posterior, walkers, seed), steps, seconds=120.0)
    assert len(block.values) == steps
    return block.values[discard:]


def z_score(samples, expected):
    """Deviation of the mean of `samples` (steps, walkers) from `expected`, in standard errors."""
    tau = autocorrelation_times(samples[:, :, None])[0]
    assert np.isfinite(tau)
    assert len(samples) > 20 * tau, f"{len(samples)} steps are too few for tau = {tau:.0f}"
    return (samples.mean() - expected) / (samples.std() * np.sqrt(tau / samples.size))


def test_correlated_gaussian_in_ten_dimensions(toy):
    rng = np.random.default_rng(4)
    root = rng.standard_normal((10, 10)) / 3 + np.diag(np.linspace(0.3, 1.0, 10))
    covariance, mean = root @ root.T, np.linspace(-2.0, 2.0, 10)
    precision = np.linalg.inv(covariance)
    assert np.linalg.cond(covariance) > 50

    def log_density(x):
        return -0.5 * np.einsum("ni,ij,nj->n", x - mean, precision, x - mean)

    posterior = toy.posterior([Uniform(-20.0, 20.0)] * 10, log_density)
    x = sample(posterior, 2800, 300)
    for i in range(10):
        assert abs(z_score(x[:, :, i], mean[i])) < 4, i
        for j in range(i + 1):
            product = (x[:, :, i] - mean[i]) * (x[:, :, j] - mean[j])
            assert abs(z_score(product, covariance[i, j])) < 4, (i, j)


def test_banana_in_two_dimensions(toy):
    def log_density(x):
        return -0.5 * x[:, 0] ** 2 - 0.5 * ((x[:, 1] - x[:, 0] ** 2) / 0.5) ** 2

    posterior = toy.posterior([Uniform(-3.0, 3.0), Uniform(-1.0, 6.0)], log_density)
    u, v = np.linspace(-3, 3, 1201), np.linspace(-1, 6, 1401)
    grid = np.array(np.meshgrid(u, v, indexing="ij"))
    weight = np.exp(log_density(grid.reshape(2, -1).T)).reshape(grid.shape[1:])
    norm = integrate.simpson(integrate.simpson(weight, x=v), x=u)
    x = sample(posterior, 2000, 200)
    for function in (
        lambda a, b: a,
        lambda a, b: b,
        lambda a, b: a**2,
        lambda a, b: b**2,
        lambda a, b: a**2 * b,
        lambda a, b: 1.0 * (b > 2.0),
    ):
        expected = integrate.simpson(integrate.simpson(weight * function(*grid), x=v), x=u) / norm
        assert abs(z_score(function(x[:, :, 0], x[:, :, 1]), expected)) < 4


def test_banana_in_four_dimensions(toy):
    """A chain of bananas x_{i+1} ~ N(x_i^2 - 1/2, 0.3), cut off by the prior.

    Its moments come from a transfer matrix.
    """

    def link(before, after):
        return -0.5 * ((after - before**2 + 0.5) / 0.3) ** 2

    def log_density(x):
        return -0.5 * (x[:, 0] / 0.7) ** 2 + sum(link(x[:, i], x[:, i + 1]) for i in range(3))

    posterior = toy.posterior([Uniform(-2.5, 2.5)] * 4, log_density)
    grid = np.linspace(-2.5, 2.5, 1001)
    step = grid[1] - grid[0]
    cell = np.full(1001, step)
    cell[[0, -1]] = step / 2
    transfer = np.exp(link(grid[:, None], grid[None, :]))
    forward, backward = [np.exp(-0.5 * (grid / 0.7) ** 2)], [np.ones(1001)]
    for _ in range(3):
        forward.append((forward[-1] * cell) @ transfer)
        backward.insert(0, transfer @ (backward[0] * cell))
    x = sample(posterior, 2300, 300)
    for i in range(4):
        density = forward[i] * backward[i] * cell
        density /= density.sum()
        for power in (1, 2):
            assert abs(z_score(x[:, :, i] ** power, density @ grid**power)) < 4, (i, power)


EDGES = {
    "half Gaussian": (Uniform(0.0, 6.0), lambda x: -0.5 * x**2, lambda x: np.exp(-0.5 * x**2)),
    "steep at a log edge": (LogUniform(1.0, 30.0), lambda x: -x / 0.3, lambda x: np.exp(-(x - 1) / 0.3) / x),
    "both edges": (Uniform(-1.0, 1.0), lambda x: 0.5 * x, lambda x: np.exp(0.5 * x)),
    "truncated normal": (
        TruncatedNormal(0.0, 1.0, low=0.5),
        lambda x: -0.5 * (x + 1.0) ** 2,
        lambda x: np.exp(-0.5 * (x**2 + (x + 1) ** 2)),
    ),
    "two signs": (
        SignedLogUniform(0.1, 10.0),
        lambda x: -0.5 * (x - 0.5) ** 2,
        lambda x: 0.0 if abs(x) < 0.1 else np.exp(-0.5 * (x - 0.5) ** 2) / abs(x),
    ),
}


def test_posteriors_that_run_into_their_prior(toy):
    """Five at once: each with an edge where the density is highest or cut."""
    functions = [EDGES[name][1] for name in EDGES]
    posterior = toy.posterior(
        [EDGES[name][0] for name in EDGES],
        lambda x: sum(function(x[:, i]) for i, function in enumerate(functions)),
    )
    x = sample(posterior, 1800, 200)
    for i, (name, (prior, _, density)) in enumerate(EDGES.items()):
        low, high = prior.quantile(np.array([0.0, 1.0]))
        high = min(high, 12.0)  # what is beyond is below e^-60
        inner = [-0.1, 0.1] if name == "two signs" else None

        def moment(power, density=density, low=low, high=high, inner=inner):
            return integrate.quad(lambda t: t**power * density(t), low, high, points=inner, limit=200)[0]

        for power in (1, 2):
            assert abs(z_score(x[:, :, i] ** power, moment(power) / moment(0))) < 4, (name, power)
        assert x[:, :, i].min() >= low
        if name == "half Gaussian":
            assert moment(1) / moment(0) == pytest.approx(np.sqrt(2 / np.pi), rel=1e-6)


PRIORS = (
    Uniform(-2.0, 5.0),
    LogUniform(1e-4, 10.0),
    SignedLogUniform(1e-3, 2.0),
    Normal(3.0, 0.5),
    LogNormal(1e-2, 0.7),
    TruncatedNormal(0.0, 1.0, low=0.5, high=4.0),
)


def test_sampling_the_prior_alone_recovers_it(toy):
    """Started from a wrong distribution (u^3 instead of u), so that only the sampler can make it right."""
    posterior = toy.posterior(PRIORS)
    coords = posterior.space.from_unit_cube(np.random.default_rng(5).random((64, 6)) ** 3)
    rows = posterior.walk(coords)
    state = State(coords, rows[:, 0], rows[:, 1:], random_state(6))
    block, _ = advance(posterior, state, 2000, seconds=120.0)
    values = block.values[300:]
    places = np.linspace(0.0, 1.0, 40_001)
    for i, prior in enumerate(PRIORS):
        u = np.interp(values[:, :, i], prior.quantile(places), places)
        thin = int(np.ceil(2 * autocorrelation_times(u[:, :, None])[0]))
        found = stats.kstest(u[::thin].ravel(), "uniform")
        assert u[::thin].size > 500
        assert found.pvalue > 1e-4, (prior, found)
        wrong = stats.kstest(u[::thin].ravel() ** 1.4, "uniform")
        assert wrong.pvalue < 1e-3  # the test has the power to see a distorted prior
    assert block.log_prob == pytest.approx(
        posterior.space.log_density(block.values.reshape(-1, 6)).reshape(block.log_prob.shape)
    )
