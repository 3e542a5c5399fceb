"""Direct detection: the T3R benchmark table with its conventions, and the values without its rounding."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.constants import M_PROTON
from globalfit.errors import GlobalfitError
from globalfit.models.t3r import T3RMuon
from globalfit.physics import direct_detection as dd
from globalfit.physics.direct_detection import CM2_PER_PB

M_ETA, M_APRIME, M_PHI = np.array([40.0, 38.0]), np.array([150.0, 180.0]), np.array([80.0, 76.0])


def point(kappa):
    columns = {"vev": np.full(2, 1e4), "m_aprime": M_APRIME, "m_phi": M_PHI, "m_eta": M_ETA}
    columns |= {"delta_eta": np.full(2, 1e-2), "m_nus": np.full(2, 10.0), "epsilon": np.zeros(2)}
    return T3RMuon(kappa=kappa).point(columns)


@pytest.mark.parametrize(
    ("inputs", "scalar", "vector", "rel"),
    [("t3r-benchmark", [0.58, 0.58], [1.17, 1.06], 5e-3), ("exact", [0.565, 0.567], [1.140, 1.033], 1e-3)],
)
def test_benchmark_table(inputs, scalar, vector, rel):
    """Scalar: kappa = sqrt2, f_u + f_d = 0.060. Vector: kappa = 1. (hbar c)^2 = 0.4 mb GeV^2, or exact."""
    p, factor = point("sqrt2"), 1.0 if inputs == "t3r-benchmark" else dd.HBARC2 / 0.4e-21
    y_n = dd.nucleon_yukawa(p.f, inputs="t3r-benchmark")
    ours = dd.sigma_scalar(p.m_eta, p.m_phi, p.y_eta, y_n, inputs="t3r-benchmark") * factor / CM2_PER_PB
    assert ours == pytest.approx(scalar, rel=rel)
    q = point("1")
    ours = dd.sigma_vector(q.m_eta, q.m_aprime, q.g_eta, q.g_p, inputs="t3r-benchmark") * factor / CM2_PER_PB
    assert ours == pytest.approx(vector, rel=rel)


def test_vector_depends_on_the_vev_alone():
    """g_eta g_N/m_A'^2 = 1/(4 f^2): mu^2/(16 pi f^4)."""
    p = point("sqrt2")
    closed = dd.HBARC2 * dd.reduced_mass(M_ETA) ** 2 / (16 * np.pi * (2**0.5 * 1e4) ** 4)
    assert dd.sigma_vector(p.m_eta, p.m_aprime, p.g_eta, p.g_p) == pytest.approx(closed, rel=1e-12)
    assert dd.sigma_vector(p.m_eta, p.m_aprime, p.g_eta, p.g_n) == pytest.approx(closed, rel=1e-12)


def test_nucleon_yukawa():
    f = np.array([1.0])
    assert dd.nucleon_yukawa(f) == pytest.approx(M_PROTON * 0.0619)
    heavy = 2 / 27 * (1 - 0.0208 - 0.0411 - 0.043)
    assert dd.nucleon_yukawa(f, ("c", "s")) == pytest.approx(M_PROTON * (heavy + 0.043))
    with pytest.raises(
        GlobalfitError, match="direct detection: no nuclear inputs 'hoferichter-2016'; did you mean"
    ):
        dd.nucleon_yukawa(f, inputs="hoferichter-2016")


def test_inelastic_factor():
    """A gap of 10 keV is out of reach of halo dark matter; without a gap the factor is one."""
    assert dd.inelastic_factor(M_ETA, np.array([0.01, 0.0])) == pytest.approx([0.0, 1.0])
    mu = dd.reduced_mass(M_ETA[:1])
    assert dd.inelastic_factor(M_ETA[:1], 0.25 * mu * 1e-6) == pytest.approx(0.5**0.5)
