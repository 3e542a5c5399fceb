"""The evidence: two methods and a closed form agree; the null of each likelihood."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from globalfit.errors import SamplingError
from globalfit.fitfile import load_fit
from globalfit.inference.evidence import combined, evidence
from globalfit.null import null_log_likelihoods
from globalfit.priors.shapes import Uniform

WIDTH = 0.1


class Half:
    """Allows a > 0: half of the prior, and half of a likelihood that is centred there."""

    name, needs = "half", ("a",)

    def allows(self, point):
        return point.a > 0.0


@pytest.fixture(scope="module")
def target(toy):
    """A normalised Gaussian at the edge of the constraint: Z = (1/2) / (1/2) / 2^2 of the prior's volume."""

    def ln_l(x):
        return -0.5 * np.sum(x**2, axis=1) / WIDTH**2 - np.log(2 * np.pi * WIDTH**2)

    return toy.posterior({"a": Uniform(-1.0, 1.0), "b": Uniform(-1.0, 1.0)}, ln_l, [Half()])


LN_Z = np.log(0.5 / (0.5 * 4.0))


def test_smc_gives_the_evidence_of_the_prior_inside_the_constraint(target):
    found = evidence(target, "smc", repeats=4, seed=3, particles=1500, moves=8)
    assert found.log_evidence == pytest.approx(LN_Z, abs=0.1)
    assert abs(found.log_evidence - LN_Z) < 4 * found.error
    assert len(found.repeats) == 4
    assert found.error == pytest.approx(found.spread / 2)
    assert found.allowed == pytest.approx(0.5, abs=0.01)
    assert found.priors == {"a": ("Uniform", -1.0, 1.0), "b": ("Uniform", -1.0, 1.0)}
    assert found.evaluations["density"] > 4 * 1500


@pytest.mark.slow
def test_nautilus_agrees_with_smc_and_the_closed_form(target):
    pytest.importorskip("nautilus")
    found = evidence(target, "nautilus", seed=1, live=1000, effective=5000)
    assert found.error == pytest.approx(1 / np.sqrt(5000), rel=0.5)
    assert found.log_evidence == pytest.approx(LN_Z, abs=4 * found.error)
    other = evidence(target, "smc", repeats=4, seed=5)
    assert found.log_evidence == pytest.approx(other.log_evidence, abs=4 * np.hypot(found.error, other.error))


def test_nautilus_missing_or_with_one_parameter_is_told(toy, target, monkeypatch):
    one = toy.posterior({"a": Uniform(-1.0, 1.0)}, lambda x: x[:, 0])
    if "nautilus" in sys.modules or pytest.importorskip("nautilus"):
        with pytest.raises(SamplingError, match="needs at least two sampled parameters"):
            evidence(one, "nautilus")
    monkeypatch.setitem(sys.modules, "nautilus", None)
    with pytest.raises(SamplingError, match=r"pip install 'globalfit\[evidence\]'"):
        evidence(target, "nautilus")


def test_repeats_are_averaged_as_evidences():
    mean, spread = combined([0.0, np.log(3.0)])
    assert mean == pytest.approx(np.log(2.0))
    assert spread == pytest.approx(np.log(3.0) / np.sqrt(2.0))
    assert np.isnan(combined([1.0])[1])


def test_null_of_the_seven_likelihoods():
    fit = load_fit(_fit("today.toml"))
    found = null_log_likelihoods(fit.posterior, draws=512)
    assert set(found) == set(fit.posterior.likelihoods)
    assert found["relic-density"].log_likelihood is None
    assert "no 'null'" in found["relic-density"].reason
    assert found["miniboone"].log_likelihood == pytest.approx(-221.6203073, abs=1e-5)
    g2 = fit.posterior.likelihoods["muon-g2"]
    peak = -np.log(g2.error_observed * np.sqrt(2 * np.pi))
    expected = peak - 0.5 * (g2.observed / g2.error_observed) ** 2
    assert found["muon-g2"].log_likelihood == pytest.approx(expected)
    flavour = found["bs-to-mumu"]
    assert flavour.log_likelihood == flavour.log_evidence  # no nuisance parameters
    dump = found["miniboone-dump"]
    assert dump.log_likelihood != dump.log_evidence  # averaged over its background
    rng = np.random.default_rng(1)
    prior = next(p.prior for p in fit.posterior.space.sampled if p.name == "dump_background")
    b = prior.quantile(rng.random(200_000))
    k = fit.posterior.likelihoods["miniboone-dump"].count
    from scipy.stats import poisson

    assert dump.log_evidence == pytest.approx(np.log(np.mean(poisson.pmf(k, b))), abs=0.05)


def _fit(name):
    from pathlib import Path

    return Path(__file__).parents[2] / "fits" / name


def test_a_null_that_depends_on_the_point_is_refused(toy):
    from globalfit.posterior import Posterior

    class Wrong(toy.Moment):
        def null(self, point):
            return {"moment": point.g}

    space = toy.space({"g": Uniform(0.2, 2.0), "m": Uniform(0.3, 3.0)})
    found = null_log_likelihoods(Posterior(space, toy.Plain(), [Wrong(), toy.Band()]))
    assert found["moment"].log_likelihood is None
    assert "depends on parameters" in found["moment"].reason
    assert "no 'null'" in found["band"].reason
