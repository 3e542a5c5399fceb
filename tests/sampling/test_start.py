from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from globalfit.errors import SamplingError
from globalfit.priors.shapes import LogUniform, Uniform
from globalfit.sampling.start import start


def flat(x):
    return np.zeros(len(x))


def corner_only(x):
    return np.where(x.sum(axis=1) > 1.5, 0.0, -np.inf)


PRIORS = (Uniform(0.0, 1.0), Uniform(0.0, 1.0))


def test_draws_of_the_prior_cover_it(toy):
    posterior = toy.posterior([Uniform(0.0, 1.0), LogUniform(1.0, 100.0)], flat)
    state = start(posterior, 2000, 1)
    for i, scale in enumerate((1.0, np.log(100.0))):
        assert stats.kstest(state.coords[:, i] / scale, "uniform").pvalue > 1e-4
    assert state.log_prob == pytest.approx(posterior(state.coords))
    assert state.blobs[:, -2:] == pytest.approx(posterior.space.physical(state.coords))
    assert state.step == 0


def test_points_without_posterior_are_drawn_again(toy):
    state = start(toy.posterior(PRIORS, corner_only), 500, 1)
    assert len(state.coords) == 500
    assert (state.coords.sum(axis=1) > 1.5).all()
    assert np.isfinite(state.log_prob).all()


def test_seed_and_ensemble_choose_the_stream(toy):
    posterior = toy.posterior(PRIORS, flat)
    first, again, other = start(posterior, 8, 1), start(posterior, 8, 1), start(posterior, 8, 2)
    second = start(posterior, 8, 1, ensemble=1)
    assert (first.coords == again.coords).all()
    assert (first.random[1] == again.random[1]).all()
    for different in (other, second):
        assert (first.coords != different.coords).all()
        assert (first.random[1] != different.random[1]).any()


def test_a_cloud_around_a_point(toy):
    posterior = toy.posterior([Uniform(0.0, 1.0), LogUniform(1.0, 100.0)], flat)
    state = start(posterior, 400, 1, point={"x0": 0.4, "x1": 20.0})
    centre = np.array([0.4, np.log(20.0)])
    width = 0.02 * np.array([1.0, np.log(100.0)]) / np.sqrt(12.0)
    pull = (state.coords - centre) / width
    assert pull.mean(axis=0) == pytest.approx([0.0, 0.0], abs=4 / 20)
    assert pull.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.2)


def test_a_cloud_at_an_edge_stays_inside(toy):
    state = start(toy.posterior(PRIORS, flat), 200, 1, point={"x0": 0.0, "x1": 1.0})
    assert (state.coords >= 0.0).all()
    assert (state.coords <= 1.0).all()


class Shut:
    name, needs = "shut", ()

    def allows(self, point):
        return np.zeros(point.n, dtype=bool)


def test_what_makes_a_start_impossible_is_named(toy):
    def impossible(x):
        return np.full(len(x), -np.inf)

    def rare(x):
        return np.where(x[:, 0] < 2e-4, 0.0, -np.inf)

    message = "start: the likelihood 'density' is -inf at all of 1000 draws of the prior; check the priors"
    with pytest.raises(SamplingError, match=message):
        start(toy.posterior(PRIORS, impossible), 16, 1)
    shut = toy.posterior(PRIORS, flat)
    shut.constraints = (Shut(),)
    with pytest.raises(
        SamplingError, match="start: the prior or a constraint forbids all of 1000 draws of the"
    ):
        start(shut, 16, 1)
    with pytest.raises(
        SamplingError, match=r"-inf at all of 1000 draws around the start point; move 'point'"
    ):
        start(toy.posterior(PRIORS, corner_only), 16, 1, point={"x0": 0.1, "x1": 0.1})
    with pytest.raises(SamplingError, match="start: "):
        start(toy.posterior(PRIORS, rare), 1000, 1)
