from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from globalfit.coordinates import Linear, Log, SignedLog, coordinate_for
from globalfit.errors import GlobalfitError
from globalfit.models.ridge import MuonG2Ridge
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.priors.shapes import LogNormal, LogUniform, Normal, SignedLogUniform, TruncatedNormal, Uniform

SHAPES = {
    "uniform": Uniform(-2.0, 5.0),
    "log_uniform": LogUniform(1e-4, 10.0),
    "signed": SignedLogUniform(1e-3, 2.0),
    "normal": Normal(3.0, 0.5),
    "log_normal": LogNormal(1e-2, 0.7),
    "truncated": TruncatedNormal(0.0, 1.0, low=0.5, high=4.0),
}


def every_shape():
    return ParameterSpace([Parameter(name, prior=prior) for name, prior in SHAPES.items()])


def ridge_space(**more):
    sampled = [
        Parameter("m_phi", prior=LogUniform(50.0, 150.0)),  # before what its coordinate reads
        Parameter("m_aprime", prior=LogUniform(5.0, 200.0)),
        Parameter("vev", prior=LogUniform(5e3, 2e4)),
    ]
    return ParameterSpace(sampled, {"epsilon": 0.0}, coordinates={"m_phi": MuonG2Ridge()}, **more)


def test_columns_hold_sampled_fixed_and_tied_parameters():
    space = ParameterSpace(
        [Parameter("a", prior=LogUniform(1.0, 10.0)), Parameter("b", prior=Uniform(0.0, 1.0))],
        fixed={"c": 4.0},
        tied={"d": "a", "e": "c"},
    )
    columns = space.columns(np.array([[np.log(2.0), 0.3], [np.log(5.0), 0.6]]))
    assert set(columns) == {"a", "b", "c", "d", "e"}
    assert columns["a"] == pytest.approx([2.0, 5.0], rel=1e-15)
    assert columns["b"].tolist() == [0.3, 0.6]
    assert columns["c"].tolist() == columns["e"].tolist() == [4.0, 4.0]
    assert columns["d"].tolist() == columns["a"].tolist()
    assert (space.names, space.dim) == (("a", "b"), 2)


def test_the_scale_of_a_prior_chooses_the_coordinate():
    assert coordinate_for(Uniform(0.0, 1.0)) == Linear()
    assert coordinate_for(LogNormal(1.0, 1.0)) == Log()
    assert coordinate_for(SignedLogUniform(0.1, 1.0)) == SignedLog(0.1)


@pytest.mark.parametrize("coordinate", [Linear(), Log(), SignedLog(0.3)])
@pytest.mark.parametrize("u", [-2.0, -0.4, 0.7, 3.0])
def test_jacobians_of_single_coordinates_are_the_numerical_derivatives(coordinate, u):
    h = 1e-6
    around = np.array([u - h, u, u + h])
    x, log_slope = coordinate.to_physical(around, {})
    assert log_slope[1] == pytest.approx(np.log((x[2] - x[0]) / (2 * h)), abs=1e-8)
    assert coordinate.from_physical(x, {}) == pytest.approx(around, abs=1e-14)


def test_jacobian_of_the_ridge_space_is_the_numerical_determinant():
    space = ridge_space()
    h = 1e-6
    for theta in space.draw(20, np.random.default_rng(1)):
        steps = h * np.eye(3)
        matrix = (space.physical(theta + steps) - space.physical(theta - steps)) / (2 * h)
        _, log_det = np.linalg.slogdet(matrix)  # rows: coordinates; the determinant does not mind
        assert space.log_jacobian(theta[None])[0] == pytest.approx(log_det, abs=2e-6)


@pytest.mark.parametrize("space", [every_shape(), ridge_space()], ids=["shapes", "ridge"])
def test_round_trips_and_densities(space):
    theta = space.draw(500, np.random.default_rng(2))
    values = space.physical(theta)
    assert np.isfinite(values).all()
    assert space.physical(space.walker(values)) == pytest.approx(values, rel=1e-9)
    assert space.walker(values) == pytest.approx(theta, rel=1e-7, abs=1e-7)
    expected = sum(
        prior.log_density(values[:, i]) for i, prior in enumerate(space.priors)
    ) + space.log_jacobian(theta)
    assert space.log_prior(theta) == pytest.approx(expected, abs=1e-12)
    assert space.log_prior(theta) == pytest.approx(
        space.log_density(values) + space.log_jacobian(theta), abs=1e-12
    )


def test_unit_cube_holds_the_quantiles():
    space = every_shape()
    u = np.random.default_rng(3).uniform(0.001, 0.999, (200, space.dim))
    values = space.physical(space.from_unit_cube(u))
    for i, prior in enumerate(SHAPES.values()):
        assert values[:, i] == pytest.approx(prior.quantile(u[:, i]), rel=1e-13)


def test_scaled_values_are_those_of_the_priors_scales():
    space = ridge_space()
    values = space.physical(space.draw(10, np.random.default_rng(4)))
    assert space.scaled(values) == pytest.approx(np.log(values))
    assert space.scaled(values.reshape(2, 5, 3)).shape == (2, 5, 3)


def test_points_outside_a_prior_or_a_coordinate_have_no_prior():
    space = every_shape()
    inside = space.walker(np.array([[0.0, 1.0, -0.5, 3.0, 0.01, 1.0]]))[0]
    theta = np.tile(inside, (4, 1))
    theta[1, 0] = 5.1
    theta[2, 1] = np.log(11.0)
    theta[3, 3] = np.nan
    assert (space.log_prior(theta) > -np.inf).tolist() == [True, False, False, False]
    ridge = ridge_space()
    far = ridge.draw(1, np.random.default_rng(5))
    far[0, 0] = -1e9  # no mass gives a muon moment that negative
    assert np.isnan(ridge.physical(far)[0, 0])
    assert ridge.log_prior(far)[0] == -np.inf


def test_signed_log_has_no_coordinate_in_its_gap():
    coordinate = SignedLog(0.1)
    found = coordinate.from_physical(np.array([-0.2, -0.05, 0.0, 0.05, 0.1, 0.2]), {})
    assert np.isnan(found).tolist() == [False, True, True, True, False, False]
    assert found[[0, 4, 5]] == pytest.approx([-np.log(2.0), 0.0, np.log(2.0)])


@dataclass(frozen=True)
class Shifted:
    """u = x minus other parameters."""

    reads: tuple[str, ...]

    def to_physical(self, u, columns):
        return u + sum(columns[name] for name in self.reads), np.zeros_like(u)

    def from_physical(self, x, columns):
        return x - sum(columns[name] for name in self.reads)


def three(coordinates, **more):
    wide = Normal(0.0, 10.0)
    return ParameterSpace([Parameter(name, prior=wide) for name in "abc"], coordinates=coordinates, **more)


def test_coordinates_are_inverted_after_what_they_read():
    space = three({"a": Shifted(("b",)), "b": Shifted(("c",))})
    theta = np.array([[1.0, 10.0, 100.0]])
    assert space.physical(theta).tolist() == [[211.0 - 100.0, 110.0, 100.0]]
    assert space.walker(space.physical(theta)).tolist() == theta.tolist()


def test_a_coordinate_may_read_a_tied_or_a_fixed_parameter():
    space = three({"a": Shifted(("t", "f"))}, tied={"t": "c", "g": "f"}, fixed={"f": 0.5})
    theta = np.array([[1.0, 2.0, 3.0]])
    assert space.physical(theta).tolist() == [[4.5, 2.0, 3.0]]
    assert space.walker(np.array([[4.5, 2.0, 3.0]])).tolist() == theta.tolist()
    columns = space.columns(theta)
    assert (columns["t"].tolist(), columns["g"].tolist()) == ([3.0], [0.5])


def test_a_tie_can_close_a_circle():
    with pytest.raises(GlobalfitError, match="a: their coordinates read each other in a circle"):
        three({"a": Shifted(("t",))}, tied={"t": "a"})


A, B = Parameter("a", prior=Normal(0.0, 1.0)), Parameter("b", prior=Normal(0.0, 1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ParameterSpace([A, A]), "a: the parameter is given twice; keep one of the two"),
        (lambda: ParameterSpace([A], {"a": 1.0}), "a: the parameter is given twice"),
        (lambda: ParameterSpace([Parameter("a")]), "a: has no prior; give it one, or a fixed value"),
        (lambda: ParameterSpace([A], tied={"b": "c"}), "b: tied to 'c', which is neither sampled nor fixed"),
        (lambda: ParameterSpace([A], tied={"b": "c", "c": "a"}), "b: tied to 'c', which is neither"),
        (
            lambda: ParameterSpace([A], {"b": 1.0}, coordinates={"b": Linear()}),
            "b: has a coordinate but is not",
        ),
        (
            lambda: ParameterSpace([A], coordinates={"a": Shifted(("x",))}),
            "a: its coordinate reads 'x', which",
        ),
        (
            lambda: ParameterSpace([A, B], coordinates={"a": Shifted(("b",)), "b": Shifted(("a",))}),
            "a, b: their coordinates read each other in a circle",
        ),
    ],
)
def test_spaces_that_make_no_sense_are_refused(make, message):
    with pytest.raises(GlobalfitError, match=re.escape(message)):
        make()


def test_points_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match=re.escape("points of shape (5, 2) given; shape (n, 6) is needed")):
        every_shape().log_prior(np.zeros((5, 2)))
