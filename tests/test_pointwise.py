"""Observables and ln L at given points: what ``globalfit eval`` prints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from globalfit.errors import FitError
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.physics.magnetic_moment import delta_a_scalar, delta_a_vector, error_two_loop
from globalfit.pointwise import evaluate_file, evaluate_point, parse_assignments

FIT = """
model = { name = "t3r-muon" }
[parameters.vev]
fixed = 10_000.0
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 5.0, high = 200.0 }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.muon-g2]
[constraints.mass-ordering]
lighter = ["m_aprime"]
heavier = ["m_phi", "m_phi"]
"""

# Refuses, like a table that ends, points beyond a mass.
SHORT = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Short:
    """A likelihood with an end."""

    name: ClassVar[str] = "short"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("m_phi",)

    def predict(self, point):
        return {"mass": point.m_phi}

    def log_likelihood(self, prediction):
        mass = prediction["mass"]
        return np.where(mass > 120.0, np.nan, np.where(mass > 110.0, -np.inf, 0.0))
'''


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    (tmp_path / "fit.toml").write_text(FIT)
    return load_fit(tmp_path / "fit.toml")


@pytest.fixture
def short(tmp_path: Path) -> Fit:
    (tmp_path / "short.py").write_text(SHORT)
    (tmp_path / "short.toml").write_text(FIT + '[likelihoods.short]\nclass = "short.py:Short"\n')
    return load_fit(tmp_path / "short.toml")


def test_a_point_against_the_formulas(fit: Fit) -> None:
    record = evaluate_point(fit, {"m_aprime": 70.0, "m_phi": 60.0})
    m_mu, vev = 105.6583755, 10_000.0
    y, g = m_mu / (math.sqrt(2) * vev), 70.0 / (math.sqrt(2) * vev) / 2
    scalar = delta_a_scalar(np.array([y]), np.array([60.0]))
    vector = delta_a_vector(np.array([g]), np.array([g]), np.array([70.0]))
    observables = record["likelihoods"]["muon-g2"]["observables"]
    assert observables["delta_a_mu"] == pytest.approx((scalar + vector)[0], rel=1e-9)
    error = error_two_loop(scalar, vector)[0]
    assert observables["error_delta_a_mu"] == pytest.approx(error, rel=1e-9)
    total = math.hypot(63e-11, error)
    expected = -0.5 * ((observables["delta_a_mu"] - 38e-11) / total) ** 2 - math.log(
        total * math.sqrt(2 * math.pi)
    )
    assert record["likelihoods"]["muon-g2"]["ln_likelihood"] == pytest.approx(expected, rel=1e-12)
    assert record["ln_prior"] == pytest.approx(-math.log(70.0 * math.log(40.0)) - math.log(100.0), rel=1e-12)
    assert record["ln_posterior"] == pytest.approx(expected + record["ln_prior"], rel=1e-12)
    assert record["derived"]["y_mu"] == pytest.approx(y, rel=1e-9)


def test_keys_and_order(fit: Fit) -> None:
    record = evaluate_point(fit, {"m_aprime": 70.0, "m_phi": 60.0})
    assert list(record) == ["parameters", "derived", "likelihoods", "ln_prior", "ln_posterior"]
    assert list(record["parameters"]) == ["m_aprime", "m_phi", "vev", "delta_eta", "m_nus", "epsilon"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_fixed_values_and_defaults_can_be_overridden_and_are_echoed(fit: Fit) -> None:
    given = parse_assignments(fit, ["m_aprime=70", "m_phi=60", "vev=2e4", "epsilon=1e-3"])
    assert given == {"m_aprime": 70.0, "m_phi": 60.0, "vev": 20_000.0, "epsilon": 1e-3}
    record = evaluate_point(fit, given)
    assert record["parameters"]["vev"] == 20_000.0
    assert record["parameters"]["epsilon"] == 1e-3
    assert record["derived"]["g_e_vector"] != 0.0
    plain = evaluate_point(fit, {"m_aprime": 70.0, "m_phi": 60.0})
    assert record["derived"]["y_mu"] == pytest.approx(plain["derived"]["y_mu"] / 2, rel=1e-12)
    assert record["ln_prior"] == plain["ln_prior"]


def test_tied_parameter_follows_or_is_set(tmp_path: Path) -> None:
    text = FIT.replace('prior = { shape = "uniform", low = 50.0, high = 150.0 }', 'tied = "m_aprime"')
    (tmp_path / "tied.toml").write_text(text)
    fit = load_fit(tmp_path / "tied.toml")
    assert evaluate_point(fit, {"m_aprime": 70.0})["parameters"]["m_phi"] == 70.0
    record = evaluate_point(fit, {"m_aprime": 70.0, "m_phi": 80.0})
    assert (record["parameters"]["m_aprime"], record["parameters"]["m_phi"]) == (70.0, 80.0)


@pytest.mark.parametrize("values", [{"m_aprime": 70.0, "m_phi": 500.0}, {"m_aprime": 130.0, "m_phi": 60.0}])
def test_outside_prior_or_constraint_the_likelihood_is_evaluated_all_the_same(
    fit: Fit, values: dict[str, float]
) -> None:
    record = evaluate_point(fit, values)
    assert record["ln_prior"] is None
    assert record["ln_posterior"] is None
    assert math.isfinite(record["likelihoods"]["muon-g2"]["ln_likelihood"])


def test_impossible_point_is_null(short: Fit) -> None:
    record = evaluate_point(short, {"m_aprime": 70.0, "m_phi": 115.0})
    assert record["likelihoods"]["short"] == {"ln_likelihood": None, "observables": {"mass": 115.0}}
    assert record["ln_posterior"] is None
    assert record["ln_prior"] is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["m_phi"], "eval: 'm_phi' is not of the form name=value; write for example m_aprime=100"),
        (["m_fi=3"], "eval: unknown parameter 'm_fi'; did you mean 'm_phi'?"),
        (["m_phi=3", "m_phi=4"], "eval: 'm_phi' is given twice; keep one of the two"),
        (["m_phi=heavy"], "eval m_phi: 'heavy' is not a number; give a number"),
        (["m_phi="], "eval m_phi: '' is not a number; give a number"),
        (["m_phi=nan"], "eval m_phi: 'nan' is not finite; give a finite number"),
        (["m_phi=1e400"], "eval m_phi: '1e400' is not finite; give a finite number"),
        (
            ["m_eta=10"],
            "eval: the fit does not have 'm_eta'; "
            "nothing in it reads it; add [parameters.m_eta] and unused = 'allow' to have it",
        ),
    ],
)
def test_words_refused(fit: Fit, words: list[str], message: str) -> None:
    with pytest.raises(FitError) as caught:
        parse_assignments(fit, words)
    assert str(caught.value) == message


def test_all_missing_parameters_are_named_together(fit: Fit) -> None:
    with pytest.raises(FitError) as caught:
        evaluate_point(fit, {"vev": 1e4})
    assert str(caught.value) == (
        "eval: 'm_aprime', 'm_phi' are missing; give every sampled parameter as name=value"
    )


def records(fit: Fit, text: str | bytes, values: dict[str, float] | None = None) -> list[dict[str, Any]]:
    path = fit.path.with_suffix(".csv")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(evaluate_file(fit, path, values or {}))


def test_file_of_points_agrees_with_single_points(fit: Fit) -> None:
    found = records(fit, "\ufeff# a scan\nm_phi, m_aprime\n60, 70\n\n  # more\n80,1e2\n", {"vev": 9e3})
    singly = [
        evaluate_point(fit, {"m_phi": 60.0, "m_aprime": 70.0, "vev": 9e3}),
        evaluate_point(fit, {"m_phi": 80.0, "m_aprime": 100.0, "vev": 9e3}),
    ]
    assert found == singly


def test_failing_rows_stand_in_their_place_with_their_line(short: Fit) -> None:
    found = records(short, "# a scan\nm_aprime,m_phi\n70,60\n70,130\n70\n70,heavy\n70,nan\n70,100\n")
    path = short.path.with_suffix(".csv")
    assert [record.get("error", "fine") for record in found] == [
        "fine",
        "short: log_likelihood is nan at m_aprime = 70, m_phi = 130, vev = 10000, delta_eta = 0.01, "
        "m_nus = 10, epsilon = 0",
        f"{path} line 5: has 1 values for 2 columns; correct the row",
        f"{path} line 6, m_phi: 'heavy' is not a number; give a number",
        f"{path} line 7, m_phi: 'nan' is not finite; give a finite number",
        "fine",
    ]
    assert found[5]["parameters"]["m_phi"] == 100.0


def test_more_rows_than_a_batch(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "m_aprime,m_phi\n" + "".join(f"70,{60 + i}\n" for i in range(10))
    whole = records(fit, rows)
    monkeypatch.setattr("globalfit.pointwise.BATCH", 4)
    assert records(fit, rows) == whole
    assert len(whole) == 10


def test_header_alone_gives_nothing(fit: Fit) -> None:
    assert records(fit, "m_aprime,m_phi\n") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no header; the first line names the parameters"),
        ("# only remarks\n", "has no header; the first line names the parameters"),
        ("m_aprime,m_fi\n1,2\n", "unknown parameter 'm_fi'; did you mean 'm_phi'?"),
        ("m_aprime,m_phi,m_phi\n1,2,3\n", "'m_phi' is given twice; keep one of the two"),
        ("m_aprime\n70\n", "'m_phi' is missing; give every sampled parameter as name=value"),
        (b"m_aprime,m_phi\n\xff\n", "cannot be read: not UTF-8 text; give a CSV file"),
    ],
)
def test_file_refused_before_any_output(fit: Fit, text: str | bytes, message: str) -> None:
    with pytest.raises(FitError) as caught:
        records(fit, text)
    assert str(caught.value) == f"{fit.path.with_suffix('.csv')}: {message}"


def test_column_given_on_the_command_line_too(fit: Fit) -> None:
    with pytest.raises(FitError, match="'m_phi' is given twice"):
        records(fit, "m_aprime,m_phi\n70,60\n", {"m_phi": 60.0})


def test_file_that_is_not_there(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(FitError, match="cannot be read: No such file or directory; give a CSV file"):
        evaluate_file(fit, tmp_path / "nowhere.csv", {})
