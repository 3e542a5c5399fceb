"""A first likelihood for a new experiment: a file that works, its test, and a fit that uses it."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from globalfit.admission import PLUGIN_NAME
from globalfit.errors import PluginError, did_you_mean
from globalfit.registry import names

GAUSSIAN = '''"""{title}: one measured number with a Gaussian error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from globalfit.arrays import Array
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class {cls}:
    """{title}: replace the two numbers, the reference, and the physics in `predict`."""

    value: float = 1.0e-7
    error: float = 0.2e-7

    name: ClassVar[str] = "{name}"
    reference: ClassVar[str] = "your experiment, arXiv:0000.00000"
    needs: ClassVar[tuple[str, ...]] = ("y_mu", "m_phi")

    def predict(self, point: Point) -> Prediction:
        """Return {{observable: (n,)}}; here a scalar's contribution to muon g-2."""
        from globalfit.physics.magnetic_moment import delta_a_scalar

        return {{"{observable}": delta_a_scalar(point.y_mu, point.m_phi)}}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln L (n,)."""
        return gaussian(self.value, prediction["{observable}"], self.error)
'''

COUNTING = '''"""{title}: counted events over an uncertain background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from globalfit.arrays import Array
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.statistics import poisson_with_background


@dataclass(frozen=True)
class {cls}:
    """{title}: replace the counts, the reference, and the physics in `predict`."""

    observed: int = 7
    background: float = 5.2
    error_background: float = 0.8
    exposure: float = 1e6

    name: ClassVar[str] = "{name}"
    reference: ClassVar[str] = "your experiment, arXiv:0000.00000"
    needs: ClassVar[tuple[str, ...]] = ("y_mu", "g_mu_vector")

    def predict(self, point: Point) -> Prediction:
        """Return {{observable: (n,)}}; here a made-up rate that grows with both couplings."""
        return {{"{observable}": self.exposure * point.y_mu**2 * point.g_mu_vector**2}}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln L (n,)."""
        signal = prediction["{observable}"]
        return poisson_with_background(self.observed, signal, self.background, self.error_background)
'''

TEST = '''"""The likelihood keeps its contract and peaks where it should."""

from __future__ import annotations

import numpy as np
from {module} import {cls}

from globalfit.models.t3r import T3RMuon
from globalfit.testing import check_likelihood

MODEL = T3RMuon()


def test_contract():
    rng = np.random.default_rng(1)
    columns = {{name: prior.quantile(rng.random(32)) for name, prior in MODEL.ranges.items()}}
    for finding in check_likelihood({cls}(), MODEL, columns=columns):
        assert finding.passed, finding.message


def test_log_likelihood_peaks_at_the_measurement():
    experiment = {cls}()
    measured = {peak}
    signals = np.array([measured, 1.5 * measured + {step}])
    at, beside = experiment.log_likelihood({{"{observable}": signals}})
    assert at > beside
'''

FIT = """# globalfit run {stem}.toml
model = {{ name = "t3r-muon" }}

[parameters.vev]
prior = {{ shape = "log-uniform", low = 1_000.0, high = 20_000.0 }}
{second}
[likelihoods.{name}]
class = "{module}.py:{cls}"
"""

M_PHI = """[parameters.m_phi]
prior = { shape = "log-uniform", low = 1.0, high = 300.0 }
"""
M_APRIME = """[parameters.m_aprime]
prior = { shape = "log-uniform", low = 1.0, high = 250.0 }
"""

KINDS = {
    "gaussian": (GAUSSIAN, M_PHI, "experiment.value", "1e-7"),
    "counting": (COUNTING, M_APRIME, "experiment.observed - experiment.background", "5.0"),
}


def write_skeleton(name: str, kind: str, folder: Path) -> list[Path]:
    """Write ``NAME.py``, ``test_NAME.py`` and ``NAME.toml`` into `folder`; return their paths.

    Raises
    ------
    PluginError
        If the name is not kebab-case or is taken, the kind is unknown, or a file is already there.
    """
    if not re.fullmatch(PLUGIN_NAME, name):
        raise PluginError(
            "new-likelihood", f"'{name}' is not kebab-case", "write for example 'my-experiment'"
        )
    if kind not in KINDS:
        raise PluginError("new-likelihood", f"unknown kind '{kind}'", did_you_mean(kind, KINDS))
    if not folder.is_dir():
        raise PluginError("new-likelihood", f"there is no folder '{folder}'", "create it first")
    module = name.replace("-", "_")
    if name in names("likelihood"):
        raise PluginError("new-likelihood", f"'{name}' is an installed likelihood", "choose another name")
    if keyword.iskeyword(module) or module in {*sys.stdlib_module_names, *packages_distributions()}:
        problem = f"'{module}' is a word or a module of Python"
        raise PluginError("new-likelihood", problem, f"choose another name, such as '{name}-experiment'")
    words = {
        "name": name,
        "module": module,
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
        "observable": f"{module}_signal",
        "stem": module,
    }
    source, second, peak, step = KINDS[kind]
    words |= {"second": second, "peak": peak, "step": step}
    files = {f"{module}.py": source, f"test_{module}.py": TEST, f"{module}.toml": FIT}
    paths = [folder / file for file in files]
    for path in paths:
        if path.exists():
            raise PluginError("new-likelihood", f"'{path}' exists", "choose another name or --folder")
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text.format(**words), encoding="utf-8")
    return paths
