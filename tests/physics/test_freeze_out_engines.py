"""Windows against the whole range, compiled code against numpy, functions of compiled code."""

from __future__ import annotations

import math
import sys
from itertools import pairwise

import numpy as np
import pytest

from globalfit.errors import GlobalfitError
from globalfit.likelihoods.relic_density import RelicDensity, dark_sector
from globalfit.models.t3r import T3RMuon
from globalfit.physics.compiled_code import numba_is_installed
from globalfit.physics.freeze_out import relic as freeze_out
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.nodes import nodes
from globalfit.physics.freeze_out.windows import ORDER, windows


def sector(n, seed, near_resonance=False):
    """Points of the prior, quarks and electron coupled through epsilon at some."""
    return dark_sector(points(n, seed, near_resonance))


def points(n, seed, near_resonance=False):
    rng = np.random.default_rng(seed)

    def log_uniform(low, high):
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    c = {
        "vev": log_uniform(5e3, 2e4),
        "m_aprime": log_uniform(5, 200),
        "m_phi": log_uniform(20, 200),
        "m_eta": log_uniform(5, 100),
        "m_nus": log_uniform(1, 50),
        "epsilon": rng.choice([-1.0, 0.0, 1.0], n) * log_uniform(1e-8, 1e-3),
    }
    c["delta_eta"] = c["m_eta"] * log_uniform(1e-6, 0.3)
    if near_resonance:
        c["m_phi"] = 2 * c["m_eta"] * (1 + rng.choice([-1, 1], n) * log_uniform(1e-7, 0.1))
    return T3RMuon().point(c)


def test_windows_against_the_whole_range():
    dark = sector(256, 21)
    whole = freeze_out.relic_of(dark.m_eta, dark.delta_eta, channels(dark), *freeze_out.grid())
    difference = np.abs(freeze_out.relic(dark).omega_h2 / whole.omega_h2 - 1.0)
    assert np.median(difference) < 1e-4  # nodes of order 8 against 9
    assert difference.max() < 5e-3


@pytest.mark.parametrize(("near_resonance", "rel"), [(False, 1e-9), (True, 3e-8)])  # rounding beside a pole
def test_compiled_is_numpy(near_resonance, rel):
    pytest.importorskip("numba")
    dark = sector(512, 22, near_resonance)
    ours, compiled = (freeze_out.relic(dark, engine=engine) for engine in ("numpy", "numba"))
    for name in ("omega_h2", "sigma_v_freeze_out", "x_freeze_out"):
        assert getattr(compiled, name) == pytest.approx(getattr(ours, name), rel=rel)
    assert np.array_equal(compiled.out_of_equilibrium, ours.out_of_equilibrium)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_point_does_not_know_its_batch(engine):
    if engine == "numba":
        pytest.importorskip("numba")
    likelihood = RelicDensity(engine=engine)
    for near_resonance in (False, True):
        batch = points(150, 24, near_resonance)
        together = likelihood.predict(batch)["omega_h2"]
        cuts = [0, 1, 20, 83, 150]
        parts = [likelihood.predict(batch.take(slice(*cut)))["omega_h2"] for cut in pairwise(cuts)]
        assert np.concatenate(parts) == pytest.approx(together, rel=1e-10)


@pytest.mark.parametrize("near_resonance", [False, True])
def test_long_first_cells(near_resonance):
    """Two levels of nodes against the finest alone: few need the small cells."""
    dark = sector(200, 25, near_resonance)
    found = channels(dark)
    whole = windows(early=True).steps[0]
    x = tuple(whole.x.tolist())
    fine, both = nodes(x, ORDER), windows(early=True).windows[0]
    share = [np.mean(spectrum_levels(dark, channel, both)) for channel in found if channel.at_rest]
    if not near_resonance:
        assert max(share) < 0.2
    ours, finest = (
        freeze_out.relic_of(dark.m_eta, dark.delta_eta, found, whole, each).omega_h2 for each in (both, fine)
    )
    difference = np.abs(ours / finest - 1.0)
    assert np.median(difference) < 1e-7
    assert difference.max() < 2e-5


def test_kernels_have_no_subnormal_numbers():
    """They take the processor many times as long, and change nothing."""
    for early in (False, True):
        found = windows(early=early)
        for each in (*found.windows, found.coarse):
            assert all(np.abs(kernel).min() >= np.finfo(float).tiny for kernel in each.kernels)


def spectrum_levels(dark, channel, grid):
    """Return which rows of a channel need more than the first level, poles included."""
    m = dark.m_eta[channel.points]
    pole = channel.resonance
    mu = np.sqrt(pole.mass**2 + 1j * pole.mass * pole.width) / m
    return grid.level_of(np.minimum(channel.clear / m, np.abs(mu - channel.threshold / m))) > 0


def test_compiled_functions():
    pytest.importorskip("numba")
    from globalfit.physics import compiled_math

    rng = np.random.default_rng(1)
    for x in rng.uniform(-699.0, 699.0, 300):
        assert compiled_math.exp(x) == pytest.approx(math.exp(x), rel=1e-15)
    assert compiled_math.exp(-1e5) == 0.0
    assert compiled_math.exp(0.0) == 1.0
    for x in np.exp(rng.uniform(-600.0, 600.0, 300)):
        assert compiled_math.ln(x) == pytest.approx(math.log(x), rel=1e-15)
    for x in 1.0 + rng.uniform(-0.4, 0.5, 300):
        assert compiled_math.ln(x) == pytest.approx(math.log(x), rel=1e-15, abs=3e-16)
    for ratio in np.exp(rng.uniform(-20.0, 0.0, 300)):
        exact = 2.0 * math.atanh(ratio) / ratio / 3.0
        assert compiled_math.angle_log(3.0, 3.0 * ratio) == pytest.approx(exact, rel=3e-14)


def test_unknown_engine():
    with pytest.raises(GlobalfitError) as error:
        RelicDensity(engine="numbra")
    assert str(error.value) == "relic-density: no engine 'numbra'; did you mean 'numba'?"


def test_engine_that_is_not_installed(monkeypatch):
    """Without numba, "numba" is refused and "auto" is numpy."""
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_is_installed.cache_clear()
    try:
        with pytest.raises(GlobalfitError) as error:
            RelicDensity(engine="numba")
        assert str(error.value) == (
            "relic-density: engine 'numba' is not installed; pip install 'globalfit[numba]', or use 'numpy'"
        )
        dark = sector(3, 23)
        automatic, numpy = (freeze_out.relic(dark, engine=engine) for engine in ("auto", "numpy"))
        assert np.array_equal(automatic.omega_h2, numpy.omega_h2)
    finally:
        numba_is_installed.cache_clear()
