"""The argument of the dump: sources of neutral mesons are excluded by it, charged ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import poisson

from globalfit.arrays import Array
from globalfit.likelihoods.lsnd import LSND
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.likelihoods.miniboone_dump import MiniBooNEDump
from globalfit.models.t3r import T3RMuon
from globalfit.physics.beam.channels import OBSERVABLES
from globalfit.physics.beam.kernels import photon_kernel
from globalfit.physics.beam.meson_decays import two_body
from globalfit.physics.beam.reference import Reference

EXPERIMENTS = Path(__file__).parents[2] / "likelihoods" / "data" / "experiments"
FLUXES = {"flux_pi": 1.0, "flux_k": 1.0, "flux_k_minus": 1.0}
MODES = ("nu", "nubar", "dump")
Signal = tuple[Array, Array, float]  # per unit strength: E_nu^QE in both modes, events on the dump


def neutral() -> Signal:
    """X of 1 MeV from pi0 and eta -> gamma X, scattering as the scalar does through 49 MeV."""
    reference = Reference(EXPERIMENTS, n=2**14)
    card, detector = reference.cards["miniboone"], reference.detectors["miniboone"]
    kernel = photon_kernel("scalar", detector, 1.0, 49.0, observables=("enuqe",))["enuqe"]
    weights = np.array([36.0, 6.0, 1.0])  # squared charge Z of coherent, incoherent and free parts
    found = []
    for mode in MODES:
        h = sum(card.flux(parent, mode, two_body(parent, 1.0), 2**14) for parent in ("pi0", "eta"))
        found.append(card.exposure[mode] * np.einsum("e,p,peb->b", h, weights, kernel))
    return found[0], found[1], float(found[2][: OBSERVABLES["signal_dump"].last].sum())


def charged(portal: str, **values: float) -> Signal:
    columns = {"m_x": 1.0, "m_mediator": 0.0, "portal_coupling": 1e-9, **FLUXES, **values}
    at = T3RMuon(portal=portal).point({k: np.full(1, v) for k, v in columns.items()})  # type: ignore[arg-type]
    return at.signal_nu[0], at.signal_nubar[0], float(at.signal_dump_charged[0])


def best(signal: Signal, *, with_dump: bool) -> tuple[float, float, float]:
    """Gain in -2 ln L over no signal at the best strength, events in neutrino mode and on the dump there."""
    nu, nubar, dump = signal
    strength = np.linspace(0.0, 1500.0, 3001)[:, None] / nu[:9].sum()
    ln_l = MiniBooNE().log_likelihood({"signal_nu": strength * nu, "signal_nubar": strength * nubar})
    if with_dump:
        expected = {"signal_dump": strength[:, 0] * dump, "background_dump": np.full(len(strength), 8.8)}
        ln_l = ln_l + MiniBooNEDump().log_likelihood(expected)
    i = int(np.argmax(ln_l))
    return 2.0 * (ln_l[i] - ln_l[0]), float(strength[i, 0] * nu[:9].sum()), float(strength[i, 0] * dump)


def test_neutral_mesons_are_excluded_by_the_dump() -> None:
    signal = neutral()
    nu, _, dump = signal
    assert dump * 560.6 / nu[:9].sum() == pytest.approx(62.0, rel=0.1)  # no horn, only fewer protons
    alone, _, on_dump = best(signal, with_dump=False)
    together, kept, _ = best(signal, with_dump=True)
    assert poisson.cdf(6, 8.8 + dump * 560.6 / nu[:9].sum()) < 1e-15  # as the source of the whole excess
    assert poisson.cdf(6, 8.8 + on_dump) < 0.01  # at the strength that the spectra prefer
    assert alone > 4.0
    assert together < 2.0  # nothing is left that it explains
    assert kept < 60.0


@pytest.mark.parametrize(
    ("portal", "values"),
    [("long-lived-scalar", {"m_aprime": 49.0}), ("long-lived-pseudoscalar", {"m_aprime": 85.0})],
)
def test_charged_mesons_are_not(portal: str, values: dict[str, float]) -> None:
    signal = charged(portal, **values)
    alone, events, on_dump = best(signal, with_dump=False)
    together, kept, _ = best(signal, with_dump=True)
    assert alone > 28.9  # what 3+1 oscillations gain
    assert on_dump < 6.0
    assert poisson.cdf(6, 8.8 + on_dump) > 0.02
    assert together > 25.0
    assert kept > 0.85 * events


def test_the_neutron_of_lsnd_is_missing() -> None:
    """At MiniBooNE's best fit a scalar makes showers in LSND, but not ones with a neutron."""
    signal = charged("long-lived-scalar", m_aprime=49.0)
    _, events, _ = best(signal, with_dump=True)
    strength = events / signal[0][:9].sum()
    columns = {
        "m_x": 1.0, "m_mediator": 0.0, "m_aprime": 49.0, "portal_coupling": 1e-9 * strength**0.5,
        "lsnd_neutron_fraction": 0.01, **FLUXES,
    }  # fmt: skip
    at = T3RMuon(portal="long-lived-scalar").point({k: np.full(1, v) for k, v in columns.items()})
    prediction = LSND().predict(at)
    assert 50.0 < prediction["signal_lsnd"][0] < 250.0
    assert prediction["correlated_lsnd"][0] < 3.0  # of 87.9 observed
