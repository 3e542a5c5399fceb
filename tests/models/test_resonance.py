"""R = m_phi/(2 m_eta) as a coordinate: a bijection with its exact Jacobian, and the same posterior."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.models.resonance import ResonanceRatio
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.priors.shapes import LogUniform


def test_bijection_and_jacobian():
    rng = np.random.default_rng(2)
    columns = {"m_phi": rng.uniform(20.0, 200.0, 50)}
    m_eta = rng.uniform(1.0, 100.0, 50)
    ratio = ResonanceRatio()
    u = ratio.from_physical(m_eta, columns)
    back, log_slope = ratio.to_physical(u, columns)
    assert back == pytest.approx(m_eta, rel=1e-13)
    step = 1e-6 * u
    slope = (ratio.to_physical(u + step, columns)[0] - ratio.to_physical(u - step, columns)[0]) / (2 * step)
    assert log_slope == pytest.approx(np.log(np.abs(slope)), abs=1e-8)
    assert u == pytest.approx(columns["m_phi"] / (2 * m_eta))


def test_no_image_where_the_ratio_is_not_positive():
    x, log_slope = ResonanceRatio().to_physical(np.array([-1.0, 0.0]), {"m_phi": np.full(2, 80.0)})
    assert np.isnan(x).all()
    assert np.isnan(log_slope).all()


def test_the_prior_of_physical_values_does_not_change():
    sampled = [
        Parameter("m_eta", prior=LogUniform(5.0, 100.0)),
        Parameter("m_phi", prior=LogUniform(50.0, 150.0)),
    ]
    plain = ParameterSpace(sampled)
    rotated = ParameterSpace(sampled, coordinates={"m_eta": ResonanceRatio()})
    values = plain.physical(plain.draw(40, np.random.default_rng(4)))
    for space in (plain, rotated):
        u = space.walker(values)
        assert space.physical(u) == pytest.approx(values, rel=1e-12)
        assert space.log_prior(u) - space.log_jacobian(u) == pytest.approx(
            space.log_density(values), abs=1e-10
        )
    outside = rotated.walker(np.array([[40.0, 80.0]]))
    outside[0, 0] = -1.0
    assert rotated.log_prior(outside) == -np.inf
