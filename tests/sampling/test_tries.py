"""Independent proposals evaluated together: the exact distribution whatever is spared."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from globalfit.posterior import Posterior
from globalfit.priors.shapes import LogNormal, Uniform
from globalfit.sampling.blocks import blocks
from globalfit.sampling.engines.work import Task, carry_out
from globalfit.sampling.mixture import Mixture
from globalfit.sampling.trial import Cloud, decide
from globalfit.sampling.tries import Source, attempt, source

CHEAP = np.array([0.2, 1.0, 3.0, 0.0, 1.0, 2.0])
DEAR = np.array([4.0, 1.0, 0.5, 2.0, 0.0, 1.0])


class Cells:
    """ln of a step function of the first coordinate."""

    reference, needs = "none", ("x0",)

    def __init__(self, name, weights, cost):
        self.name, self.weights, self.cost, self.evaluated = name, weights, cost, 0

    def predict(self, point):
        return {self.name: point.x0}

    def log_likelihood(self, prediction):
        x = prediction[self.name]
        self.evaluated += len(x)
        with np.errstate(divide="ignore"):
            return np.log(self.weights[np.clip(x.astype(int), 0, 5)])


def two_costs(toy):
    plain = toy.posterior([Uniform(0.0, 6.0), Uniform(-1.0, 1.0)])
    return Posterior(plain.space, plain.model, [Cells("cheap", CHEAP, 1.0), Cells("dear", DEAR, 100.0)])


def cloud_of(posterior, coords):
    log_likelihoods = np.column_stack(list(posterior.evaluate(coords).log_likelihoods.values()))
    return Cloud(coords, posterior.space.log_prior(coords), log_likelihoods, posterior.walk(coords))


@pytest.mark.parametrize("beta", [1.0, 0.4])
@pytest.mark.parametrize("common", [-50.0, -2.0, 0.5, np.inf])
@pytest.mark.parametrize("tries", [1, 5])
def test_the_density_is_exact_whatever_the_first_verdict_spares(toy, beta, common, tries):
    posterior = two_costs(toy)
    (first, _) = components = blocks(posterior).components
    assert [len(each.dear) for each in components] == [1, 0]
    rng = np.random.default_rng(5)
    start = np.column_stack([rng.uniform(2.0, 3.0, 8000), rng.uniform(-1.0, 1.0, 8000)])
    cloud = cloud_of(posterior, start)
    crooked = Source(Mixture(np.ones(1), np.array([[2.0]]), np.array([[[2.5]]])), common)
    random, every = np.random.RandomState(6), np.arange(8000)
    for _ in range(30 // tries):
        attempt(posterior, first, cloud, every, crooked, tries, random, beta=beta)
    share = np.bincount(cloud.coords[:, 0].astype(int), minlength=6) / 8000
    expected = (CHEAP * DEAR) ** beta / ((CHEAP * DEAR) ** beta).sum()
    assert np.abs(share - expected).max() < 4 * np.sqrt(0.25 / 8000)
    np.testing.assert_allclose(cloud.rows, posterior.walk(cloud.coords), rtol=1e-12)
    np.testing.assert_array_equal(cloud.coords[:, 1], start[:, 1])


class Rate:
    """Events in proportion to x0."""

    name, reference, needs = "rate", "none", ("x0",)

    def predict(self, point):
        return {"events": 1e10 * point.x0}

    def log_likelihood(self, prediction):
        return -prediction["events"]


def test_a_step_out_of_the_range_of_numbers_is_refused_without_a_warning(toy):
    plain = toy.posterior([LogNormal(1.0, 0.2), Uniform(-1.0, 1.0)])
    posterior = Posterior(plain.space, plain.model, [Rate()])
    cloud = cloud_of(posterior, np.zeros((2, 2)))
    far = cloud.coords + np.array([[705.0, 0.0], [0.0, 0.0]])
    moved = np.array([[True, False]] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taken = decide(
            posterior, blocks(posterior), cloud, np.arange(2), far, moved, np.random.RandomState(1)
        )
    assert taken.tolist() == [1]
    assert (cloud.coords == 0.0).all()


def test_costly_likelihoods_are_spared_the_hopeless(toy):
    posterior = two_costs(toy)
    first = blocks(posterior).components[0]
    rng = np.random.default_rng(1)
    cloud = cloud_of(posterior, np.column_stack([rng.uniform(2.0, 3.0, 1000), rng.uniform(-1, 1, 1000)]))
    mixture = Mixture(np.ones(1), np.array([[3.0]]), np.array([[[1.5]]]))
    cheap, dear = posterior.likelihoods.values()
    cheap.evaluated = dear.evaluated = 0
    found = source(mixture, cloud.coords[:, :1], cloud.log_prior, cloud.log_likelihoods, first.cheap)
    attempt(posterior, first, cloud, np.arange(1000), found, 4, np.random.RandomState(2))
    assert 3000 < cheap.evaluated < 4000  # the prior forbids some
    assert 0 < dear.evaluated < 0.8 * cheap.evaluated


def test_threads_of_linear_algebra_change_no_bit(toy):
    """A product of matrices may have other last bits with two threads than with one, as workers have."""

    def bent(x):
        return -0.5 * np.square(x).sum(axis=1) - 2.0 * np.square(x[:, 1] - x[:, 0] ** 2)

    posterior = toy.posterior([Uniform(-5.0, 5.0)] * 7, bent)
    fit = toy.fit(posterior, start="tempered", particles=2000, walkers=256)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            begun = carry_out(fit, 1, Task(0, None, 0, 1e9)).after
            found.append((begun, carry_out(fit, 1, Task(0, begun, 2, 1e9)).block))
    (one, block), (two, other) = found
    assert one.origin.proposal == two.origin.proposal
    np.testing.assert_array_equal(block.coords, other.coords)
