"""Calibration passes a correct pipeline and catches planted bugs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from globalfit.errors import LikelihoodError
from globalfit.inference.calibration import LEVEL, calibrate
from globalfit.inference.uniformity import Uniformity, holm
from globalfit.parameters import ParameterSpace
from globalfit.posterior import Posterior
from globalfit.priors.shapes import LogUniform, Uniform

SETTINGS = {"particles": 400, "moves": 8}
QUICK = {"particles": 300, "moves": 6}


class NoJacobian(ParameterSpace):
    """The bug: the prior's density in the walkers' coordinate lacks the slope of x = exp(y)."""

    def transform(self, theta):
        found = super().transform(theta)
        return found._replace(log_prior=found.log_prior - found.log_jacobian)


@pytest.fixture(scope="module")
def target(toy):
    priors = {"g": Uniform(0.2, 2.0), "m": LogUniform(0.3, 3.0)}
    return Posterior(toy.space(priors), toy.Plain(), [toy.Moment(), toy.Count(), toy.Band()])


def with_likelihoods(posterior, likelihoods):
    return Posterior(posterior.space, posterior.model, likelihoods, posterior.constraints)


def changed(name, **fields):
    """A pipeline with other numbers in one likelihood."""

    def analysed(posterior):
        each = posterior.likelihoods
        return with_likelihoods(
            posterior, [replace(v, **fields) if k == name else v for k, v in each.items()]
        )

    return analysed


class Again:
    """A likelihood under another name: its data count twice."""

    def __init__(self, inner):
        self.inner, self.name, self.needs, self.reference = inner, "again", inner.needs, "toy"

    def predict(self, point):
        return self.inner.predict(point)

    def log_likelihood(self, prediction):
        return self.inner.log_likelihood(prediction)


def prior_returned(posterior):
    flat = Again(next(iter(posterior.likelihoods.values())))
    flat.log_likelihood = lambda prediction: np.zeros(len(next(iter(prediction.values()))))
    return with_likelihoods(posterior, [flat])


def counted_twice(posterior):
    likelihoods = list(posterior.likelihoods.values())
    return with_likelihoods(posterior, [*likelihoods, Again(posterior.likelihoods["moment"])])


def one_dropped(posterior):
    return with_likelihoods(posterior, [v for k, v in posterior.likelihoods.items() if k != "band"])


def no_jacobian(posterior):
    space = NoJacobian(posterior.space.sampled)
    return Posterior(space, posterior.model, list(posterior.likelihoods.values()))


def sigma_small(posterior):
    likelihoods = [
        replace(each, error=0.7 * each.error) if name != "count" else each
        for name, each in posterior.likelihoods.items()
    ]
    return with_likelihoods(posterior, likelihoods)


BUGS = {
    "prior returned": prior_returned,
    "likelihood twice": counted_twice,
    "one dropped": one_dropped,
    "sigma 30 % small": sigma_small,
    "missing jacobian": no_jacobian,
    "prediction shifted": changed("moment", shift=0.5),
}


def test_a_correct_pipeline_passes_and_strong_bugs_do_not(target):
    correct = calibrate(target, 60, seed=2, **QUICK)
    assert correct.passed
    assert set(correct.kinds) == {"g", "m", "moment", "events", "abundance",
                                  "ll_moment", "ll_count", "ll_band", "ll"}  # fmt: skip
    assert all(len(ranks) == 60 and 0 <= ranks.min() <= ranks.max() <= 99 for ranks in correct.ranks.values())
    assert not calibrate(target, 60, seed=3, analysed=one_dropped, **QUICK).passed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6])
def test_all_planted_bugs_but_one_are_caught_at_200(target, seed):
    assert calibrate(target, 200, seed=seed, **SETTINGS).passed
    missed = [
        bug
        for bug, analysed in BUGS.items()
        if calibrate(target, 200, seed=seed + 10, analysed=analysed, **SETTINGS).passed
    ]
    assert len(missed) <= 1, missed


def test_a_posterior_that_ignores_the_data_is_seen_by_ln_l_alone(target):
    found = calibrate(target, 60, seed=4, analysed=prior_returned, **QUICK)
    assert not found.passed
    assert min(found.p_values[name] for name in ("g", "m")) > LEVEL
    assert min(found.p_values[name] for name in ("ll_moment", "ll_band", "ll")) < 1e-3


def test_same_seed_same_ranks_and_another_seed_others(target):
    first, again, other = (calibrate(target, 3, seed=seed, **QUICK) for seed in (1, 1, 2))
    assert all(np.array_equal(first.ranks[name], again.ranks[name]) for name in first.ranks)
    assert any(not np.array_equal(first.ranks[name], other.ranks[name]) for name in first.ranks)


def test_a_likelihood_that_cannot_draw_data_is_named(toy):
    posterior = toy.posterior({"g": Uniform(0.0, 1.0)}, lambda x: -x[:, 0])
    with pytest.raises(LikelihoodError, match="density: cannot draw data: it has no 'simulate'"):
        calibrate(posterior, 2)


def test_p_values_of_uniform_ranks_are_uniform_and_uneven_ranks_are_seen():
    rng = np.random.default_rng(8)
    test = Uniformity(200, 99)
    p = np.array([test.p_value(rng.integers(0, 100, size=200)) for _ in range(500)])
    for level in (0.01, 0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 500))
    u = rng.random(200)
    for ranks in (100 * u**1.5, 100 * (0.5 + 0.32 * rng.standard_normal(200)) % 100, 50 + 50 * (u - 0.5)):
        uneven = test.p_value(ranks.astype(np.int64))
        assert uneven < 0.02 or np.ptp(ranks) > 99.0  # the middle one wraps round and is nearly even
    assert test.p_value((25 + 50 * u).astype(np.int64)) < 1e-4


def test_band_and_p_value_say_the_same():
    rng = np.random.default_rng(9)
    test = Uniformity(100, 49)
    low, high = test.band(0.05)
    for _ in range(200):
        ranks = rng.integers(0, 50, size=100)
        counts = test.counts(ranks)
        inside = bool(((counts >= low) & (counts <= high)).all())
        assert inside == (test.p_value(ranks) > 0.05) or abs(test.p_value(ranks) - 0.05) < 2e-3


def test_holm_adjusts_for_the_number_of_tests():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
