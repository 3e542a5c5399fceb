"""What ``globalfit check`` measures at draws of the prior."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from globalfit.checking import DRAWS, check_fit, sensitivity
from globalfit.errors import LikelihoodError
from globalfit.fit import Fit
from globalfit.fitfile import load_fit

PARAMETERS = """
model = { name = "t3r-muon" }
[parameters.vev]
prior = { shape = "log-uniform", low = 5_000.0, high = 20_000.0 }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.coupling]
class = "coupling.py:Coupling"
"""

COUPLING = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Coupling:
    """ln L is -m_phi inside a window, 0 times y_mu is read as well."""

    value: float = {value}
    name: ClassVar[str] = "coupling"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("y_mu", "m_phi")

    def predict(self, point):
        return {{"mass": point.m_phi + 0.0 * point.y_mu}}

    def log_likelihood(self, prediction):
        return {formula}
'''


@pytest.fixture
def fit(tmp_path: Path) -> Any:
    def load(formula: str = '-prediction["mass"]', more: str = "", value: float = 0.0) -> Fit:
        (tmp_path / "coupling.py").write_text(COUPLING.format(formula=formula, value=value))
        (tmp_path / "fit.toml").write_text(PARAMETERS + more)
        return load_fit(tmp_path / "fit.toml")

    return load


def test_sensitivity_is_the_largest_change_across_the_prior(fit: Any) -> None:
    """ln L = -m_phi over a uniform prior of width 100, from its 2 to its 98 % quantile."""
    changes = sensitivity(fit(), np.random.default_rng(0))
    assert changes.shape == (2, 1)
    np.testing.assert_allclose(changes[:, 0], [0.0, 96.0], rtol=1e-12)


def test_parameter_that_changes_nothing_is_flagged(fit: Any) -> None:
    found = check_fit(fit())
    assert found.parameters == ("vev", "m_phi")
    assert found.unread == ("vev",)
    assert found.remarks == ("no likelihood reacts to 'vev'",)
    assert found.failures == ()


def test_sensitivity_of_a_tied_parameter_is_that_of_the_one_it_follows(tmp_path: Path) -> None:
    text = """
model = { name = "t3r-muon" }
[parameters.vev]
fixed = 10_000.0
[parameters.m_aprime]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[parameters.m_phi]
tied = "m_aprime"
[likelihoods.coupling]
class = "coupling.py:Coupling"
"""
    (tmp_path / "coupling.py").write_text(COUPLING.format(formula='-prediction["mass"]', value=0.0))
    (tmp_path / "fit.toml").write_text(text)
    changes = sensitivity(load_fit(tmp_path / "fit.toml"), np.random.default_rng(0))
    np.testing.assert_allclose(changes, [[96.0]], rtol=1e-12)


def test_figures_of_a_likelihood(fit: Any) -> None:
    (row,) = check_fit(fit()).likelihoods
    assert row.name == "coupling"
    assert -53.0 < row.highest < -50.0
    assert row.median == pytest.approx(-100.0, abs=15.0)
    assert row.possible == 1.0
    assert 0.0 < row.microseconds < 1e4


def test_share_of_possible_draws(fit: Any) -> None:
    found = check_fit(fit('np.where(prediction["mass"] < 75.0, 0.0, -np.inf)'))
    assert found.likelihoods[0].possible == pytest.approx(0.25, abs=0.1)
    assert found.failures == ()
    assert found.unread == ("vev",)


def test_likelihood_that_excludes_everything_fails(fit: Any) -> None:
    loaded = fit('np.full_like(prediction["mass"], -np.inf)')
    found = check_fit(loaded)
    assert found.failures == (f"coupling: ln L is -inf at all of {DRAWS} draws of the prior",)
    assert json.loads(json.dumps(found.to_dict(loaded), allow_nan=False))["failures"] == list(found.failures)


def test_constraint_that_forbids_everything_fails(fit: Any) -> None:
    more = '[constraints.perturbativity]\nlimit = 1e-9\ncouplings = ["y_mu"]\n'
    found = check_fit(fit(more=more))
    assert found.allowed == 0.0
    assert found.failures == (f"the constraints forbid all of {DRAWS} draws of the prior",)


def test_share_that_constraints_allow(fit: Any) -> None:
    """m_phi below 80 MeV for m_phi uniform in 50..150 MeV: three in ten."""
    more = '[constraints.mass-ordering]\nlighter = ["m_phi"]\nheavier = ["m_aprime"]\n'
    fixed = "[parameters.m_aprime]\nfixed = 80.0\n"
    found = check_fit(fit(more=more + fixed))
    assert found.allowed == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / DRAWS))


def test_likelihood_that_breaks_its_contract_is_named(fit: Any) -> None:
    with pytest.raises(LikelihoodError, match=r"^coupling: log_likelihood is nan at .*m_phi = "):
        check_fit(fit('np.where(prediction["mass"] > 60.0, np.nan, 0.0)'))


def test_to_dict_is_strict_json_with_the_matrix_by_name(fit: Any) -> None:
    loaded = fit()
    found = check_fit(loaded).to_dict(loaded)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["sensitivity"]["m_phi"]["coupling"] == pytest.approx(96.0)
    assert found["sensitivity"]["vev"]["coupling"] == 0.0
    assert found["model"] == "t3r-muon"
    assert found["fingerprint"] == loaded.fingerprint
    assert found["defaults"] == {"delta_eta": "0.01", "m_nus": "10", "epsilon": "0"}


def test_same_seed_same_figures(fit: Any) -> None:
    loaded = fit()
    first, second = check_fit(loaded, seed=3), check_fit(loaded, seed=3)
    assert first.likelihoods[0].median == second.likelihoods[0].median
    np.testing.assert_array_equal(first.sensitivity, second.sensitivity)
