"""Narrow poles at the edges of quadrature cells and at nodes, against brute-force quadrature."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import kve

from globalfit.likelihoods.relic_density import RelicDensity, dark_sector
from globalfit.models.t3r import T3RMuon
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.poles import APART, off_nodes
from globalfit.physics.freeze_out.thermal_average import laplace, spectrum
from globalfit.physics.freeze_out.windows import windows

BASE = {"vev": 7555.31, "m_aprime": 7.44745, "m_phi": 99.7062, "m_eta": 23.46}  # sqrt(m_phi/m_eta - 2) = 1.5
REST = {"delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0}


def point(**change):
    values = BASE | REST | change
    n = max(np.size(each) for each in values.values())
    return T3RMuon().point({name: np.broadcast_to(each, n).astype(float) for name, each in values.items()})


@pytest.mark.parametrize("distance", [-3e-3, -1e-5, 1e-7, 1e-5, 3e-3, 0.02])
def test_a_pole_near_the_edge_of_a_cell(distance):
    """The edge is at v = 1.5, e = v^2 + 2; the width is 1e-6 of the mass."""
    m_phi = BASE["m_eta"] * (2.0 + (1.5 * (1.0 + distance)) ** 2)
    dark = dark_sector(point(m_phi=m_phi))
    channel = next(each for each in channels(dark) if each.at_rest and each.resonance)
    channel = channel.take(np.array([0]))  # of eta_1
    m, mass, width = (
        float(each[0]) for each in (dark.m_eta, channel.resonance.mass, channel.resonance.width)
    )

    def integrand(e, x):
        numerator = float(channel.rate(np.array([[m * e]]))[0, 0])
        s = (m * e) ** 2
        return numerator / ((s - mass**2) ** 2 + (mass * width) ** 2) * kve(1, e * x) * np.exp((2.0 - e) * x)

    pole, w = mass / m, width / m
    cuts = [2.0, *(2.0 + np.geomspace(1e-4, 1.0, 12)), 5.5, 7.0, pole]
    cuts += [pole + sign * 10.0**k * w for sign in (-1, 1) for k in range(6)]
    cuts = sorted(each for each in cuts if each >= 2.0)
    grid = windows().coarse
    found = laplace(spectrum(dark.m_eta[channel.points], channel, grid), grid)[0]
    for j in (1, 3, 4, 6, 8):
        x = float(grid.x[j])
        exact = sum(
            quad(integrand, a, b, args=(x,), epsabs=0.0, epsrel=1e-7, limit=100)[0] for a, b in pairwise(cuts)
        )
        assert found[j] == pytest.approx(exact, rel=5e-3), (j, x)


def test_the_abundance_is_smooth_across_the_edge():
    shift = np.array([-1e-3, -1e-5, -1e-7, 0.0, 1e-7, 1e-5, 1e-3])
    found = RelicDensity(engine="numpy").predict(point(m_phi=BASE["m_phi"] * (1.0 + shift)))["omega_h2"]
    assert found == pytest.approx(found[3], rel=0.05)
    assert found[1:6] == pytest.approx(found[3], rel=1e-3)


def test_the_extra_node_keeps_away_from_the_others():
    t = np.polynomial.legendre.leggauss(9)[0]
    place = np.concatenate([t + 1e-9, t - 1e-4, [0.5 * (t[0] + t[1])]])
    moved = off_nodes(place, t)
    assert np.abs(moved[:, None] - t).min(axis=1) == pytest.approx(
        np.append(np.full(18, APART), 0.5 * (t[1] - t[0]))
    )
    assert np.abs(moved - place).max() < 1.01 * APART
