"""The tempered start: evidence, weights of modes, and what it hands to the walkers."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from globalfit.errors import SamplingError
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.posterior import Posterior
from globalfit.priors.shapes import Uniform
from globalfit.sampling.tempered import Population, arrived, tempered_population


class Line:
    name = reference = "line"
    parameters = derived = ()
    ranges = coordinates = MappingProxyType({})

    def point(self, columns):
        from globalfit.model import Point

        return Point(columns, self.name)


class Mixture:
    """A sum of normalised Gaussians of width `width` at `places` on the diagonal."""

    name = reference = "mixture"

    def __init__(self, dim, weights, places, width):
        self.needs = tuple(f"x{i}" for i in range(dim))
        self.weights, self.places, self.width = weights, places, width

    def predict(self, point):
        return {"x": np.column_stack([getattr(point, name) for name in self.needs])}

    def log_likelihood(self, prediction):
        x = prediction["x"]
        norm = 0.5 * x.shape[1] * np.log(2 * np.pi * self.width**2)
        terms = [
            np.log(weight) - 0.5 * np.sum((x - place) ** 2, axis=1) / self.width**2 - norm
            for weight, place in zip(self.weights, self.places, strict=True)
        ]
        return np.logaddexp.reduce(terms, axis=0)


def posterior(dim, weights, places, width, half=10.0):
    space = ParameterSpace([Parameter(f"x{i}", prior=Uniform(-half, half)) for i in range(dim)])
    return Posterior(space, Line(), [Mixture(dim, weights, places, width)])


@pytest.mark.parametrize("seed", [1, 2])
def test_evidence_and_moments_of_a_gaussian(seed):
    target = posterior(4, (1.0,), (1.0,), 0.1)
    found = tempered_population(target, seed, particles=4000)
    assert found.beta == 1.0
    assert found.log_evidence == pytest.approx(-4 * np.log(20.0), abs=0.12)  # error about 0.03
    error = 0.1 / np.sqrt(4000)
    assert np.abs(found.coords.mean(axis=0) - 1.0).max() < 6 * error
    assert found.coords.std(axis=0) == pytest.approx(np.full(4, 0.1), rel=0.08)


def test_weights_of_modes():
    target = posterior(2, (0.5, 0.3, 0.2), (-6.0, 0.0, 6.0), 0.3)
    found = tempered_population(target, 3, particles=4000)
    x = found.coords[:, 0]
    shares = [np.mean(x < -3), np.mean(np.abs(x) < 3), np.mean(x > 3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.05)
    assert found.log_evidence == pytest.approx(-2 * np.log(20.0), abs=0.15)


def test_same_seed_same_walkers_and_densities_belong_to_them():
    target = posterior(2, (1.0,), (0.0,), 0.2)
    stages: list[Population] = []

    def start(ensemble=0, progress=None):
        population = tempered_population(target, 5, ensemble=ensemble, particles=1000, progress=progress)
        return arrived(target, population, 32, 5, ensemble)

    state, again = start(progress=stages.append), start()
    np.testing.assert_array_equal(state.coords, again.coords)
    np.testing.assert_array_equal(state.log_prob, target(state.coords))
    assert [each.beta for each in stages] == sorted(each.beta for each in stages)
    assert stages[-1].beta == 1.0
    other = start(ensemble=1)
    assert not np.array_equal(state.coords, other.coords)


def test_a_likelihood_that_vanishes_everywhere_is_named():
    target = posterior(1, (1.0,), (0.0,), 0.2)
    target.likelihoods["mixture"].log_likelihood = lambda prediction: np.full(len(prediction["x"]), -np.inf)
    with pytest.raises(SamplingError, match="-inf at all of 100 draws"):
        tempered_population(target, 1, particles=100)
