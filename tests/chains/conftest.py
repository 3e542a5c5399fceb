from __future__ import annotations

from pathlib import Path

import pytest

from globalfit.fitfile import load_fit
from globalfit.sampling import stopping

ROOT = Path(__file__).parents[2]

TEXT = """
model = {{ name = "t3r-muon" }}
[parameters.vev]
prior = {{ shape = "log-uniform", low = {low}, high = 20000.0 }}
[parameters.m_aprime]
prior = {{ shape = "log-uniform", low = 5.0, high = 200.0 }}
[parameters.m_phi]
prior = {{ shape = "log-uniform", low = 50.0, high = 150.0 }}
[likelihoods.muon-g2]
[sampler]
start = "prior"
walkers = 32
seed = {seed}
{coordinates}
"""
RIDGE = 'coordinates = { m_phi = "muon-g2-ridge" }'


@pytest.fixture(scope="session")
def make_fit(tmp_path_factory):
    """Return a fit of muon g-2, three parameters, 32 walkers; in ridge coordinates by default."""

    def make(low=5000.0, seed=1, ridge=True):
        path = tmp_path_factory.mktemp("fit") / "fit.toml"
        path.write_text(TEXT.format(low=low, seed=seed, coordinates=RIDGE if ridge else ""))
        return load_fit(path)

    return make


@pytest.fixture(scope="session")
def short(make_fit, tmp_path_factory):
    """A chain of 120 steps: not converged."""
    path = tmp_path_factory.mktemp("short") / "short.h5"
    make_fit().run(path, steps=120)
    return path


@pytest.fixture(scope="session")
def converged(make_fit, tmp_path_factory):
    """A converged chain of some 1500 effective samples."""
    path = tmp_path_factory.mktemp("converged") / "converged.h5"
    chain = make_fit().run(path, target_ess=1500)
    assert chain.verdict.finished
    return path


@pytest.fixture(autouse=True)
def one_ensemble_is_enough(monkeypatch):
    """Tests of this folder read chains of one ensemble, which by the rule of four are never converged."""
    monkeypatch.setattr(stopping, "ENSEMBLES", 1)
