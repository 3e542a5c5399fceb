"""The posterior: prior, constraints and plug-in likelihoods, evaluated for n points together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array, Columns, Mask, as_points, scatter
from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import MissingParameterError, Model, Point, probe
from globalfit.parameters import ParameterSpace, Quantity, Transformed


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
        columns, log_prior, log_jacobian = self._prior(as_points(theta, self.space.dim))
        inside = log_prior > -np.inf
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
        return Evaluation(log_prior, log_jacobian, log_likelihoods, predictions)

    def point(self, columns: Columns) -> Point:
        """Return the model points with these physical values; the columns become read-only."""
        for values in columns.values():
            values.flags.writeable = False
        return self.model.point(columns)

    def predict(self, likelihood: Likelihood, point: Point) -> Prediction:
        """Return a likelihood's prediction, with errors that name it and a point."""
        try:
            return likelihood.predict(point)
        except MissingParameterError as error:
            raise LikelihoodError(
                likelihood.name,
                f"reads '{error.name}', which the fit does not have",
                f"add [parameters.{error.name}] and list it in the likelihood's 'needs'",
            ) from error
        except GlobalfitError:
            raise
        except Exception as error:
            raise _failure(likelihood, "predict", error, point) from error

    def score(self, likelihood: Likelihood, prediction: Prediction, point: Point) -> Array:
        """Return ln likelihood (m,) of a prediction at `point`, checked."""
        try:
            values = likelihood.log_likelihood(prediction)
        except GlobalfitError:
            raise
        except Exception as error:
            raise _failure(likelihood, "log_likelihood", error, point) from error
        return _checked(likelihood.name, values, point)

    def evaluate_prior(self, theta: ArrayLike) -> Array:
        """Return ln prior (n,) in walker coordinates, -inf where a constraint forbids the point."""
        return self._prior(as_points(theta, self.space.dim)).log_prior

    def _prior(self, theta: Array) -> Transformed:
        found = self.space.transform(theta)
        inside = found.log_prior > -np.inf
        if self.constraints and inside.any():
            inside[inside] = self._allowed(_select(found.columns, inside))
            found.log_prior[~inside] = -np.inf
        return found

    def _allowed(self, columns: Columns) -> Mask:
        point = self.point(columns)
        allowed = np.ones(point.n, dtype=np.bool_)
        for constraint in self.constraints:
            allowed &= constraint.allows(point)
        return allowed

    @cached_property
    def derived(self) -> tuple[Quantity, ...]:
        """Derived quantities of the model whose inputs the fit has."""
        have = {*self.space.names, *self.space.fixed, *self.space.tied}
        wanted = self.model.derived
        reads = probe(self.model, tuple(quantity.name for quantity in wanted))
        return tuple(quantity for quantity in wanted if reads[quantity.name] <= have)

    @cached_property
    def observables(self) -> tuple[str, ...]:
        """Scalar observables the likelihoods predict, in order; theory errors are left out."""
        theta = self.space.draw(64, np.random.default_rng(0))
        found: dict[str, None] = {}
        for prediction in self.evaluate(theta).predictions.values():
            for name, values in prediction.items():
                if values.ndim == 1 and not name.startswith("error_"):
                    found[name] = None
        return tuple(found)

    @cached_property
    def blob_names(self) -> tuple[str, ...]:
        """What `walk` returns beside the ln posterior: ln prior, ln L per likelihood, scalar observables."""
        return ("lnprior", *(f"ll_{name}" for name in self.likelihoods), *self.observables)

    def walk(self, theta: Array) -> Array:
        """Return, per point, ln posterior in walker coordinates and the `blob_names` (n, 1 + blobs).

        ``lnprior`` is the density of the physical values, without the coordinates' Jacobian.
        """
        evaluation = self.evaluate(theta)
        out = np.empty((len(evaluation.log_prior), 1 + len(self.blob_names)))
        out[:, 0] = evaluation.log_posterior
        out[:, 1] = evaluation.log_prior - evaluation.log_jacobian
        for i, values in enumerate(evaluation.log_likelihoods.values(), start=2):
            out[:, i] = values
        scalars = {
            name: v for prediction in evaluation.predictions.values() for name, v in prediction.items()
        }
        for i, name in enumerate(self.observables, start=2 + len(self.likelihoods)):
            out[:, i] = scalars.get(name, np.nan)
        return out

    def derive(self, theta: Array) -> Array:
        """Return the derived quantities (n, quantities) at walker coordinates `theta`."""
        point = self.point(self.space.columns(theta))
        return np.column_stack(
            [np.zeros((point.n, 0)), *(getattr(point, quantity.name) for quantity in self.derived)]
        )


def _select(columns: Mapping[str, Array], inside: Mask) -> Columns:
    return columns if inside.all() else {name: values[inside] for name, values in columns.items()}


def _where(point: Point, i: int) -> str:
    return ", ".join(f"{name} = {values[i]:.6g}" for name, values in point.columns.items())


def _failure(likelihood: Likelihood, method: str, error: Exception, point: Point) -> LikelihoodError:
    if isinstance(error, ValueError) and "read-only" in str(error):
        return LikelihoodError(
            likelihood.name, f"{method} writes into its input", "copy an array before changing it"
        )
    where = f"first of {point.n} points at {_where(point, 0)}" if point.n else "for no points"
    return LikelihoodError(
        likelihood.name, f"{method} raised {type(error).__name__}: {error} ({where})", "see --debug"
    )


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
        if np.iscomplexobj(array):
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
