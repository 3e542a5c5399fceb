"""Best fit and profile likelihood against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.errors import GlobalfitError, SamplingError
from globalfit.inference.optimum import optimum
from globalfit.inference.profile import LEVELS, profile
from globalfit.inference.target import Target
from globalfit.posterior import Posterior
from globalfit.priors.shapes import LogNormal, LogUniform, Normal, Uniform

MEAN = np.array([0.3, -0.2, 0.5])
COVARIANCE = np.array([[0.04, 0.03, 0.0], [0.03, 0.05, -0.01], [0.0, -0.01, 0.09]])
INVERSE = np.linalg.inv(COVARIANCE)


def gaussian(x):
    r = x - MEAN
    return -0.5 * np.einsum("ni,ij,nj->n", r, INVERSE, r)


def banana(x):
    """A curved ridge of width 0.02 over a broad parabola."""
    return -0.5 * (x[:, 0] / 0.7) ** 2 - 0.5 * ((x[:, 1] - x[:, 0] ** 2) / 0.02) ** 2


def two_peaks(x):
    first = -0.5 * np.sum((x - 0.3) ** 2, axis=1) / 0.02**2
    return np.logaddexp(first, 2.0 - 0.5 * np.sum((x + 0.6) ** 2, axis=1) / 0.01**2)


def test_optimum_of_a_correlated_gaussian(toy):
    posterior = toy.posterior({name: Uniform(-2.0, 2.0) for name in "abc"}, gaussian)
    found = optimum(posterior, seed=2)
    assert [found.values[name] for name in "abc"] == pytest.approx(MEAN, abs=1e-3)
    assert found.log_likelihood == pytest.approx(0.0, abs=1e-5)
    assert found.log_likelihoods == {"density": found.log_likelihood}
    assert found.agreeing == found.starts == found.converged == 12
    assert found.trusted
    assert found.knowledge == 0.0
    assert found.at_edge == ()


def test_optimum_at_an_edge_in_logarithmic_coordinates_and_behind_a_constraint(toy):
    class Below:
        name, needs = "below", ("a", "b")

        def allows(self, point):
            return point.b < 0.5 - point.a / 100.0

    priors = {"a": LogUniform(1.0, 30.0), "b": Uniform(-1.0, 1.0)}
    posterior = toy.posterior(priors, lambda x: np.log(x[:, 0]) + x[:, 1], [Below()])
    found = optimum(posterior, seed=3)
    # ln a + b grows with both: a ends at its edge, b at the constraint
    assert found.values["a"] == pytest.approx(30.0, rel=1e-6)
    assert found.values["b"] == pytest.approx(0.2, abs=1e-3)
    assert found.at_edge == ("a",)


def test_the_higher_of_two_modes_is_found_from_samples_in_both(toy):
    posterior = toy.posterior({"a": Uniform(-1.0, 1.0), "b": Uniform(-1.0, 1.0)}, two_peaks)
    rng = np.random.default_rng(1)
    samples = np.concatenate([0.3 + 0.02 * rng.standard_normal((990, 2)),
                              -0.6 + 0.02 * rng.standard_normal((10, 2))])  # fmt: skip
    found = optimum(posterior, population=samples, seed=1)
    assert found.values["a"] == pytest.approx(-0.6, abs=1e-3)
    assert found.log_likelihood == pytest.approx(2.0, abs=1e-4)
    assert 1 <= found.agreeing < found.starts
    assert found.found[-1] == pytest.approx(0.0, abs=1e-3)  # a search that ended in the other mode


def test_informative_priors_are_part_of_the_target_and_flat_ones_are_not(toy):
    priors = {"a": Uniform(-3.0, 3.0), "b": Normal(1.0, 0.5), "c": LogNormal(2.0, 0.1)}
    posterior = toy.posterior(priors, lambda x: -0.5 * (x[:, 0] - x[:, 1]) ** 2 - 0.5 * x[:, 1] ** 2)
    target = Target(posterior)
    values = np.array([[0.4, 1.5, 2.0 * np.exp(0.2)]])
    expected = -0.5 * 1.1**2 - 0.5 * 1.5**2 - 0.5 - 2.0
    assert target(target.place(values))[0] == pytest.approx(expected, abs=1e-6)
    found = optimum(posterior, seed=4)
    assert found.values["b"] == pytest.approx(0.8, abs=2e-3)  # 0.5 x^2 + 0.5 (x - 1)^2 / 0.25
    assert found.values["c"] == pytest.approx(2.0, rel=1e-3)
    assert found.knowledge == pytest.approx(-0.5 * (0.2 / 0.5) ** 2, abs=2e-3)


def test_profile_of_a_gaussian_is_its_conditional_maximum(toy):
    posterior = toy.posterior({name: Uniform(-2.0, 2.0) for name in "abc"}, gaussian)
    samples = np.random.default_rng(2).multivariate_normal(MEAN, COVARIANCE, size=3000)
    one = profile(posterior, ["a"], samples, bins=15)
    np.testing.assert_allclose(one.log_likelihood, -0.5 * (one.grid[0] - 0.3) ** 2 / 0.04, atol=2e-3)
    slope = COVARIANCE[1, 0] / COVARIANCE[0, 0]
    np.testing.assert_allclose(one.points[:, 1], -0.2 + slope * (one.grid[0] - 0.3), atol=0.02)
    assert one.converged.all()
    fine = profile(posterior, ["a"], samples, bins=60, best=0.0)
    (low, high) = fine.intervals()[LEVELS[1][0]][0]
    assert (low, high) == pytest.approx((0.1, 0.5), abs=0.01)
    (low, high) = fine.intervals()[LEVELS[1][1]][0]
    assert (low, high) == pytest.approx((0.3 - 0.2 * 1.96, 0.3 + 0.2 * 1.96), abs=0.01)
    two = profile(posterior, ["a", "c"], samples, bins=7)
    block = np.linalg.inv(COVARIANCE[np.ix_([0, 2], [0, 2])])
    r = np.stack(np.meshgrid(*two.grid, indexing="ij"), axis=-1) - MEAN[[0, 2]]
    np.testing.assert_allclose(two.log_likelihood, -0.5 * np.einsum("...i,ij,...j", r, block, r), atol=5e-3)


def test_profile_of_a_banana_by_brute_force(toy):
    posterior = toy.posterior({"a": Uniform(-2.0, 2.0), "b": Uniform(-0.5, 4.0)}, banana)
    rng = np.random.default_rng(3)
    a = 0.7 * rng.standard_normal(4000)
    a = a[np.abs(a) < 1.9]
    samples = np.column_stack([a, a**2 + 0.02 * rng.standard_normal(len(a))])
    along = profile(posterior, ["a"], samples, bins=21)
    np.testing.assert_allclose(along.log_likelihood, -0.5 * (along.grid[0] / 0.7) ** 2, atol=2e-3)
    across = profile(posterior, ["b"], samples, bins=21)
    fine = np.linspace(-2.0, 2.0, 400_001)
    brute = [banana(np.column_stack([fine, np.full_like(fine, b)])).max() for b in across.grid[0]]
    np.testing.assert_allclose(across.log_likelihood, brute, atol=2e-3)


def test_profile_of_the_only_parameter_is_the_likelihood(toy):
    posterior = toy.posterior({"a": Uniform(-1.0, 1.0)}, lambda x: -0.5 * x[:, 0] ** 2 / 0.01)
    samples = 0.1 * np.random.default_rng(4).standard_normal((500, 1))
    found = profile(posterior, ["a"], samples, bins=9)
    np.testing.assert_allclose(found.log_likelihood, -0.5 * found.grid[0] ** 2 / 0.01, atol=1e-9)


def test_bad_requests_are_told(toy):
    posterior = toy.posterior({"mass": Uniform(-1.0, 1.0)}, lambda x: x[:, 0])
    samples = np.zeros((10, 1))
    with pytest.raises(GlobalfitError, match="'mas' is not sampled; did you mean 'mass'"):
        profile(posterior, ["mas"], samples)
    with pytest.raises(GlobalfitError, match="name one, or two different ones"):
        profile(posterior, ["mass", "mass"], samples)
    vanishing = toy.posterior({"mass": Uniform(-1.0, 1.0)}, lambda x: np.full(len(x), -np.inf))
    with pytest.raises(SamplingError, match="-inf at all points it could start from"):
        optimum(vanishing, population=samples)


def test_same_target_as_the_posterior_in_other_walker_coordinates(toy):
    """The likelihood at y is that of the walkers' point, whatever these are."""
    from globalfit.models.t3r import T3RMuon
    from globalfit.parameters import Parameter, ParameterSpace

    model = T3RMuon()
    named = {parameter.name: parameter for parameter in model.parameters}
    priors = {
        "vev": LogUniform(5e3, 2e4),
        "m_aprime": LogUniform(5.0, 200.0),
        "m_phi": LogUniform(50.0, 150.0),
    }
    sampled = [Parameter(name, prior=prior) for name, prior in priors.items()]
    assert set(priors) <= set(named)
    from globalfit.likelihoods.muon_g2 import MuonG2

    ridge = model.coordinates["m_phi"]["muon-g2-ridge"]
    space = ParameterSpace(sampled, {"epsilon": 0.0}, coordinates={"m_phi": ridge})
    posterior = Posterior(space, model, [MuonG2()])
    theta = space.draw(200, np.random.default_rng(5))
    target = Target(posterior)
    inside = posterior.evaluate_prior(theta) > -np.inf
    y = target.place(space.physical(theta[inside]))
    np.testing.assert_allclose(target(y), posterior.evaluate(theta[inside]).log_likelihood, rtol=1e-6)
