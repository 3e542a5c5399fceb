from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from globalfit.fitfile import load_fit

ROOT = Path(__file__).parents[2]

TEXT = """
model = {{ name = "t3r-muon" }}
[parameters.vev]
prior = {{ shape = "log-uniform", low = 5000.0, high = 20000.0 }}
[parameters.m_phi]
prior = {{ shape = "log-uniform", low = 50.0, high = 150.0 }}
[parameters.m_aprime]
fixed = 60.0
[likelihoods.muon-g2]
[sampler]
start = "prior"
walkers = 8
seed = {seed}
ensembles = {ensembles}
"""


@pytest.fixture(autouse=True)
def _found_by_workers(monkeypatch):
    """Let worker processes import the package from here."""
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), path])))


@pytest.fixture(scope="session")
def make_fit(tmp_path_factory):
    """Return a fit of muon g-2, two parameters, 8 walkers an ensemble."""

    def make(ensembles=3, seed=1, text=TEXT, **more):
        path = tmp_path_factory.mktemp("fit") / "fit.toml"
        path.write_text(text.format(ensembles=ensembles, seed=seed))
        return load_fit(path, **more)

    return make


@pytest.fixture(scope="session")
def whole(make_fit, tmp_path_factory):
    """The chain of three ensembles, 90 steps, sampled by one process without a break."""
    path = tmp_path_factory.mktemp("whole") / "whole.h5"
    make_fit().run(path, steps=90)
    return path


@pytest.fixture(scope="session")
def text():
    """The fit file, to be changed."""
    return TEXT


@pytest.fixture(scope="session")
def tree():
    """Return a function that reads a chain file, all that must be the same in equal chains."""
    return read_tree


def read_tree(path):
    """Every dataset of a file and the attributes, but for times of day and the segments of the run."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and name != "globalfit/run":
            found[name] = np.asarray(item[()]).tobytes()
        found.update(
            {f"{name}@{k}": str(v) for k, v in item.attrs.items() if k not in ("created", "finished")}
        )

    with h5py.File(path) as file:
        file.visititems(visit)
    return found
