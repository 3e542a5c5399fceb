"""Muon g-2: significances of the measurements, and the mass of phi' that gives the anomaly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from globalfit.physics.magnetic_moment import delta_a_vector, scalar_mass
from globalfit.registry import load
from globalfit.validation.row import Row

TOPIC = "Muon g-2"
TALK = "talk of October 2022, slide on g-2"


def rows() -> Iterator[Row]:
    """Yield the rows of this topic."""
    measured = load("likelihood", "muon-g2")
    for name, published, source in (
        ("bnl-2006-wp2020", 3.7, "Aoyama et al. (2020), arXiv:2006.04822"),
        ("fnal-2021-wp2020", 4.2, "Muon g-2 (2021), arXiv:2104.03281"),
        ("fnal-2025-wp2025", 0.6, "Aliberti et al. (2025), arXiv:2505.21476"),
    ):
        each = measured(measurement=name)
        ours = each.observed / each.error_observed
        yield Row(TOPIC, f"significance of {name}", "sigma", published, ours, 0.06, "one digit", source)
    for m_aprime, published in ((5.0, 100.0), (200.0, 70.0)):
        ours = mass_of_phi(m_aprime)
        yield Row(
            TOPIC,
            f"m_phi' that gives 251e-11 at m_A' = {m_aprime:g} MeV, V = 10 GeV",
            "MeV",
            published,
            ours,
            5.0,
            "window read from a slide",
            TALK,
        )


def mass_of_phi(m_aprime: float, delta_a_mu: float = 251e-11, vev: float = 1e4) -> float:
    """Return the mass of phi' in MeV at which t3r-muon gives `delta_a_mu` at one loop."""
    columns = {"vev": vev, "m_aprime": m_aprime, "m_phi": 80.0, "m_eta": 40.0, "delta_eta": 0.01}
    columns |= {"m_nus": 10.0, "epsilon": 0.0}
    point = load("model", "t3r-muon")().point({name: np.array([value]) for name, value in columns.items()})
    vector = delta_a_vector(point.g_mu_vector, point.g_mu_axial, point.m_aprime)
    return float(scalar_mass(delta_a_mu - vector, point.y_mu)[0])
