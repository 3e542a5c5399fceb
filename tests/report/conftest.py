from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from globalfit.fitfile import load_fit

MUON = """
model = { name = "t3r-muon" }
data = { as_of = 2022-10-15 }
[parameters.vev]
prior = { shape = "log-uniform", low = 5000.0, high = 20000.0 }
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 5.0, high = 200.0 }
[parameters.m_phi]
prior = { shape = "log-uniform", low = 50.0, high = 150.0 }
[likelihoods.muon-g2]
[likelihoods.counts]
class = "counts.py:Counts"
[sampler]
start = "prior"
walkers = 16
seed = 3
"""
COUNTS = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from globalfit.statistics import gaussian


@dataclass(frozen=True)
class Counts:
    name: ClassVar[str] = "counts"
    reference: ClassVar[str] = "a simulated mass measurement"
    needs: ClassVar[tuple[str, ...]] = ("m_aprime",)

    def predict(self, point):
        return {"mass_aprime": point.m_aprime}

    def log_likelihood(self, prediction):
        return gaussian(60.0, prediction["mass_aprime"], np.full_like(prediction["mass_aprime"], 20.0))
"""
BEAM = """
model = { name = "t3r-muon", portal = "long-lived-scalar" }
[parameters.m_x]
prior = { shape = "log-uniform", low = 1.0, high = 10.0 }
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 30.0, high = 200.0 }
[parameters.portal_coupling]
prior = { shape = "log-uniform", low = 2e-9, high = 2e-8 }
[parameters.lsnd_neutron_fraction]
fixed = 0.01
[likelihoods.miniboone]
[likelihoods.miniboone-dump]
[likelihoods.lsnd]
[sampler]
start = "prior"
walkers = 16
seed = 1
"""


@pytest.fixture(scope="session")
def muon(tmp_path_factory):
    """A short chain of muon g-2 and an experiment of a loose file beside it."""
    folder = tmp_path_factory.mktemp("muon")
    (folder / "counts.py").write_text(COUNTS)
    (folder / "muon.toml").write_text(MUON)
    load_fit(folder / "muon.toml").run(folder / "muon.h5", steps=60)
    return folder / "muon.h5"


@pytest.fixture(scope="session")
def beam(tmp_path_factory):
    """A short chain of MiniBooNE, its dump run and LSND."""
    folder = tmp_path_factory.mktemp("beam")
    (folder / "beam.toml").write_text(BEAM)
    load_fit(folder / "beam.toml").run(folder / "beam.h5", steps=40)
    return folder / "beam.h5"


@pytest.fixture(scope="session")
def browse(tmp_path_factory):
    """Return what a headless Chromium makes of a page: its document, and what it says on stderr."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next((found for each in names if (found := shutil.which(each))), None)
    if program is None:
        pytest.skip(f"no browser on the path: none of {', '.join(names)}")
    profile = tmp_path_factory.mktemp("profile")

    def run(page: Path, *options: str) -> tuple[str, str]:
        words = [program, "--headless", "--disable-gpu", f"--user-data-dir={profile}", "--no-first-run"]
        if os.geteuid() == 0:
            words.append("--no-sandbox")  # it refuses to start as root otherwise
        words += ["--enable-logging=stderr", *options, "--dump-dom", page.as_uri()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, done.stderr

    return run
