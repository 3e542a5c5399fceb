from __future__ import annotations

import emcee
import numpy as np
import pytest

from globalfit.sampling.autocorrelation import autocorrelation_times
from globalfit.sampling.moves import BlockDEMove


def proposals(dim, n=20_000, seed=1):
    """Displacements when the other walkers are two points that differ by `step`."""
    random = np.random.RandomState(seed)
    step = np.arange(1.0, dim + 1)
    others = [np.vstack([np.zeros(dim), step])]
    sample = random.standard_normal((n, dim))
    proposed, factors = BlockDEMove().get_proposal(sample, others, random)
    assert not factors.any()
    return (proposed - sample) / step


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_every_block_is_equally_probable(dim):
    moved = np.abs(proposals(dim)) > 1e-12
    size = moved.sum(axis=1)
    n = len(size)
    for k in range(1, dim + 1):
        share = (size == k).mean()
        assert abs(share - 1 / dim) <= 4 * np.sqrt(1 / dim * (1 - 1 / dim) / n)
    expected = (dim + 1) / 2 / dim  # mean block size over dim
    error = np.sqrt(expected * (1 - expected) / n)
    assert np.abs(moved.mean(axis=0) - expected).max() <= 4 * error


def test_scale_is_log_normal_with_a_share_of_full_jumps():
    ratio = proposals(3)
    moved = np.abs(ratio) > 1e-12
    for row, mask in zip(ratio[:200], moved[:200], strict=True):
        assert np.ptp(row[mask]) < 1e-9  # one scale per proposal
    scale = np.array([row[mask][0] for row, mask in zip(ratio, moved, strict=True)])
    n = len(scale)
    assert abs((scale > 0).mean() - 0.5) < 4 * np.sqrt(0.25 / n)  # symmetric: both orders of the pair
    jumps = np.abs(np.abs(scale) - 1.0) < 1e-9
    assert abs(jumps.mean() - 0.15) < 4 * np.sqrt(0.15 * 0.85 / n)
    for k in (1, 2, 3):
        logs = np.log(np.abs(scale[~jumps & (moved.sum(axis=1) == k)]))
        median = np.log(0.67 * 2.38 / np.sqrt(2 * k))
        assert abs(logs.mean() - median) < 4 * 0.9 / np.sqrt(len(logs))
        assert abs(logs.std() - 0.9) < 4 * 0.9 / np.sqrt(2 * len(logs))


def test_a_walker_is_never_its_own_partner():
    """With equal other walkers nothing would move; with different ones something always does."""
    assert (np.abs(proposals(4)) > 1e-12).any(axis=1).all()


def test_detailed_balance_on_a_step_density():
    """The move alone samples a density with steps and a gap in it: cell by cell."""
    weights = np.array([1.0, 4.0, 0.0, 2.0, 0.5, 3.0])

    def log_prob(x):
        cell = np.clip(np.floor(x[:, 0]).astype(int), 0, 5)
        inside = (x[:, 0] >= 0) & (x[:, 0] < 6)
        with np.errstate(divide="ignore"):
            return np.where(inside, np.log(weights[cell]), -np.inf) - 0.5 * x[:, 1] ** 2

    rng = np.random.default_rng(2)
    start = np.column_stack([rng.uniform(0, 2, 64), rng.standard_normal(64)])
    sampler = emcee.EnsembleSampler(64, 2, log_prob, moves=BlockDEMove(), vectorize=True)
    sampler.run_mcmc(emcee.State(start, random_state=np.random.RandomState(3).get_state()), 1500)
    chain = sampler.get_chain(discard=200)
    cells = np.floor(chain[:, :, 0]).astype(int)
    expected = weights / weights.sum()
    for cell in range(6):
        inside = (cells == cell).astype(float)
        assert np.all(np.isfinite(inside))
        if expected[cell] == 0.0:
            assert not inside.any()
            continue
        tau = max(autocorrelation_times(inside[:, :, None])[0], 1.0)
        error = np.sqrt(expected[cell] * (1 - expected[cell]) * tau / inside.size)
        assert abs(inside.mean() - expected[cell]) < 4 * error, cell
