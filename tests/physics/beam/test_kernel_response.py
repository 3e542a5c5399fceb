"""Reconstruction against Monte Carlo with explicit directions and Gaussian smearing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from globalfit.arrays import Array
from globalfit.constants import M_E, M_NEUTRON, M_PROTON
from globalfit.errors import GlobalfitError
from globalfit.physics.beam import response as rs
from globalfit.physics.beam.cards import read_card
from globalfit.physics.beam.detectors import Detector, detector

EXPERIMENTS = Path(__file__).parents[3] / "likelihoods" / "data" / "experiments"


def shipped(name: str) -> Detector:
    card = read_card(EXPERIMENTS / f"{name}.toml")
    return detector(card.name, card.composition, card.response)


MINIBOONE, LSND = shipped("miniboone"), shipped("lsnd")
MB = MINIBOONE.response
N = 200_000


def simulate(energy: float, cosine: float, seed: int) -> tuple[Array, Array]:
    """Smeared energies and directions of one true shower: a Gaussian tilt along two transverse axes."""
    rng = np.random.default_rng(seed)
    sigma = np.deg2rad(np.log(1.0 / (1e-3 * energy)) + 2.7)
    tilt = sigma * rng.standard_normal((N, 2))
    angle = np.linalg.norm(tilt, axis=1)
    sine = np.sqrt(1.0 - cosine**2)
    axis = np.array([sine, 0.0, cosine])
    across = np.array([cosine, 0.0, -sine]), np.array([0.0, 1.0, 0.0])
    unit = tilt / angle[:, None]
    direction = np.cos(angle)[:, None] * axis + np.sin(angle)[:, None] * (
        unit[:, :1] * across[0] + unit[:, 1:] * across[1]
    )
    sigma_e = 1e3 * (0.12 * np.sqrt(1e-3 * energy) + 0.01)
    return energy + sigma_e * rng.standard_normal(N), direction[:, 2]


def close(ours: Array, counts: Array) -> None:
    """Probabilities agree with counts of N within five standard deviations of each bin."""
    error = np.sqrt(np.maximum(ours * (1.0 - ours), 2.0 / N) / N)
    assert np.max(np.abs(ours - counts / N) / error) < 5.0


@pytest.mark.parametrize(("energy", "cosine"), [(180.0, 0.95), (300.0, 0.3), (600.0, -0.6), (900.0, 1.0)])
def test_bins_against_monte_carlo(energy: float, cosine: float) -> None:
    e, c = simulate(energy, cosine, seed=int(energy))
    e_nu = (M_NEUTRON * e - 0.5 * (M_NEUTRON**2 + M_E**2 - M_PROTON**2)) / (
        M_NEUTRON - e + np.sqrt(np.maximum(e**2 - M_E**2, 0.0)) * c
    )
    seen = e > 140.0
    window = seen & (e_nu > 200.0) & (e_nu < 1250.0)

    radius, azimuth, weight = rs.deflections(4, 6)
    true = np.full(radius.shape, energy)
    reco = rs.deflect(np.array(cosine), radius * MB.angle_error(np.array(energy)), azimuth)
    assert weight.sum() == pytest.approx(1.0, rel=1e-12)
    p = weight @ rs.enuqe_probability(true, reco, np.array(MINIBOONE.enuqe), MB)
    close(p, np.histogram(e_nu[seen], MINIBOONE.enuqe)[0])
    p = weight @ rs.evis_probability(true, reco, np.array(MINIBOONE.evis), MINIBOONE.window, MB)
    close(p, np.histogram(e[window], MINIBOONE.evis)[0])

    radius, _, weight = rs.deflections(24, 1)
    p = weight @ rs.cosine_probability(
        np.full(24, energy),
        np.full(24, cosine),
        radius,
        np.array(MINIBOONE.costheta),
        MINIBOONE.window,
        MB,
    )
    counts = np.histogram(c[window], MINIBOONE.costheta)[0]
    assert p.sum() == pytest.approx(counts.sum() / N, abs=5e-3)
    assert np.max(np.abs(p - counts / N)) < 0.012  # 24 radii share sharp edges


def test_visible_energy_inverts_enuqe() -> None:
    for cosine in (-1.0, -0.2, 0.7, 1.0):
        e_nu = np.array([200.0, 550.0, 1250.0, 3000.0])
        e = rs.visible_energy(e_nu, np.array(cosine))
        assert rs.enuqe(e, np.array(cosine)) == pytest.approx(e_nu, rel=3e-5)


def test_deflection_is_a_rotation() -> None:
    c = rs.deflect(np.array(0.5), np.array(0.3), np.linspace(0.0, 2 * np.pi, 9))
    assert c[0] == pytest.approx(np.cos(np.arccos(0.5) + 0.3))
    assert c[4] == pytest.approx(np.cos(np.arccos(0.5) - 0.3))


def test_numbers_of_miniboone() -> None:
    energies = np.array([20.0, 150.0, 300.0, 800.0, 3000.0])
    assert MB.efficiency_at(energies) == pytest.approx([0.0, 0.089, 0.137, 0.104, 0.026])
    assert MB.energy_error(np.array([250.0])) == pytest.approx([70.0])
    assert np.rad2deg(MB.angle_error(np.array([1000.0, 500.0]))) == pytest.approx([2.7, 2.7 + np.log(2.0)])
    assert MINIBOONE.composition["C"] == pytest.approx(3.46e31, rel=1e-3)
    assert MINIBOONE.composition["H"] == 2.0 * MINIBOONE.composition["C"]
    assert [part.label for part in MINIBOONE.parts] == ["C coherent", "C incoherent", "H"]
    assert LSND.composition["C"] == pytest.approx(3.10e30, rel=1e-3)


def test_resolution_of_zero_and_no_window() -> None:
    sharp = rs.Response(efficiency=((0.0, 1.0), (1.0, 1.0)))
    p = rs.evis_probability(
        np.array([19.9, 30.0, 80.0]), np.ones(3), np.array([20.0, 60.0, 200.0]), None, sharp
    )
    assert p.tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert MB.angle_error(np.array([1e5])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"efficiency": ((1.0, 0.1), (0.5, 0.2))}, "response: 'efficiency' is not a table; "),
        ({"efficiency": ((0.0, 1.5), (1.0, 0.2))}, "response: an efficiency is outside 0 to 1; "),
        ({"ring_angle": 120.0}, "response: 'ring_angle' = 120.0; give 0 to 90, or 180 for any"),
        ({"threshold": -3.0}, "response: 'threshold' = -3.0; give zero or more"),
        ({"energy_stochastic": float("nan")}, "response: 'energy_stochastic' = nan; give zero or more"),
    ],
)
def test_bad_responses(fields: dict[str, object], message: str) -> None:
    with pytest.raises(GlobalfitError) as error:
        rs.Response(**({"efficiency": ((0.0, 1.0), (1.0, 1.0))} | fields))  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def test_bad_detectors() -> None:
    with pytest.raises(GlobalfitError, match="no nucleus named 'Xq'"):
        Detector("toy", {"Xq": 1.0}, MB)
    with pytest.raises(GlobalfitError) as error:
        Detector("toy", {"C": 1.0}, MB, evis=(20.0, 10.0))
    assert str(error.value) == "toy: edges of 'evis' do not increase; give two or more"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"efficiency": None},
            "toy [response]: 'efficiency' is missing; give [energy in MeV, efficiency] pairs",
        ),
        ({"efficiency": [1, 2]}, "toy [response]: 'efficiency' is not a table; "),
        (
            {"efficiency": [[0, 2.0], [1, 1]]},
            "toy [response]: an efficiency is outside 0 to 1; give fractions",
        ),
        ({"treshold": 1.0}, "toy [response]: unknown field 'treshold'; did you mean 'threshold'?"),
        ({"threshold": -1.0}, "toy [response]: 'threshold' = -1.0; give zero or more"),
        ({"threshold": "140"}, "toy [response]: 'threshold' is ['140']; give finite numbers"),
        ({"evis": None}, "toy [response]: no observable has bin edges; give 'enuqe', 'evis' or 'costheta'"),
        ({"evis": [3, "x"]}, "toy [response]: 'evis' is [3, 'x']; give finite numbers"),
        ({"window": [1]}, "toy [response]: 'window' is not a range; give [low, high] in MeV"),
    ],
)
def test_bad_cards(change: dict[str, object], message: str) -> None:
    table: dict[str, object] = {"efficiency": [[0, 0.4], [1, 0.4]], "evis": [20, 60]} | change
    table = {key: value for key, value in table.items() if value is not None}
    with pytest.raises(GlobalfitError) as error:
        detector("toy", {"C": 1.0}, table)
    assert str(error.value).startswith(message)
