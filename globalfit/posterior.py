"""The posterior: prior, constraints and plug-in likelihoods, evaluated for n points together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array, Columns, Mask, as_points, scatter
from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import MissingParameterError, Model, Point, probe
from globalfit.parameters import ParameterSpace, Quantity

TRIALS = 64  # draws of four points in which one allowed point is looked for


class Constraint(Protocol):
    """A region outside of which the posterior is zero; the prior is not renormalised."""

    @property
    def name(self) -> str:
        """Name in messages."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Parameters and derived quantities of the model it reads."""
        ...

    def allows(self, point: Point) -> Mask:
        """Return which of the n points are allowed (n,)."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """The posterior at n points, part by part.

    Densities are with respect to the walker coordinates; subtract `log_jacobian` for physical values.
    Likelihoods are -inf and predictions nan at points outside the prior or a constraint.
    """

    log_prior: Array
    log_jacobian: Array
    log_likelihoods: dict[str, Array]
    predictions: dict[str, Prediction]

    @property
    def log_likelihood(self) -> Array:
        """Sum over the likelihoods (n,)."""
        return sum(self.log_likelihoods.values(), np.zeros_like(self.log_prior))

    @property
    def log_posterior(self) -> Array:
        """Unnormalised ln posterior (n,) in walker coordinates."""
        return self.log_prior + self.log_likelihood


class Posterior:
    """ln posterior of a model under a set of likelihoods.

    Parameters
    ----------
    space : ParameterSpace
        Sampled, fixed and tied parameters.
    model : Model
        Turns parameter values into points.
    likelihoods : sequence of Likelihood
        Batched; their names are distinct.
    constraints : sequence of Constraint
        Points that one of them forbids have no posterior.
    """

    def __init__(
        self,
        space: ParameterSpace,
        model: Model,
        likelihoods: Sequence[Likelihood],
        constraints: Sequence[Constraint] = (),
    ) -> None:
        self.space = space
        self.model = model
        self.likelihoods = {likelihood.name: likelihood for likelihood in likelihoods}
        if len(self.likelihoods) < len(likelihoods):
            names = [likelihood.name for likelihood in likelihoods]
            twice = next(name for name in names if names.count(name) > 1)
            raise GlobalfitError(
                twice, "the likelihood is given twice", "its data would count twice; remove one"
            )
        self.constraints = tuple(constraints)

    def __call__(self, theta: ArrayLike) -> Array:
        """Return the unnormalised ln posterior (n,) at walker coordinates `theta` (n, dim)."""
        return self.evaluate(theta).log_posterior

    def evaluate(self, theta: ArrayLike) -> Evaluation:
        """Evaluate every part at walker coordinates `theta` (n, dim).

        Raises
        ------
        LikelihoodError
            If a likelihood fails or breaks its contract; names it and the first offending point.
        """
        return self._evaluate(as_points(theta, self.space.dim))[0]

    def _evaluate(self, theta: Array) -> tuple[Evaluation, Mask, Point]:
        """Evaluate, and return with it which points are inside, and these points."""
        columns, log_prior, log_jacobian = self.space.transform(theta)
        inside = log_prior > -np.inf
        if self.constraints and inside.any():
            inside[inside] = self._allowed(_select(columns, inside))
            log_prior[~inside] = -np.inf
        point = self.point(_select(columns, inside))
        log_likelihoods: dict[str, Array] = {}
        predictions: dict[str, Prediction] = {}
        for name, likelihood in self.likelihoods.items():
            if point.n == 0:
                log_likelihoods[name] = np.full(len(log_prior), -np.inf)
                predictions[name] = {}
                continue
            prediction = self.predict(likelihood, point)
            log_likelihoods[name] = scatter(self.score(likelihood, prediction, point), inside, -np.inf)
            predictions[name] = {key: scatter(value, inside, np.nan) for key, value in prediction.items()}
        return Evaluation(log_prior, log_jacobian, log_likelihoods, predictions), inside, point

    def point(self, columns: Columns) -> Point:
        """Return the model points with these physical values; the columns become read-only."""
        for values in columns.values():
            values.flags.writeable = False
        return self.model.point(columns)

    def predict(self, likelihood: Likelihood, point: Point) -> Prediction:
        """Return a likelihood's prediction, checked, with errors that name it and a point."""
        try:
            return _checked_prediction(likelihood.name, likelihood.predict(point), point)
        except MissingParameterError as error:
            raise LikelihoodError(
                likelihood.name,
                f"reads '{error.name}', which the fit does not have",
                f"add [parameters.{error.name}] and list it in the likelihood's 'needs'",
            ) from error
        except GlobalfitError:
            raise
        except Exception as error:
            raise _failure(likelihood, "predict", error, _first(likelihood.predict, point)) from error

    def score(self, likelihood: Likelihood, prediction: Prediction, point: Point) -> Array:
        """Return ln likelihood (m,) of a prediction at `point`, checked."""
        try:
            values = likelihood.log_likelihood(prediction)
        except GlobalfitError:
            raise
        except Exception as error:

            def again(some: Point) -> object:
                return likelihood.log_likelihood(likelihood.predict(some))

            raise _failure(likelihood, "log_likelihood", error, _first(again, point)) from error
        return _checked(likelihood.name, values, point)

    def _allowed(self, columns: Columns) -> Mask:
        point = self.point(columns)
        allowed = np.ones(point.n, dtype=np.bool_)
        for constraint in self.constraints:
            mask = np.asarray(constraint.allows(point))
            if mask.shape != (point.n,) or mask.dtype != np.bool_:
                shown = f"'allows' returned {mask.dtype} of shape {mask.shape} for {point.n} points"
                raise GlobalfitError(constraint.name, shown, f"return a mask ({point.n},)")
            allowed &= mask
        return allowed

    @cached_property
    def derived(self) -> tuple[Quantity, ...]:
        """Derived quantities of the model whose inputs the fit has and that no likelihood predicts."""
        have = {*self.space.names, *self.space.fixed, *self.space.tied}
        wanted = self.model.derived
        reads = probe(self.model, tuple(quantity.name for quantity in wanted))
        return tuple(
            quantity
            for quantity in wanted
            if reads[quantity.name] <= have and quantity.name not in self.observables
        )

    @cached_property
    def observables(self) -> tuple[str, ...]:
        """Scalar observables the likelihoods predict, in order; theory errors are left out."""
        if not self.likelihoods:
            return ()
        rng = np.random.default_rng(0)
        found: dict[str, None] = {}
        for _ in range(TRIALS):  # a few points at a time: a likelihood can be slow
            for prediction in self.evaluate(self.space.draw(4, rng)).predictions.values():
                for name, values in prediction.items():
                    if values.ndim == 1 and not name.startswith("error_"):
                        found[name] = None
            if found:
                break
        return tuple(found)

    @cached_property
    def blob_names(self) -> tuple[str, ...]:
        """What a chain keeps of a point beside its parameters.

        ln prior, ln L per likelihood, scalar observables, derived quantities.
        """
        densities = ("lnprior", *(f"ll_{name}" for name in self.likelihoods))
        return (*densities, *self.observables, *(quantity.name for quantity in self.derived))

    def walk(self, theta: Array) -> Array:
        """Return all that a walker carries along, (n, 1 + blobs + dim).

        ln posterior in walker coordinates, the `blob_names`, and the physical values of the sampled
        parameters. ``lnprior`` is the density of the physical values, without the coordinates' Jacobian.
        Where the posterior vanishes all but the densities is nan.
        """
        evaluation, inside, point = self._evaluate(as_points(theta, self.space.dim))
        out = np.full((len(inside), 1 + len(self.blob_names) + self.space.dim), np.nan)
        out[:, 0] = evaluation.log_posterior
        out[:, 1] = evaluation.log_prior - evaluation.log_jacobian
        end = 2 + len(self.likelihoods)
        for i, values in enumerate(evaluation.log_likelihoods.values(), start=2):
            out[:, i] = values
        if point.n == 0:
            return out
        scalars: dict[str, Array] = {}
        for prediction in evaluation.predictions.values():
            scalars |= prediction
        for i, name in enumerate(self.observables, start=end):
            out[:, i] = scalars[name]
        for i, name in enumerate(
            (*(quantity.name for quantity in self.derived), *self.space.names),
            start=end + len(self.observables),
        ):
            out[inside, i] = getattr(point, name)
        return out


def _select(columns: Mapping[str, Array], inside: Mask) -> Columns:
    return columns if inside.all() else {name: values[inside] for name, values in columns.items()}


def _where(point: Point, i: int) -> str:
    return ", ".join(f"{name} = {values[i]:.6g}" for name, values in point.columns.items())


def _first(call: Callable[[Point], object], point: Point) -> Point:
    """Return the first point at which `call` fails by itself, or all of `point` if only together."""
    if point.n == 1:
        return point
    half = point.n // 2
    for part in (point.take(slice(0, half)), point.take(slice(half, point.n))):
        try:
            call(part)
        except Exception:
            return _first(call, part)
    return point


def _failure(likelihood: Likelihood, method: str, error: Exception, point: Point) -> LikelihoodError:
    if isinstance(error, ValueError) and "read-only" in str(error):
        return LikelihoodError(
            likelihood.name, f"{method} writes into its input", "copy an array before changing it"
        )
    where = f"at {_where(point, 0)}" if point.n == 1 else f"for {point.n} points together"
    return LikelihoodError(
        likelihood.name, f"{method} raised {type(error).__name__}: {error} ({where})", "see --debug"
    )


def _checked_prediction(name: str, prediction: object, point: Point) -> Prediction:
    """Return `prediction` with float64 arrays (m,) or (m, bins); refuse anything else."""
    if not isinstance(prediction, Mapping):
        raise LikelihoodError(
            name, f"predict returned {type(prediction).__name__}", "return {observable: array (n,)}"
        )
    checked: dict[str, Array] = {}
    for key, values in prediction.items():
        try:
            array = np.asarray(values)
            if array.dtype.kind not in "fiu":
                raise TypeError
            checked[key] = array.astype(np.float64, copy=False)
        except (TypeError, ValueError):
            shown = f"predict returned {type(values).__name__} for '{key}'"
            raise LikelihoodError(name, shown, "return an array (n,)") from None
        if array.ndim == 0 or len(array) != point.n:
            shown = f"predicted '{key}' has shape {array.shape} for {point.n} points"
            raise LikelihoodError(name, shown, f"return ({point.n},) or ({point.n}, bins)")
    return checked


def _checked(name: str, values: object, point: Point) -> Array:
    """Return `values` as (m,) float64; refuse NaN, +inf and wrong shapes."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.shape == (point.n,):
        bad = ~(values < np.inf)
        if bad.any():
            i = int(np.argmax(bad))
            raise LikelihoodError(name, f"log_likelihood is {values[i]} at {_where(point, i)}")
        return values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise TypeError
        array = array.astype(np.float64)
    except (TypeError, ValueError):
        raise LikelihoodError(
            name, f"log_likelihood returned {type(values).__name__} {values!r:.40}", "return an array (n,)"
        ) from None
    if array.shape != (point.n,):
        raise LikelihoodError(
            name, f"log_likelihood has shape {array.shape} for {point.n} points", f"return ({point.n},)"
        )
    return _checked(name, array, point)
