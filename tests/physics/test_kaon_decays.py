"""K -> pi A' and K -> pi phi': worked numbers, cancellations, and what the banner says of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from globalfit.analysis.pushback import violations
from globalfit.physics.kaon_decays import br_k_pi_aprime, br_k_pi_phi

F = np.array([2.0**0.5 * 1e4])


def at(m):
    return np.array([float(m)])


@pytest.mark.parametrize(
    ("m", "expected"), [(5, 7.71e-6), (50, 7.41e-6), (100, 6.55e-6), (130, 5.82e-6), (200, 3.70e-6)]
)
def test_aprime(m, expected):
    assert br_k_pi_aprime(at(m), F)[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("charges", "expected", "rel"),
    [((0, 0, 1), 7.7e-6, 0.02), ((-1, 0, 1), 1.2e-3, 0.05), ((-1, 0, 0), 1.0e-3, 0.05)],
)
def test_other_charges(charges, expected, rel):
    assert br_k_pi_aprime(at(5), F, charges)[0] == pytest.approx(expected, rel=rel)


def test_accidents():
    """(-1, 1, 1) vanishes at leading order, universal charges do not, and rates fall as 1/f^2."""
    t3r = br_k_pi_aprime(at(5), F)[0]
    assert br_k_pi_aprime(at(5), F, (-1, 1, 1))[0] < 1e-20 * t3r
    assert br_k_pi_aprime(at(5), 2 * F)[0] == pytest.approx(t3r / 4)
    assert br_k_pi_aprime(at(5), F, (1, 1, 1))[0] == pytest.approx(
        t3r * (2 * (493.677**2 - 139.57039**2) / 139.57039**2) ** 2
    )
    assert br_k_pi_aprime(at(360), F)[0] == 0.0


@pytest.mark.parametrize(
    ("m", "expected"),
    [(10, 3.46e-5), (70, 3.37e-5), (80, 3.34e-5), (100, 3.27e-5), (130, 3.15e-5), (200, 2.71e-5)],
)
def test_phi(m, expected):
    assert br_k_pi_phi(at(m), F)[0] == pytest.approx(expected, rel=0.02)


def chain(**point):
    return SimpleNamespace(
        attributes={"model": "t3r-muon"},
        parameters=[{"name": "vev", "value": 1e4}],
        likelihoods=[{"name": "muon-g2"}],
        resolved={"model": {"kappa": "sqrt2"}},
        best=lambda: point,
    )


def test_banner_of_the_benchmark():
    """At V = 10 GeV: K -> pi phi' with photons is 900 times too large, K -> pi A' invisible 3e5 times."""
    visible = chain(m_phi=80.0, m_aprime=5.0, br_phi_gamma_gamma=1.0, ctau_phi=6e-3, g_mu_vector=1.8e-4)
    found = violations(visible)
    assert found[0].title.startswith("K+")
    factors = {each.title: each.factor for each in found}
    assert factors["K+ -> pi+ phi', phi' -> gamma gamma"] == pytest.approx(900, rel=0.2)
    assert factors["K+ -> pi+ A', A' invisible"] == pytest.approx(2.8e5, rel=0.1)
    assert factors["pi+ -> e+ nu A', A' invisible"] == pytest.approx(6.0, rel=0.05)
    assert "mu N -> mu N A', A' invisible" not in factors
    hidden = {each.title: each.factor for each in violations(chain(m_phi=80.0, br_phi_nus_nus=1.0))}
    assert hidden["K+ -> pi+ phi', phi' invisible"] == pytest.approx(2.4e6, rel=0.3)


def test_nothing_to_say_of_other_models_or_heavy_particles():
    other = chain(m_phi=80.0)
    other.attributes["model"] = "b-xl"
    assert violations(other) == []
    assert violations(chain(m_phi=400.0, m_aprime=400.0)) == []
