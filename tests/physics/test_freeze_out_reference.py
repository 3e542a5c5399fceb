"""Freeze-out against brute-force quadrature and an implicit ODE solver, over the prior."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from globalfit.likelihoods.relic_density import dark_sector
from globalfit.models.t3r import T3RMuon
from globalfit.physics.freeze_out.boltzmann import effective_k2
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.nodes import nodes
from globalfit.physics.freeze_out.relic import relic, relic_of
from globalfit.physics.freeze_out.thermal_average import thermal_average
from globalfit.physics.freeze_out.windows import ORDER, windows

_spec = importlib.util.spec_from_file_location(
    "freeze_out_reference", Path(__file__).with_name("freeze_out_reference.py")
)
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


def sector(columns):
    n = max(np.size(values) for values in columns.values())
    return dark_sector(
        T3RMuon().point({k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in columns.items()})
    )


def draw(kind, n, rng):
    """Points of the fit's prior, or close to one of its thin structures."""

    def log_uniform(low, high):
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    off = rng.choice([-1, 1], n) * log_uniform(1e-6, 0.1)
    c = {
        "vev": log_uniform(5e3, 2e4),
        "m_aprime": log_uniform(5, 200),
        "m_phi": log_uniform(20, 200),
        "m_eta": log_uniform(5, 100),
        "delta_eta": np.full(n, 0.01),
        "m_nus": np.full(n, 10.0),
        "epsilon": np.zeros(n),
    }
    match kind:
        case "wide prior":
            c["m_nus"], c["delta_eta"] = log_uniform(1, 50), c["m_eta"] * log_uniform(1e-6, 0.3)
            c["epsilon"] = rng.choice([-1, 1], n) * log_uniform(1e-8, 1e-3)
        case "phi resonance":
            c["m_phi"] = 2 * c["m_eta"] * (1 + off)
        case "late resonance":
            c["m_phi"] = 2 * c["m_eta"] * (1 + log_uniform(1e-4, 0.03))
        case "aprime resonance":
            c["m_aprime"] = (2 * c["m_eta"] + c["delta_eta"]) * (1 + off)
        case "threshold":
            c["m_nus"] = c["m_eta"] * (1 + off)
        case "forbidden":
            c["m_nus"] = c["m_eta"] * log_uniform(1, 1.6)
        case "pairs":
            c["m_aprime"] = c["m_eta"] * (1 + 3 * off)
            c["m_phi"] = c["m_eta"] * (1 + rng.choice([-1, 1], n) * log_uniform(1e-3, 0.6))
        case "broad":  # total widths up to 0.3 of the mass
            c["vev"], c["m_nus"] = log_uniform(30, 300), c["m_eta"] * rng.uniform(0.1, 0.9, n)
            c["m_phi"], c["m_aprime"] = (
                2 * c["m_eta"] * log_uniform(0.6, 3),
                2 * c["m_eta"] * log_uniform(0.6, 3),
            )
    return c


KINDS = (
    "prior",
    "wide prior",
    "phi resonance",
    "late resonance",
    "aprime resonance",
    "threshold",
    "forbidden",
    "pairs",
    "broad",
)


@pytest.mark.parametrize("kind", KINDS)
def test_thermal_average(kind):
    """<sigma v> at five temperatures of six points, all channels."""
    dark = sector(draw(kind, 6, np.random.default_rng(5)))
    x = np.array([4.0, 12.0, 22.0, 60.0, 2000.0])
    ours = thermal_average(
        dark.m_eta, effective_k2(dark.delta_eta / dark.m_eta, x), channels(dark), nodes(tuple(x))
    )
    for i in range(6):
        assert ours[i] == pytest.approx(reference.sigma_v(reference.Point(dark, i), x), rel=2e-3)


@pytest.mark.slow
def test_the_reference_itself():
    """Its panels against scipy's adaptive quadrature."""
    dark = sector(draw("prior", 2, np.random.default_rng(8)))
    for i in range(2):
        point = reference.Point(dark, i)
        adaptive = reference.sigma_v_adaptive(point, 20.0, rel=1e-6)
        assert reference.sigma_v(point, np.array([20.0]))[0] == pytest.approx(adaptive, rel=1e-6)


def test_abundance_of_three_points():
    """One below a resonance, one with an open pair of A', one forbidden."""
    columns = {"vev": 1e4, "delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0}
    columns |= {"m_aprime": [150.0, 30.0, 90.0], "m_phi": [78.0, 120.0, 107.0], "m_eta": [40.0, 45.0, 6.0]}
    dark = sector(columns)
    ours = relic(dark).omega_h2
    for i in range(3):
        assert ours[i] == pytest.approx(reference.reference(dark, i, rtol=1e-7), rel=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_error_distribution(kind):
    n = 60 if "prior" in kind else 25
    dark = sector(draw(kind, n, np.random.default_rng(11)))
    ours = relic(dark).omega_h2
    exact = np.array([reference.reference(dark, i, rtol=1e-7) for i in range(n)])
    error = np.abs(ours / exact - 1)
    assert np.median(error) < 3e-4
    assert error.max() < 5e-3


@pytest.mark.parametrize("kind", KINDS)
def test_windows_against_every_channel_at_every_temperature(kind):
    dark = sector(draw(kind, 120 if kind == "prior" else 40, np.random.default_rng(21)))
    grids = windows(early=True)  # the same nodes: their own error, up to 3e-3, is that of the ODE test
    whole = relic_of(
        dark.m_eta,
        dark.delta_eta,
        channels(dark),
        grids.steps[0],
        nodes(tuple(grids.steps[0].x.tolist()), ORDER),
    )
    ours = relic(dark)
    assert ours.omega_h2 == pytest.approx(whole.omega_h2, rel=1e-3)
    assert ours.sigma_v_freeze_out == pytest.approx(whole.sigma_v_freeze_out, rel=1e-4)
    assert np.array_equal(ours.x_freeze_out, whole.x_freeze_out)
    assert np.array_equal(ours.out_of_equilibrium, whole.out_of_equilibrium)


@pytest.mark.slow  # compiles for half a minute where nothing is on disk yet
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_code_against_numpy(kind):
    pytest.importorskip("numba")
    dark = sector(draw(kind, 300, np.random.default_rng(22)))
    compiled, ours = relic(dark, engine="numba"), relic(dark)
    assert compiled.omega_h2 == pytest.approx(ours.omega_h2, rel=1e-9)
    assert compiled.sigma_v_freeze_out == pytest.approx(ours.sigma_v_freeze_out, rel=1e-9)
    assert np.array_equal(compiled.x_freeze_out, ours.x_freeze_out)
    assert np.array_equal(compiled.out_of_equilibrium, ours.out_of_equilibrium)


@pytest.mark.slow
def test_width_of_a_third_of_the_mass_is_reached():
    dark = sector(draw("broad", 200, np.random.default_rng(11)))
    widest = max((dark.width_phi / dark.m_phi).max(), (dark.width_aprime / dark.m_aprime).max())
    assert widest > 0.2
