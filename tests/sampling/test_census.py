"""The mode census on samples whose modes are known, and verdicts on the three-mode target."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.regions import Partition, decode_regions, encode_regions
from globalfit.sampling import stopping
from globalfit.sampling.census import cluster, count_modes
from globalfit.sampling.clusters import find_modes
from globalfit.sampling.diagnosis import by_ensemble

N = 4000
CENTRES = np.array([[0.25] * 6, [0.75] * 6, [0.25, 0.75] * 3])
WEIGHTS = (0.5, 0.3, 0.2)


def banana(rng):
    x = rng.standard_normal((N, 6))
    x[:, 1] = x[:, 0] ** 2 + 0.05 * x[:, 1]
    return x


def ring(rng):
    x = rng.standard_normal((N, 6))
    angle, radius = rng.uniform(0, 2 * np.pi, N), 1 + 0.02 * rng.standard_normal(N)
    x[:, 0], x[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
    return x


def crossed(rng):
    """Two parallel bands that overlap in every single parameter."""
    x = rng.random((N, 6))
    t = rng.standard_normal(N)
    x[:, 0], x[:, 1] = t, t + 0.15 * rng.standard_normal(N) + 1.2 * (rng.random(N) < 0.4)
    return x


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("draw", "shares"),
    [
        (lambda rng: CENTRES[rng.choice(3, N, p=WEIGHTS)] + 0.03 * rng.standard_normal((N, 6)), WEIGHTS),
        (banana, (1.0,)),
        (ring, (1.0,)),
        (crossed, (0.6, 0.4)),
        (lambda rng: rng.standard_normal((N, 10)), (1.0,)),
        (lambda rng: rng.random((N, 9)), (1.0,)),
        (lambda rng: rng.standard_t(2, (N, 5)), (1.0,)),
    ],
    ids=["three modes", "banana", "ring", "parallel bands", "gaussian", "box", "heavy tails"],
)
def test_modes_of_known_samples(draw, shares, seed):
    labels, telling = find_modes(draw(np.random.default_rng(seed)))
    found = np.bincount(labels) / N
    assert found == pytest.approx(shares, abs=0.03)
    assert bool(telling) or len(shares) == 1


def walk(weights, seed, *, leave=0.002, steps=1500, walkers=64):
    """An ensemble of walkers in the three modes, which they rarely leave for another by weight."""
    rng = np.random.default_rng(seed)
    mode = np.empty((steps, walkers), dtype=int)
    mode[0] = rng.choice(3, walkers, p=weights)
    for i in range(1, steps):
        gone = rng.random(walkers) < leave
        mode[i] = np.where(gone, rng.choice(3, walkers, p=weights), mode[i - 1])
    return CENTRES[mode] + 0.03 * rng.standard_normal((steps, walkers, 6))


def verdict(ensembles):
    """The verdict on ensembles (steps, walkers, 6) of the three-mode target, with its census."""
    x = np.concatenate(ensembles, axis=1)
    distance = ((x[:, :, None] - CENTRES) ** 2).sum(axis=-1) / (2 * 0.03**2)
    log_posterior = np.log((np.array(WEIGHTS) * np.exp(-np.minimum(distance, 700.0))).sum(axis=-1))
    ensemble = np.repeat(np.arange(len(ensembles)), ensembles[0].shape[1])
    names = [f"x{i}" for i in range(6)]
    points = np.stack([by_ensemble(x[::15, :, i], ensemble) for i in range(6)], axis=-1)
    index, told = cluster(points, names)
    labels = [str(i) for i in range(int(index.max()) + 1)]
    census = count_modes("clusters", index, labels, told)
    return stopping.assess(
        np.dstack([x, log_posterior]), [*names, "ln posterior"], ensemble=ensemble, census=[census], discard=0
    )


def test_ensembles_in_different_modes_are_not_converged():
    """Each started from a ball in one mode: tau is short, the census tells."""
    found = verdict([walk(np.eye(3)[k % 3], seed=k) for k in range(4)])
    assert found.worst_tau < 3
    assert any(each.startswith("the mass of mode '") for each in found.lasting)
    assert len(found.census[0].modes) == 3


def test_wrong_masses_are_not_converged():
    weights = [(0.5, 0.3, 0.2), (0.8, 0.1, 0.1), (0.5, 0.3, 0.2), (0.4, 0.4, 0.2)]
    found = verdict([walk(each, seed=k, leave=0.05) for k, each in enumerate(weights)])
    (reason,) = found.lasting
    assert reason.startswith("the mass of mode '0' is 0.4")
    assert 'start anew with start = "tempered"' in reason


def test_three_modes_with_the_right_weights_are_converged():
    found = verdict([walk(WEIGHTS, seed=k, leave=0.1, steps=3000) for k in range(4)])
    assert found.converged, found.reasons
    for mode, weight in zip(found.census[0].modes, WEIGHTS, strict=True):
        assert mode.mass == pytest.approx(weight, abs=0.02)
        assert mode.error < 0.02
        assert mode.spread <= 0.05


def test_regions_are_plain_numbers():
    partition = Partition("R", "m_phi", over="m_eta", factor=0.5, edges=(0.99, 1.01), labels=("a", "b", "c"))
    columns = {"m_phi": np.array([90.0, 100.0, 120.0]), "m_eta": np.array(50.0)}
    assert partition.index(columns).tolist() == [0, 1, 2]
    assert decode_regions(encode_regions([partition])) == (partition,)
    for wrong in ('[{"name": "R"}]', "[3]", "{", encode_regions([partition]).replace("1.01", "0.9")):
        with pytest.raises(ValueError, match=r"partition 'R'|cannot be read|Expecting"):
            decode_regions(wrong)


def test_the_mass_error_counts_walkers_that_stay():
    inside = np.zeros((1, 400, 100), dtype=int)
    inside[:, :, :30] = 1
    census = count_modes("x", inside, ("out", "in"))
    assert [mode.mass for mode in census.modes] == [0.7, 0.3]
    assert 0.5 < census.modes[0].errors[0] / np.sqrt(0.21 / 100) < 1.5
