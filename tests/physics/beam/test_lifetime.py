"""Widths of X from its coupling to leptons, and what a lifetime does to events: tables against mesons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from globalfit.constants import ALPHA, HBARC_MEV_M, M_E, M_MU
from globalfit.physics.beam.channels import CHANNELS, PROCESSES
from globalfit.physics.beam.lifetime import pseudoscalar_loop, width
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.prediction import LongLived, events
from globalfit.physics.beam.prepared import PARTS
from globalfit.physics.beam.reference import Reference

DATA = Path(__file__).parents[3] / "likelihoods" / "data"
TABLES = DATA / "beam_tables.h5"


def test_light_x_decays_by_the_loop_of_the_muon() -> None:
    m, g = np.array([1.0, 5.0]), np.array([1e-3, 1e-4])
    closed = ALPHA**2 * g**2 * m**3 / (np.pi**3 * M_MU**2)
    assert width("scalar", m, g, ("mu",)) == pytest.approx(closed / 144.0, rel=2e-3)
    assert width("pseudoscalar", m, g, ("mu",)) == pytest.approx(closed / 64.0, rel=2e-3)
    assert not width("vector", m, g, ("mu",)).any()


def test_pairs_of_leptons() -> None:
    m, g = np.array([0.9, 10.0, 300.0]), np.ones(3)
    speed = np.sqrt(np.maximum(1.0 - 4.0 * M_E**2 / m**2, 0.0))
    assert width("vector", m, g, ("e",))[:2] == pytest.approx(
        (m / (12 * np.pi) * (1 + 2 * M_E**2 / m**2) * speed)[:2]
    )
    assert width("scalar", m, g, ("e",))[1] == pytest.approx((m / (8 * np.pi) * speed**3)[1], rel=1e-3)
    assert width("pseudoscalar", m, g, ("e",))[1] == pytest.approx((m / (8 * np.pi) * speed)[1], rel=1e-3)
    muons = m[2] / (8 * np.pi) * np.sqrt(1 - 4 * M_MU**2 / m[2] ** 2)
    assert width("pseudoscalar", m, g, ("mu",))[2] == pytest.approx(muons, rel=1e-3)


def test_loop_is_continuous_and_known_at_threshold() -> None:
    x = np.array([1e-3, 1.0 - 1e-9, 1.0 + 1e-9, 3.0])
    loop = pseudoscalar_loop(2.0 * M_MU * x, M_MU)
    assert loop[0] == pytest.approx(1.0, rel=1e-6)
    assert loop[1] == pytest.approx(np.pi**2 / 4, rel=1e-3)
    assert loop[2] == pytest.approx(loop[1], rel=1e-3)
    # -(1/4) [ln((1 + b)/(1 - b)) - i pi]^2 with b the muon's speed
    speed = np.sqrt(1.0 - 1.0 / 9.0)
    exact = -0.25 * (np.log((1 + speed) / (1 - speed)) - 1j * np.pi) ** 2 / 9.0
    assert loop[3] == pytest.approx(exact, rel=1e-12)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(DATA / "experiments", n=2**15)


@pytest.mark.parametrize(("process", "m_x", "m_mediator"), [("scalar", 20.0, 49.0), ("vector", 10.0, 650.0)])
def test_survival_of_the_tables(process: str, m_x: float, m_mediator: float, reference: Reference) -> None:
    """A gamma distribution of r/p in each bin, against decays meson by meson.

    Errors are shares of the events without decays; in the lowest bin 3 % are left at the end.
    """
    channel = CHANNELS[0]
    setup = LongLived(process, TABLES, nuclear_charge="A")
    leg = PROCESSES[process].legs.index(setup.key[1])
    charges = charge_weights(PARTS, *named_charges("A"))
    alone = {parent: np.array([float(parent == "pi+")]) for parent in ("pi+", "pi-", "k+", "k-")}
    masses = Masses(setup, np.array([m_x]), np.array([m_mediator]))

    def seen(loss: float) -> np.ndarray:
        made = reference.events(PROCESSES[process], channel, m_x, m_mediator, ("signal_nu",), loss=loss)
        return charges @ made["signal_nu"][leg]

    whole, ours = seen(0.0), events(masses, "signal_nu", alone)[0]
    for decay_lengths in (0.01, 0.3, 2.0):
        loss = decay_lengths * HBARC_MEV_M * 500.0 / 541.0
        left = events(masses, "signal_nu", alone, np.array([loss]))[0]
        expected = seen(loss)
        assert left / ours == pytest.approx(expected / whole, abs=max(4e-4, min(7e-3, 0.04 * decay_lengths)))
        assert left.sum() / ours.sum() == pytest.approx(expected.sum() / whole.sum(), abs=4e-3)
