from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pytest

from globalfit.likelihood import Published
from globalfit.model import Point
from globalfit.parameters import Parameter
from globalfit.statistics import gaussian
from globalfit.testing import check_likelihood, check_prior


@dataclass(frozen=True)
class Flat:
    low: float = 1.0
    high: float = 3.0
    scale: str = "linear"

    def log_density(self, x):
        inside = (x >= self.low) & (x <= self.high)
        return np.where(inside, -np.log(self.high - self.low), -np.inf)

    def quantile(self, u):
        return self.low + u * (self.high - self.low)


class ToyPoint(Point):
    @cached_property
    def width(self):
        return self.mass * self.coupling**2


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    reference: str = "none"
    parameters: tuple = (
        Parameter("mass", prior=Flat()),
        Parameter("coupling", prior=Flat()),
        Parameter("free"),
    )
    derived: tuple = ()
    coordinates: dict = field(default_factory=dict)

    def point(self, columns):
        return ToyPoint(columns, self.name)


class Good:
    name = "good"
    reference = "doi"
    needs = ("width",)
    parameters = (Parameter("shift", prior=Flat(-1.0, 1.0)),)
    published = (Published({"rate": 5.0}, -0.5 * np.log(2 * np.pi), "closed form"),)

    def predict(self, point):
        return {"rate": point.width + point.shift}

    def log_likelihood(self, prediction):
        return gaussian(5.0, prediction["rate"], 1.0)


def failed(likelihood, **options):
    findings = check_likelihood(likelihood, Toy(), **options)
    for each in findings:
        assert each.message.startswith(f"{getattr(likelihood, 'name', type(likelihood).__name__)}: ")
        assert "\n" not in each.message
    return {each.check: each.message for each in findings if not each.passed}


def test_good_likelihood_passes_every_check():
    findings = check_likelihood(Good(), Toy(), points=32)
    assert all(each.passed for each in findings), findings
    assert [each.check for each in findings] == [
        "protocol", "quantities", "columns", "evaluation", "nan", "finite", "deterministic", "batch",
        "reads", "needs", "parameters", "published", "time",
    ]  # fmt: skip
    assert "us per point in a batch of 32" in findings[-1].message


class Raises(Good):
    def predict(self, point):
        raise RuntimeError("table\nmissing")


class RaisesLater(Good):
    def log_likelihood(self, prediction):
        return prediction["rates"]


class Nan(Good):
    def predict(self, point):
        return {"rate": np.where(point.width > 10.0, np.nan, point.width) + point.shift}


class Infinite(Good):
    published = ()

    def log_likelihood(self, prediction):
        return np.where(prediction["rate"] > 10.0, np.inf, -1.0)


class Empty(Good):
    published = ()

    def log_likelihood(self, prediction):
        return np.where(prediction["rate"] > 10.0, -np.inf, -1.0)


class ScalarSum(Good):
    def log_likelihood(self, prediction):
        return super().log_likelihood(prediction).sum()


class Transposed(Good):
    def predict(self, point):
        return {"rate": point.width + point.shift, "bins": np.ones((3, point.n))}


class NotAMapping(Good):
    def predict(self, point):
        return None


class Random(Good):
    def predict(self, point):
        return {"rate": point.width + point.shift + np.random.default_rng().normal()}


class Counting(Good):
    published = ()
    calls = 0

    def log_likelihood(self, prediction):
        self.calls += 1
        return super().log_likelihood(prediction) + self.calls


class Mixing(Good):
    def log_likelihood(self, prediction):
        return super().log_likelihood(prediction) - 1e-8 * prediction["rate"].mean()


class WritesPoint(Good):
    def predict(self, point):
        width = point.width
        width += point.shift
        return {"rate": width}


class WritesColumn(Good):
    needs = ("mass",)

    def predict(self, point):
        np.multiply(point.columns["mass"], 2.0, out=point.columns["mass"])
        return {"rate": point.mass + point.shift}


class WritesPrediction(Good):
    def log_likelihood(self, prediction):
        prediction["rate"] -= 1.0
        return prediction["rate"]


class WritesMapping(Good):
    def log_likelihood(self, prediction):
        prediction["rate"] = prediction["rate"] - 1.0
        return prediction["rate"]


class UnreadNuisance(Good):
    def predict(self, point):
        return {"rate": point.width}


class UnreadNeed(Good):
    needs = ("width", "mass")  # the width is made of the mass, but the likelihood itself does not read it


class Undeclared(Good):
    needs = ()


class UndeclaredColumn(Good):
    def predict(self, point):
        return {"rate": point.width + point.shift + 0.0 * point.columns["mass"]}


class Unknown(Good):
    def predict(self, point):
        return {"rate": point.width + point.shift + point.charge}


class NeedsUnknown(Good):
    needs = ("width", "br_aprime_ee")


class WrongNumber(Good):
    published = (Published({"rate": 5.0}, -0.9, "table 3"),)


class PublishedWithoutKey(Good):
    published = (Published({"rte": 5.0}, -0.9, "table 3"),)


class OnePoint(Good):
    def predict(self, point):
        if point.n > 1:
            raise TypeError("only length-1 arrays")
        return {"rate": float(point.width[0] + point.shift[0])}


class NoPrior(Good):
    needs = ("width", "free")

    def predict(self, point):
        return {"rate": point.width + point.shift + 0.0 * point.free}


class TextNeeds(Good):
    needs = "width"


class Nothing:
    pass


class PropertyRaises(Good):
    @property
    def needs(self):
        raise KeyError("file")


@pytest.mark.parametrize(
    ("broken", "check", "text"),
    [
        (Raises, "evaluation", "predict raises RuntimeError: table missing"),
        (RaisesLater, "evaluation", "log_likelihood raises KeyError: 'rates'"),
        (Nan, "nan", "where the prediction 'rate' is nan"),
        (Infinite, "nan", "log_likelihood is inf at mass = "),
        (Empty, "finite", "log_likelihood is -inf at "),
        (ScalarSum, "evaluation", "log_likelihood has the shape () for 64 points; (n,) is needed"),
        (Transposed, "evaluation", "prediction 'bins' has the shape (3, 64)"),
        (NotAMapping, "evaluation", "predict returns None"),
        (Random, "deterministic", "prediction 'rate' differs between two calls"),
        (Counting, "deterministic", "log_likelihood differs between two calls"),
        (Mixing, "batch", "log_likelihood of a point depends on the others"),
        (WritesPoint, "evaluation", "predict changes its input"),
        (WritesColumn, "evaluation", "predict changes its input"),
        (WritesPrediction, "evaluation", "log_likelihood changes its input"),
        (WritesMapping, "evaluation", "log_likelihood changes its input"),
        (UnreadNuisance, "parameters", "nuisance parameter 'shift' but never reads it"),
        (UnreadNeed, "needs", "declares 'mass' in 'needs' but never reads it"),
        (Undeclared, "reads", "reads 'width' without declaring it"),
        (UndeclaredColumn, "reads", "reads 'mass' without declaring it"),
        (Unknown, "evaluation", "reads 'charge', which model 'toy' lacks"),
        (NeedsUnknown, "quantities", "needs 'br_aprime_ee', which model 'toy' lacks"),
        (WrongNumber, "published", "of table 3 is not reproduced: -0.9189385332"),
        (PublishedWithoutKey, "published", "raises KeyError: 'rate'"),
        (OnePoint, "evaluation", "declare 'batched = False'"),
        (NoPrior, "columns", "'free' has no prior to draw from"),
        (TextNeeds, "protocol", "must be a tuple of names"),
        (Nothing, "protocol", "has no 'name', 'reference', 'needs', 'predict', 'log_likelihood'"),
        (PropertyRaises, "protocol", "'needs' raises KeyError"),
    ],
)
def test_broken_plugin_is_caught_by_its_check(broken, check, text):
    problems = failed(broken())
    assert text in problems[check]
    # a wrong draw is wrong twice: in two calls, and alone against in a batch
    assert set(problems) <= {check, "deterministic", "batch"}


def test_one_point_likelihood_that_says_so_passes():
    class Declared(OnePoint):
        batched = False

    findings = check_likelihood(Declared(), Toy(), points=5)
    assert all(each.passed for each in findings), findings
    assert "one at a time" in findings[-1].message


def test_given_columns_are_the_points():
    columns = {"mass": np.array([1.0, 2.0]), "coupling": np.array([1.0, 3.0]), "free": np.zeros(2)}
    assert not failed(NoPrior(), columns=columns)
    message = failed(Infinite(), columns=columns)["nan"]
    assert "inf at mass = 2, coupling = 3, free = 0, shift = " in message
    assert message.endswith("(1 of 2 points)")


def test_columns_of_unequal_length_are_refused():
    assert "one shape (n,)" in failed(Good(), columns={"mass": np.ones(2), "coupling": np.ones(3)})["columns"]


def test_the_callers_columns_are_not_touched():
    mass = np.array([1.0, 2.0])
    check_likelihood(Good(), Toy(), columns={"mass": mass})
    assert mass.flags.writeable
    np.testing.assert_array_equal(mass, [1.0, 2.0])


def test_the_draws_follow_the_seed():
    first = failed(Empty(), seed=1)["finite"]
    assert first == failed(Empty(), seed=1)["finite"]
    assert first != failed(Empty(), seed=2)["finite"]


@dataclass(frozen=True)
class LogFlat(Flat):
    scale: str = "log"

    def log_density(self, x):
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = (x >= self.low) & (x <= self.high)
            return np.where(inside, -np.log(np.abs(x)) - np.log(np.log(self.high / self.low)), -np.inf)

    def quantile(self, u):
        return self.low * (self.high / self.low) ** u


class Bell:
    scale = "linear"

    def log_density(self, x):
        return np.where(np.isnan(x), -np.inf, -0.5 * x**2 - 0.5 * np.log(2 * np.pi))

    def quantile(self, u):
        from scipy.special import ndtri

        return ndtri(u)


@dataclass(frozen=True)
class TwoSided:
    """Log-uniform in |x| on both sides of a gap."""

    low: float = 1e-3
    high: float = 10.0
    scale: str = "signed-log"

    def log_density(self, x):
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = (np.abs(x) >= self.low) & (np.abs(x) <= self.high)
            return np.where(inside, -np.log(np.abs(x)) - np.log(2 * np.log(self.high / self.low)), -np.inf)

    def quantile(self, u):
        t = 2.0 * u - 1.0
        return np.copysign(self.low * (self.high / self.low) ** np.abs(t), t)


@pytest.mark.parametrize("prior", [Flat(), LogFlat(1e-6, 1e3), Bell(), TwoSided()])
def test_good_prior_passes(prior):
    findings = check_prior(prior)
    assert all(each.passed for each in findings), findings
    assert [each.check for each in findings] == ["protocol", "quantile", "density", "support", "batch"]


class NotNormalised(Flat):
    def log_density(self, x):
        return super().log_density(x) + 1e-4


class NoLogarithm(Flat):
    def log_density(self, x):
        return np.exp(super().log_density(x))


class WrongQuantile(Flat):
    def quantile(self, u):
        return super().quantile(u**2)


class FallingQuantile(Flat):
    def quantile(self, u):
        return super().quantile(1.0 - u)


class Spills(Flat):
    def log_density(self, x):
        return np.full(x.shape, -np.log(self.high - self.low))


class PriorRaises(Flat):
    def log_density(self, x):
        raise ValueError("no")


class PriorWrites(Flat):
    def log_density(self, x):
        x -= self.low
        return super().log_density(x)


class PriorMixes(Flat):
    def log_density(self, x):
        return super().log_density(x) + (1e-8 if x.size == 1 else 0.0)


@pytest.mark.parametrize(
    ("prior", "check", "text"),
    [
        (NotNormalised(), "density", "integrates to 1.0001"),
        (NoLogarithm(), "density", "integrates to "),
        (WrongQuantile(), "density", "between the quantiles of"),
        (FallingQuantile(), "quantile", "does not rise"),
        (Spills(), "support", "is not -inf at 0.999999"),
        (PriorRaises(), "evaluation", "log_density raises ValueError: no"),
        (PriorWrites(), "evaluation", "log_density changes its input"),
        (PriorMixes(), "batch", "depends on the others"),
        (Flat(scale="cubic"), "protocol", "scale 'cubic' is not"),
        (Nothing(), "protocol", "has no 'scale', 'log_density', 'quantile'"),
    ],
)
def test_broken_prior_is_caught(prior, check, text):
    problems = {each.check: each.message for each in check_prior(prior) if not each.passed}
    assert text in problems[check]
    assert problems[check].startswith(f"{type(prior).__name__}: ")


def test_a_single_value_has_no_density():
    findings = check_prior(replace(Flat(), low=2.0, high=2.0))
    assert findings[-1].check == "density"
    assert findings[-1].passed
