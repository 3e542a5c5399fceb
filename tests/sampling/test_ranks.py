"""Rank-normalised diagnostics against ArviZ, and against what is known of simple processes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, rankdata, truncnorm

from globalfit.sampling.ranks import bulk_ess, effective_samples, rank_normalise, split_rhat, tail_ess


def arrays():
    """Three arrays (chains, draws): correlated, one chain off; Cauchy; rounded, with ties and odd length."""
    rng = np.random.default_rng(20240607)
    x = lfilter([1.0], [1.0, -0.6], rng.standard_normal((4, 1000)), axis=1)
    x[2] += 0.3
    return {
        "correlated": x,
        "cauchy": rng.standard_cauchy((4, 500)),
        "rounded": np.round(rng.standard_normal((4, 301)) * 2),
    }


# ArviZ 0.23.4: az.rhat(a), az.ess(a, method="bulk"), az.ess(a, method="tail")
ARVIZ = {
    "correlated": (1.0071354901711986, 1103.9987493481458, 1748.420820701678),
    "cauchy": (1.0004383133464594, 2056.660690410554, 1959.4834929068286),
    "rounded": (1.0012322668987441, 1226.3086947277945, 1165.725467033749),
}


@pytest.mark.parametrize("name", ARVIZ)
def test_with_one_walker_an_ensemble_the_numbers_are_arvizs(name):
    samples = arrays()[name][:, :, None]
    found = (split_rhat(samples), bulk_ess(samples), tail_ess(samples))
    assert found == pytest.approx(ARVIZ[name], rel=1e-10)


def test_independent_draws():
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((4, 500, 16))
    assert split_rhat(samples) == pytest.approx(1.0, abs=5e-4)
    assert bulk_ess(samples) == pytest.approx(samples.size, rel=0.1)
    assert tail_ess(samples) == pytest.approx(samples.size, rel=0.15)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_effective_samples_of_an_autoregressive_process(rho):
    rng = np.random.default_rng(2)
    samples = lfilter([1.0], [1.0, -rho], rng.standard_normal((4, 5000, 64)), axis=1)
    expected = samples.size * (1 - rho) / (1 + rho)
    assert bulk_ess(samples) == pytest.approx(expected, rel=0.1)
    assert effective_samples(samples) == pytest.approx(expected, rel=0.05)


def test_walkers_that_never_exchange_count_once_each():
    """Which mode a walker is in never changes: the mass of the mode is known to as many draws as walkers."""
    rng = np.random.default_rng(3)
    offset = 20.0 * (rng.random((4, 1, 64)) < 0.5)
    samples = offset + rng.standard_normal((4, 1000, 64))
    assert 4 * 64 * 0.5 < effective_samples(samples) < 4 * 64 * 2.5


def test_rhat_sees_places_and_scales():
    rng = np.random.default_rng(4)
    samples = rng.standard_normal((4, 500, 16))
    moved, wide = samples.copy(), samples.copy()
    moved[0] += 0.5
    wide[0] *= 2.0
    assert split_rhat(moved) > 1.02
    assert split_rhat(wide) > 1.02
    drift = samples + np.linspace(-0.5, 0.5, 500)[:, None]  # the ensembles agree, their halves do not
    assert split_rhat(drift) > 1.02


def test_rhat_of_ensembles_is_not_that_of_walkers():
    """Each ensemble in a mode of its own; its walkers, taken as chains, agree perfectly.

    Ranks know no distance: of four ensembles that do not overlap R-hat is 2.84, however far apart they are
    (the eight halves' means and variances are those of a normal distribution cut at its quartiles).
    """
    rng = np.random.default_rng(5)
    samples = rng.standard_normal((4, 500, 16)) + 10.0 * np.arange(4)[:, None, None]
    walkers = samples[0].T[:, :, None]
    assert split_rhat(walkers) < 1.01
    cuts = norm.ppf([0.0, 0.25, 0.5, 0.75, 1.0])
    parts = [truncnorm(low, high) for low, high in itertools.pairwise(cuts)]
    between = np.var(np.repeat([part.mean() for part in parts], 2), ddof=1)
    limit = np.sqrt(1.0 + between / np.mean([part.var() for part in parts]))
    assert limit == pytest.approx(2.84, abs=0.005)
    assert split_rhat(samples) == pytest.approx(limit, abs=0.02)
    assert split_rhat(100.0 * samples) == pytest.approx(limit, abs=0.02)


def test_edges():
    same = np.full((4, 100, 8), 2.0)
    assert split_rhat(same) == 1.0
    assert bulk_ess(same) == same.size
    assert np.isnan(split_rhat(same[:, :3]))
    assert np.isnan(bulk_ess(same[:, :7]))
    assert split_rhat(same + np.arange(4)[:, None, None]) == np.inf
    assert rank_normalise(np.array([3.0, 1.0, 2.0])).tolist() == pytest.approx(
        [0.8694, -0.8694, 0.0], abs=1e-4
    )


@pytest.mark.parametrize("name", ["correlated", "rounded"])
def test_equal_values_share_the_mean_of_their_ranks(name):
    values = arrays()[name]
    values[0, :5] = np.inf
    ranks = rankdata(values, axis=None).reshape(values.shape)
    assert np.array_equal(rank_normalise(values), norm.ppf((ranks - 0.375) / (values.size + 0.25)))
