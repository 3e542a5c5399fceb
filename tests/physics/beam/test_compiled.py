"""Beam predictions in compiled code against numpy, portal by portal, and how the engine is chosen."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from globalfit.arrays import Array
from globalfit.constants import M_E, M_MU
from globalfit.errors import GlobalfitError
from globalfit.models.t3r import T3RMuon
from globalfit.physics.beam.dark_matter.eta_decay import EtaPair, Way, widths
from globalfit.physics.beam.grid import CENTRES
from globalfit.physics.compiled_code import numba_is_installed

N = 203
MINIBOONE = ("signal_nu", "signal_nubar", "signal_dump_charged", "signal_dump_neutral")
SHAPES = ("signal_costheta", "signal_evis", "signal_lsnd")


def long_lived(seed: int, m_x: Array | None = None, scalar_exchange: bool = False) -> dict[str, Array]:
    """Masses inside, outside and beyond thresholds; fluxes of each meson."""
    rng = np.random.default_rng(seed)
    mediator = rng.uniform(9.0, 2100.0, N) if scalar_exchange else np.zeros(N)
    return {
        "m_x": rng.uniform(0.4, 360.0, N) if m_x is None else m_x,
        "m_aprime": rng.uniform(0.9, 200.0, N),
        "m_mediator": mediator,
        "portal_coupling": np.full(N, 1e-8),
        "g_x": np.exp(rng.uniform(np.log(1e-7), np.log(1e-2), N)),
        **{name: rng.uniform(0.5, 1.5, N) for name in ("flux_pi", "flux_k", "flux_k_minus")},
    }


def dark_matter(seed: int, epsilon: float = 1e-4) -> dict[str, Array]:
    """Masses inside and outside the tables, A' open and closed to eta, eta_2 with real and virtual V2."""
    rng = np.random.default_rng(seed)
    free = {"portal_coupling": 1e-7, "g_x": 1e-4, "vev": 1e4, "m_phi": 80.0, "epsilon": epsilon}
    return {
        "m_aprime": rng.uniform(4.0, 360.0, N),
        "m_eta": rng.uniform(0.9, 60.0, N),
        "delta_eta": rng.uniform(0.5, 100.0, N),
        "m_v2": rng.uniform(4.0, 500.0, N),
        "m_nus": rng.uniform(1.0, 50.0, N),
        **{name: np.full(N, value) for name, value in free.items()},
    }


def compare(columns: dict[str, Array], names: tuple[str, ...], **options: Any) -> None:
    """Both engines within 1e-10 of the largest bin of each point."""
    ours, compiled = (T3RMuon(engine=each, **options).point(columns) for each in ("numpy", "numba"))
    for name in names:
        expected, found = getattr(ours, name).reshape(N, -1), getattr(compiled, name).reshape(N, -1)
        seen = np.isfinite(expected)
        assert np.array_equal(seen, np.isfinite(found))
        assert seen.any()
        largest = np.where(seen, np.abs(expected), 0.0).max(axis=1, keepdims=True)
        difference = np.abs(np.subtract(found, expected, where=seen, out=np.zeros_like(found)))
        assert np.all(difference <= 1e-10 * largest), name
    assert any(np.isfinite(getattr(ours, name)).any() and getattr(ours, name).any() for name in names)


@pytest.mark.parametrize("lifetime", ["infinite", "leptons"])
@pytest.mark.parametrize("portal", ["long-lived-scalar", "long-lived-pseudoscalar", "long-lived-vector"])
def test_long_lived(portal: str, lifetime: str) -> None:
    pytest.importorskip("numba")
    vector = portal == "long-lived-vector"
    options = {"portal": portal, "lifetime": lifetime, "leptons": "e+mu"}
    compare(long_lived(1, scalar_exchange=vector), (*MINIBOONE, *SHAPES), **options)
    compare(long_lived(2, np.full(N, 20.0), vector), MINIBOONE, **options)
    compare(long_lived(3, np.full(N, 60.0), vector), MINIBOONE, **options)  # above the threshold of pi -> mu


@pytest.mark.parametrize("portal", ["dark-matter-single", "dark-matter-double"])
@pytest.mark.parametrize("leg", ["lepton", "neutral"])
def test_dark_matter(portal: str, leg: str) -> None:
    pytest.importorskip("numba")
    compare(dark_matter(4), (*MINIBOONE, *SHAPES), portal=portal, production_leg=leg, leptons="e+mu")


@pytest.mark.parametrize("epsilon", [1e-6, 1e-3])
def test_predicted(epsilon: float) -> None:
    pytest.importorskip("numba")
    compare(dark_matter(5, epsilon), (*MINIBOONE, *SHAPES), portal="predicted")


def test_a_point_does_not_depend_on_its_batch() -> None:
    pytest.importorskip("numba")
    for portal, columns in (("long-lived-scalar", long_lived(6)), ("predicted", dark_matter(6))):
        model = T3RMuon(portal=portal, engine="numba")  # type: ignore[arg-type]
        few = {name: values[20:41] for name, values in columns.items()}
        together = model.point(columns).signal_nu[20:41]
        np.testing.assert_allclose(model.point(few).signal_nu, together, rtol=1e-10, atol=1e-300)


def test_widths_of_eta() -> None:
    """Gaps below two electrons, across two muons, and above A', where nothing is left."""
    pytest.importorskip("numba")
    rng = np.random.default_rng(7)
    gap = np.concatenate(
        ([2.0 * M_E, 0.5], 2.0 * M_MU + np.array([-1e-3, 1e-3]), rng.uniform(1.0, 400.0, 60))
    )
    m_eta, m_aprime = rng.uniform(1.0, 100.0, gap.size), rng.uniform(5.0, 500.0, gap.size)
    couplings = (rng.uniform(0.0, 1e-2, gap.size) for _ in range(7))
    g_eta, g_r, g_mixed, *leptons = couplings
    m_nus = rng.uniform(1.0, 50.0, gap.size)
    pair = EtaPair(m_eta, m_eta + gap, m_aprime, g_eta, m_nus, g_r, g_mixed, *leptons)
    ours, compiled = widths(pair, "numpy"), widths(pair, "numba")
    for expected, found in zip(ours, compiled, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        assert not found[(gap <= 2.0 * M_E) | (gap >= m_aprime)].any()
        assert found.any()


def test_way_of_eta() -> None:
    """From decays on the spot to hardly any, and fluxes moved by no bin, by some, and out of the grid."""
    pytest.importorskip("numba")
    rng = np.random.default_rng(8)
    m, loss = rng.uniform(5.0, 200.0, 50), 10.0 ** rng.uniform(-12.0, 6.0, 50)
    stretch = np.concatenate(([1.0, 0.0], rng.uniform(0.01, 1.0, 48)))
    flux = rng.random((50, 60))
    given = (CENTRES[20:80], stretch, m, loss)
    ours, compiled = (Way.of(*given, each) for each in ("numpy", "numba"))  # type: ignore[arg-type]
    np.testing.assert_allclose(compiled.chance, ours.chance, rtol=1e-12)
    np.testing.assert_allclose(compiled.change(flux), ours.change(flux), rtol=1e-10, atol=1e-300)


def test_engines_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without numba "auto" is numpy; a compiled engine is refused when the model is made."""
    with pytest.raises(GlobalfitError) as error:
        T3RMuon(engine="numbra")  # type: ignore[arg-type]
    assert str(error.value) == "t3r-muon: no engine 'numbra'; did you mean 'numba'?"
    columns = long_lived(9)
    expected = T3RMuon(portal="long-lived-scalar", engine="numpy").point(columns).signal_nu
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_is_installed.cache_clear()
    try:
        with pytest.raises(GlobalfitError, match="t3r-muon: engine 'numba' is not installed; pip install"):
            T3RMuon(engine="numba")
        assert np.array_equal(T3RMuon(portal="long-lived-scalar").point(columns).signal_nu, expected)
    finally:
        numba_is_installed.cache_clear()
