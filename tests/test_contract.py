"""Every registered plug-in keeps its contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from globalfit.conformance import findings_for, serving_model
from globalfit.coordinates import coordinate_for
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Likelihood, nuisances, published
from globalfit.model import Model, Point, probe
from globalfit.parameters import Prior
from globalfit.posterior import Constraint
from globalfit.registry import load, names
from globalfit.testing import check_prior

# Options of the shapes that have no default; every registered shape needs an entry.
SHAPES: dict[str, dict[str, float]] = {
    "fixed": {"value": 3.0},
    "log-normal": {"median": 2.0, "sigma": 0.5},
    "log-uniform": {"low": 5.0, "high": 200.0},
    "normal": {"mean": -1.0, "sigma": 2.0},
    "signed-log-uniform": {"low": 1e-8, "high": 1e-3},
    "truncated-normal": {"mean": 1.0, "sigma": 2.0, "low": 0.0},
    "uniform": {"low": -1.0, "high": 4.0},
}
CONSTRAINTS: dict[str, dict[str, Any]] = {
    "mass-ordering": {"lighter": ("m_eta",), "heavier": ("m_aprime",)},
    "perturbativity": {},
}


def model_for(likelihood: Likelihood) -> str:
    """Return the first model that has all that a likelihood needs."""
    extra = tuple(parameter.name for parameter in nuisances(likelihood))
    for name in names("model"):
        try:
            probe(serving_model(load("model", name), likelihood), likelihood.needs, extra)
        except GlobalfitError:
            continue
        return name
    raise AssertionError(f"no model can serve {likelihood.name}")


SLOW = {"flavio"}  # imports flavio


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in names("likelihood")]
)
def test_likelihood(name: str) -> None:
    likelihood = load("likelihood", name)()
    assert isinstance(likelihood, Likelihood)
    assert likelihood.name == name
    for finding in findings_for(name, model_for(likelihood)):
        assert finding.passed, finding.message


@pytest.mark.parametrize(
    ("name", "measurement"),
    [
        (name, each)
        for name in names("likelihood")
        for each in getattr(load("likelihood", name), "vintages", ())
    ],
)
def test_every_measurement_reproduces_its_published_numbers(name: str, measurement: str) -> None:
    likelihood = load("likelihood", name)(measurement=measurement)
    assert likelihood.reference
    for number in published(likelihood):
        prediction = {key: np.array([value]) for key, value in number.prediction.items()}
        found = likelihood.log_likelihood(prediction)[0]
        assert found == pytest.approx(number.log_likelihood, abs=number.tolerance)


def test_every_shape_has_options_here() -> None:
    assert tuple(SHAPES) == names("prior")
    assert tuple(CONSTRAINTS) == names("constraint")


@pytest.mark.parametrize("name", names("prior"))
def test_prior(name: str) -> None:
    prior = load("prior", name)(**SHAPES[name])
    assert isinstance(prior, Prior)
    for finding in check_prior(prior):
        assert finding.passed, finding.message


@pytest.mark.parametrize("name", names("model"))
def test_model(name: str) -> None:
    model: Model = load("model", name)()
    assert isinstance(model, Model)
    assert model.name == name
    assert model.reference
    declared = [parameter.name for parameter in model.parameters]
    assert len(set(declared)) == len(declared)
    assert set(model.ranges) == set(declared)
    assert set(model.coordinates) <= set(declared)
    assert not set(declared) & {quantity.name for quantity in model.derived}


@pytest.mark.parametrize("name", names("model"))
def test_derived_quantities_over_the_natural_ranges(name: str) -> None:
    model: Model = load("model", name)()
    rng = np.random.default_rng(5)
    columns = {key: prior.quantile(rng.random(500)) for key, prior in model.ranges.items()}
    point = model.point(columns)
    assert isinstance(point, Point)
    assert point.n == 500
    for quantity in model.derived:
        values = getattr(point, quantity.name)
        assert values.shape == (500,), quantity.name
        assert values.dtype == np.float64, quantity.name
        assert not np.isnan(values).any(), quantity.name
        if quantity.name.startswith("br_"):
            assert (values >= 0.0).all(), quantity.name
            assert (values <= 1.0 + 1e-12).all(), quantity.name
        if quantity.name.startswith("width_"):
            assert (values >= 0.0).all(), quantity.name
    for particle in ("aprime", "phi"):
        channels = [q.name for q in model.derived if q.name.startswith(f"br_{particle}_")]
        total = sum(getattr(point, channel) for channel in channels)
        assert (total <= 1.0 + 1e-9).all(), particle


@pytest.mark.parametrize("name", names("model"))
def test_a_point_does_not_depend_on_its_batch(name: str) -> None:
    model: Model = load("model", name)()
    rng = np.random.default_rng(6)
    columns = {key: prior.quantile(rng.random(40)) for key, prior in model.ranges.items()}
    together, alone = model.point(columns), model.point(columns).take(slice(7, 8))
    for quantity in model.derived:
        np.testing.assert_allclose(
            getattr(alone, quantity.name), getattr(together, quantity.name)[7:8], rtol=1e-10
        )


@pytest.mark.parametrize("name", names("model"))
def test_coordinates_of_models_are_bijections(name: str) -> None:
    model: Model = load("model", name)()
    rng = np.random.default_rng(7)
    columns = {key: prior.quantile(rng.random(200)) for key, prior in model.ranges.items()}
    plain = {(key, "its prior's"): coordinate_for(prior) for key, prior in model.ranges.items()}
    offered = {
        (key, each): found for key, choices in model.coordinates.items() for each, found in choices.items()
    }
    for (parameter, which), coordinate in {**plain, **offered}.items():
        u = coordinate.from_physical(columns[parameter], columns)
        x, log_slope = coordinate.to_physical(u, columns)
        np.testing.assert_allclose(x, columns[parameter], rtol=1e-9, err_msg=which)
        step = 1e-6
        high, low = (coordinate.to_physical(u + sign * step, columns)[0] for sign in (1, -1))
        smooth = np.isfinite(high) & np.isfinite(low) & (np.sign(high) == np.sign(low))
        slope = np.abs(high - low)[smooth] / (2 * step)
        np.testing.assert_allclose(slope, np.exp(log_slope)[smooth], rtol=1e-4, err_msg=which)


@pytest.mark.parametrize("name", names("constraint"))
def test_constraint(name: str) -> None:
    constraint: Constraint = load("constraint", name)(**CONSTRAINTS[name])
    assert constraint.name == name
    model: Model = load("model", "t3r-muon")()
    probe(model, tuple(constraint.needs))
    rng = np.random.default_rng(8)
    point = model.point({key: prior.quantile(rng.random(50)) for key, prior in model.ranges.items()})
    allowed = constraint.allows(point)
    assert allowed.shape == (50,)
    assert allowed.dtype == np.bool_
    assert allowed.any()
