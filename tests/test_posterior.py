from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.fitfile import load_fit
from globalfit.model import MissingParameterError, Point
from globalfit.models.t3r import T3RMuon
from globalfit.one_point import OnePointAtATime, as_batched
from globalfit.parameters import Parameter, ParameterSpace, Quantity
from globalfit.posterior import Posterior
from globalfit.priors.constraints import MassOrdering
from globalfit.priors.shapes import LogUniform, Uniform
from globalfit.statistics import gaussian

FITS = Path(__file__).parent.parent / "fits"


class ToyPoint(Point):
    @cached_property
    def product(self):
        return self.x * self.y

    @cached_property
    def unavailable(self):
        return self.x * self.z


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    reference: str = "none"
    parameters: tuple = (Parameter("x"), Parameter("y"), Parameter("z"))
    ranges: dict = field(default_factory=dict)
    derived: tuple = (Quantity("product"), Quantity("unavailable"))
    coordinates: dict = field(default_factory=dict)

    def point(self, columns):
        return ToyPoint(columns, self.name)


class Measured:
    reference = "none"
    needs = ("product",)

    def __init__(self, name="measured", observed=1.0):
        self.name, self.observed = name, observed

    def predict(self, point):
        n = point.n
        return {
            f"p_{self.name}": point.product,
            f"error_p_{self.name}": 0.1 * point.x,
            f"spectrum_{self.name}": np.ones((n, 3)) * point.x[:, None],
        }

    def log_likelihood(self, prediction):
        p, error = prediction[f"p_{self.name}"], prediction[f"error_p_{self.name}"]
        return gaussian(self.observed, p, np.hypot(0.3, error))


def space():
    return ParameterSpace(
        [Parameter("x", prior=Uniform(0.0, 2.0)), Parameter("y", prior=LogUniform(0.1, 10.0))]
    )


def posterior(*likelihoods, constraints=()):
    return Posterior(space(), Toy(), likelihoods, constraints)


THETA = np.array([[0.5, 0.0], [-1.0, 0.0], [1.5, 1.0], [1.0, 9.0], [1.9, -1.0]])  # rows 1 and 3 are outside


class Spy(Measured):
    def __init__(self):
        super().__init__("spy")
        self.seen = []

    def predict(self, point):
        self.seen.append((point.x.copy(), point.y.copy()))
        return super().predict(point)


def test_points_outside_never_reach_a_likelihood():
    spy = Spy()
    found = posterior(spy, constraints=[MassOrdering(("x",), ("y",))]).evaluate(THETA)
    # inside the prior: rows 0 (x = 0.5 < y = 1), 2 (1.5 < e) and 4 (1.9 > 1/e)
    (x, y), = spy.seen  # fmt: skip
    assert x.tolist() == [0.5, 1.5]
    assert y == pytest.approx([1.0, math.e])
    assert np.isfinite(found.log_prior).tolist() == [True, False, True, False, False]
    ll = found.log_likelihoods["spy"]
    assert np.isfinite(ll).tolist() == [True, False, True, False, False]
    assert (ll[[1, 3, 4]] == -np.inf).all()
    prediction = found.predictions["spy"]
    assert np.isnan(prediction["p_spy"]).tolist() == [False, True, False, True, True]
    assert prediction["spectrum_spy"].shape == (5, 3)
    assert prediction["spectrum_spy"][2] == pytest.approx([1.5] * 3)
    assert found.log_posterior[[0, 2]] == pytest.approx((found.log_prior + ll)[[0, 2]])
    assert (found.log_posterior[[1, 3, 4]] == -np.inf).all()


def test_nothing_is_asked_where_no_point_is_inside():
    spy = Spy()
    assert (posterior(spy)(THETA[[1, 3]]) == -np.inf).all()
    assert not spy.seen


def test_values_are_prior_jacobian_and_likelihoods():
    found = posterior(Measured("a", 1.0), Measured("b", 2.0))
    theta = THETA[[0, 2, 4]]
    x, y = theta[:, 0], np.exp(theta[:, 1])
    prior = math.log(0.5) - np.log(y * math.log(100.0)) + theta[:, 1]
    sigma = np.hypot(0.3, 0.1 * x)
    total = prior.copy()
    for observed in (1.0, 2.0):
        total += -0.5 * ((x * y - observed) / sigma) ** 2 - np.log(sigma * math.sqrt(2 * math.pi))
    assert found(theta) == pytest.approx(total, abs=1e-12)
    evaluation = found.evaluate(theta)
    assert evaluation.log_prior == pytest.approx(prior, abs=1e-13)
    assert evaluation.log_jacobian == pytest.approx(theta[:, 1], abs=1e-15)


def test_a_batch_equals_one_at_a_time():
    found = load_fit(FITS / "t3r-muon.toml").posterior
    theta = found.space.draw(200, np.random.default_rng(1))
    together = found.walk(theta)
    apart = np.vstack([found.walk(row[None]) for row in theta])
    assert together == pytest.approx(apart, rel=1e-12, abs=1e-12, nan_ok=True)
    assert np.isfinite(together).all()


class Broken(Measured):
    def __init__(self, answer):
        super().__init__("broken")
        self.answer = answer

    def log_likelihood(self, prediction):
        return self.answer(prediction["p_broken"])


def put(bad):
    def answer(p):
        values = np.zeros(len(p))
        values[p > 1.0] = bad
        return values

    return answer


def boom(p):
    if (p > 1.0).any():
        raise ZeroDivisionError("no flux")
    return np.zeros(len(p))


def stops(p):
    raise ZeroDivisionError("no flux")


AT = "x = 1.5, y = 2.71828"  # the first point with p > 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (put(np.nan), f"broken: log_likelihood is nan at {AT}"),
        (put(np.inf), f"broken: log_likelihood is inf at {AT}"),
        (lambda p: np.zeros((len(p), 1)), "broken: log_likelihood has shape (3, 1) for 3 points; return"),
        (lambda p: np.zeros(len(p) - 1), "broken: log_likelihood has shape (2,) for 3 points; return"),
        (lambda p: 0.0, "broken: log_likelihood has shape () for 3 points; return"),
        (lambda p: None, "broken: log_likelihood returned NoneType None; return an array (n,)"),
        (lambda p: "good", "broken: log_likelihood returned str 'good'; return an array (n,)"),
        (lambda p: [None] * len(p), "broken: log_likelihood returned list [None, None, None]; return an"),
        (lambda p: p * 1j, "broken: log_likelihood returned ndarray"),
        (boom, f"broken: log_likelihood raised ZeroDivisionError: no flux (at {AT}); see --debug"),
        (stops, "broken: log_likelihood raised ZeroDivisionError: no flux (at x = 0.5, y = 1); see --debug"),
    ],
)  # fmt: skip
def test_broken_results_name_the_plugin_and_the_point(answer, message):
    with pytest.raises(LikelihoodError) as caught:
        posterior(Broken(answer))(THETA)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


class Predicts(Measured):
    def __init__(self, answer):
        super().__init__("broken")
        self.answer = answer

    def predict(self, point):
        return self.answer(point)


def writes(point):
    values = point.x
    values *= 2.0
    return {"p": values}


def raises(point):
    if (point.product > 1.0).any():
        raise RuntimeError("line one\nline two")
    return {"p": point.x}


def only_together(point):
    if point.n > 1:
        raise RuntimeError("one point only")
    return {"p": point.x}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda point: None, "broken: predict returned NoneType; return {observable: array (n,)}"),
        (lambda point: {"p": None}, "broken: predict returned NoneType for 'p'; return an array (n,)"),
        (lambda point: {"p": 1j * point.x}, "broken: predict returned ndarray for 'p'; return an array (n,)"),
        (
            lambda point: {"p": 1.0},
            "broken: predicted 'p' has shape () for 3 points; return (3,) or (3, bins)",
        ),
        (lambda point: {"p": point.x[:2]}, "broken: predicted 'p' has shape (2,) for 3 points"),
        (writes, "broken: predict writes into its input; copy an array before changing it"),
        (raises, f"broken: predict raised RuntimeError: line one line two (at {AT}); see --debug"),
        (only_together, "broken: predict raised RuntimeError: one point only (for 2 points together); see"),
    ],
)
def test_broken_predictions_name_the_plugin_and_the_point(answer, message):
    with pytest.raises(LikelihoodError) as caught:
        posterior(Predicts(answer))(THETA)
    assert str(caught.value).startswith(message)


def test_minus_infinity_is_an_answer():
    assert posterior(Broken(put(-np.inf)))(THETA)[[0, 2, 4]].tolist() == pytest.approx(
        [math.log(0.5) - math.log(math.log(100.0)), -np.inf, math.log(0.5) - math.log(math.log(100.0))]
    )


def test_a_parameter_that_the_fit_lacks_is_named():
    with pytest.raises(LikelihoodError, match=r"broken: reads 'z', which the fit does not have; add \[param"):
        posterior(Predicts(lambda point: {"p": point.z}))(THETA)
    with pytest.raises(MissingParameterError, match="toy: parameter 'z' is not in the fit"):
        Toy().point({"x": np.ones(1)}).z  # noqa: B018


def test_a_likelihood_given_twice_is_refused():
    with pytest.raises(GlobalfitError, match="measured: the likelihood is given twice; its data would count"):
        posterior(Measured(), Measured())


def test_constraints_are_checked_too():
    class Wrong:
        name, needs = "wrong", ()

        def allows(self, point):
            return 1.0 * (point.x < point.y)

    with pytest.raises(
        GlobalfitError, match=r"wrong: 'allows' returned float64 of shape \(3,\) for 3 points"
    ):
        posterior(Measured(), constraints=[Wrong()])(THETA)


def test_what_a_chain_keeps():
    found = posterior(Measured("a"), Measured("b"))
    assert found.observables == ("p_a", "p_b")  # no spectra, no theory errors
    assert [quantity.name for quantity in found.derived] == ["product"]  # 'unavailable' needs z
    assert found.blob_names == ("lnprior", "ll_a", "ll_b", "p_a", "p_b", "product")
    rows = found.walk(THETA)
    assert rows.shape == (5, 1 + 6 + 2)
    evaluation = found.evaluate(THETA)
    good = [0, 2, 4]
    x, y = THETA[good, 0], np.exp(THETA[good, 1])
    assert rows[:, 0] == pytest.approx(evaluation.log_posterior)
    assert rows[good, 1] == pytest.approx(math.log(0.5) - np.log(y * math.log(100.0)))  # no Jacobian
    assert rows[good, 2] == pytest.approx(evaluation.log_likelihoods["a"][good])
    assert rows[good, 4] == pytest.approx(x * y)
    assert rows[good, 6:] == pytest.approx(np.column_stack([x * y, x, y]))
    assert np.isnan(rows[[1, 3], 4:]).all()


def test_a_quantity_that_is_observed_and_derived_is_kept_once():
    class Same(Measured):
        def predict(self, point):
            return {"product": point.product}

        def log_likelihood(self, prediction):
            return -0.5 * prediction["product"] ** 2

    found = posterior(Same("same"))
    assert found.blob_names == ("lnprior", "ll_same", "product")


def test_observables_are_found_with_few_evaluations():
    spy = Spy()
    assert posterior(spy).observables == ("p_spy",)
    assert sum(len(x) for x, _ in spy.seen) <= 4


class Scalar:
    """As a newcomer writes it: floats and math."""

    name, reference, needs = "scalar", "none", ("product",)

    def predict(self, point):
        x = point.x
        return {"p": point.product if x > 0.2 else 0.0, "spectrum": [x, 2 * x]}

    def log_likelihood(self, prediction):
        return -0.5 * ((float(prediction["p"]) - 1.0) / 0.3) ** 2 - math.log(0.3 * math.sqrt(2 * math.pi))


class Twin(Scalar):
    name = "twin"

    def predict(self, point):
        return {"p": np.where(point.x > 0.2, point.product, 0.0), "spectrum": point.x[:, None] * [1.0, 2.0]}

    def log_likelihood(self, prediction):
        return gaussian(1.0, prediction["p"], 0.3)


def trial():
    return Toy().point(space().columns(space().draw(3, np.random.default_rng(0))))


def test_scalar_likelihoods_are_wrapped_and_equal_their_batched_twin():
    wrapped = as_batched(Scalar(), trial())
    assert isinstance(wrapped, OnePointAtATime)
    assert (wrapped.name, wrapped.needs) == ("scalar", ("product",))
    twin = as_batched(Twin(), trial())
    assert isinstance(twin, Twin)
    theta = space().draw(100, np.random.default_rng(2))
    one, many = posterior(wrapped).evaluate(theta), posterior(twin).evaluate(theta)
    assert one.log_posterior == pytest.approx(many.log_posterior, rel=1e-12)
    for name in ("p", "spectrum"):
        assert one.predictions["scalar"][name] == pytest.approx(many.predictions["twin"][name], rel=1e-14)


def test_a_likelihood_that_declares_itself_is_believed():
    class Declared(Scalar):
        batched = False

    class Claims(Scalar):
        batched = True

    assert isinstance(as_batched(Declared(), trial()), OnePointAtATime)
    claims = Claims()
    assert as_batched(claims, trial()) is claims
    with pytest.raises(
        LikelihoodError, match="scalar: predict raised ValueError: The truth value of an array"
    ):
        posterior(claims)(THETA)


@pytest.mark.parametrize("answer", [None, "x", 1j, [1.0, 2.0]])
def test_a_scalar_likelihood_that_returns_no_number_is_named(answer):
    class Odd(Scalar):
        batched = False

        def log_likelihood(self, prediction):
            return answer

    with pytest.raises(
        LikelihoodError, match="scalar: log_likelihood raised TypeError: one point has the ln"
    ):
        posterior(as_batched(Odd(), trial()))(THETA)


def in_coordinates(tmp_path, coordinates):
    text = (FITS / "t3r-muon.toml").read_text()
    line = 'coordinates = { m_phi = "muon-g2-ridge" }'
    assert line in text
    path = tmp_path / f"{'ridge' if coordinates else 'naive'}.toml"
    text = text.replace("walkers = 256", "walkers = 96\nparticles = 1500")
    path.write_text(text if coordinates else text.replace(line, ""))
    return load_fit(path)


def test_ridge_and_naive_coordinates_give_the_same_density(tmp_path):
    ridge, naive = in_coordinates(tmp_path, True), in_coordinates(tmp_path, False)
    values = naive.posterior.space.physical(naive.posterior.space.draw(500, np.random.default_rng(3)))
    densities = []
    for fit in (ridge, naive):
        found = fit.posterior
        theta = found.space.walker(values)
        densities.append(found(theta) - found.space.log_jacobian(theta))
    # the likelihood turns an error of 1e-11 in m_phi, the round trip through the ridge, into one of 1e-8
    assert densities[0] == pytest.approx(densities[1], rel=1e-9, abs=1e-8)
    assert np.isfinite(densities[0]).all()


def test_ridge_and_naive_coordinates_give_the_same_samples(tmp_path):
    chains = [
        in_coordinates(tmp_path, ridge).run(tmp_path / f"{ridge}.h5", steps=steps)
        for ridge, steps in ((True, 150), (False, 200))
    ]
    verdicts = [chain.assess(50) for chain in chains]
    for name in chains[0].names:
        means, errors, quantiles = [], [], []
        for chain, verdict in zip(chains, verdicts, strict=True):
            x = np.log(chain.get(name, discard=50, flat=False))
            ess = x.size / verdict.tau[name]
            means.append(x.mean())
            errors.append(x.std() / math.sqrt(ess))
            quantiles.append((np.quantile(x, [0.16, 0.5, 0.84]), x.ravel(), ess))
        assert abs(means[0] - means[1]) < 4 * math.hypot(*errors), name
        (edges, _, ess), (_, other, ess_other) = quantiles
        for edge, p in zip(edges, (0.16, 0.5, 0.84), strict=True):
            error = math.sqrt(p * (1 - p) * (1 / ess + 1 / ess_other))
            assert abs((other < edge).mean() - p) < 4 * error, (name, p)


def test_t3r_posteriors_share_the_point():
    """A derived quantity of the chain equals the one computed from the stored parameters."""
    found = load_fit(FITS / "t3r-muon.toml").posterior
    theta = found.space.draw(50, np.random.default_rng(4))
    rows = found.walk(theta)
    values = dict(zip(found.space.names, rows[:, -3:].T, strict=True))
    columns = {name: np.full(50, value) for name, value in found.space.fixed.items()} | values
    point = T3RMuon().point(columns)
    start = 1 + len(found.blob_names) - len(found.derived)
    for i, quantity in enumerate(found.derived, start=start):
        assert rows[:, i] == pytest.approx(getattr(point, quantity.name), rel=1e-12), quantity.name
