"""The posterior: prior, constraints and plug-in likelihoods, evaluated for n points together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array, Columns, Mask, as_points, scatter
from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.likelihood import Likelihood, Prediction, nuisances
from globalfit.model import MissingParameterError, Model, Point, Recorded, probe
from globalfit.one_point import OnePointAtATime, ScalarPoint
from globalfit.parameters import ParameterSpace, Quantity, Transformed
from globalfit.returned import checked, checked_prediction, failure, first_failing

BESIDE = ("error_", "sm_")  # what stands beside an observable: its theory error, its value in the SM
TRIALS = 64  # draws of four points in which one allowed point is looked for
ALIKE = 1e-9  # relative change of a ln L that rounding in another batch may cause


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
        columns, log_prior, log_jacobian = self._prior(theta)
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
        return Evaluation(log_prior, log_jacobian, log_likelihoods, predictions), inside, point

    def point(self, columns: Columns) -> Point:
        """Return the model points with these physical values; the columns become read-only."""
        for values in columns.values():
            values.flags.writeable = False
        return self.model.point(columns)

    def predict(self, likelihood: Likelihood, point: Point) -> Prediction:
        """Return a likelihood's prediction, checked, with errors that name it and a point."""
        try:
            return checked_prediction(likelihood.name, likelihood.predict(point), point)
        except MissingParameterError as error:
            raise LikelihoodError(
                likelihood.name,
                f"reads '{error.name}', which the fit does not have",
                f"add [parameters.{error.name}] and list it in the likelihood's 'needs'",
            ) from error
        except GlobalfitError:
            raise
        except Exception as error:
            raise failure(likelihood, "predict", error, first_failing(likelihood.predict, point)) from error

    def score(self, likelihood: Likelihood, prediction: Prediction, point: Point) -> Array:
        """Return ln likelihood (m,) of a prediction at `point`, checked."""
        try:
            values = likelihood.log_likelihood(prediction)
        except GlobalfitError:
            raise
        except Exception as error:

            def again(some: Point) -> object:
                return likelihood.log_likelihood(likelihood.predict(some))

            raise failure(likelihood, "log_likelihood", error, first_failing(again, point)) from error
        return checked(likelihood.name, values, point)

    def evaluate_prior(self, theta: ArrayLike) -> Array:
        """Return ln prior (n,) in walker coordinates, -inf where a constraint forbids the point."""
        return self._prior(as_points(theta, self.space.dim)).log_prior

    def transform(self, theta: ArrayLike) -> Transformed:
        """Return columns, ln prior and ln Jacobian of `theta` (n, dim); ln prior is -inf where forbidden."""
        return self._prior(as_points(theta, self.space.dim))

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
            mask = np.asarray(constraint.allows(point))
            if mask.shape != (point.n,) or mask.dtype != np.bool_:
                shown = f"'allows' returned {mask.dtype} of shape {mask.shape} for {point.n} points"
                raise GlobalfitError(constraint.name, shown, f"return a mask ({point.n},)")
            allowed &= mask
        return allowed

    @cached_property
    def computable(self) -> tuple[Quantity, ...]:
        """Derived quantities of the model whose inputs the fit has."""
        have = {*self.space.names, *self.space.fixed, *self.space.tied}
        wanted = self.model.derived
        reads = probe(self.model, tuple(quantity.name for quantity in wanted))
        return tuple(quantity for quantity in wanted if reads[quantity.name] <= have)

    @cached_property
    def reads(self) -> dict[str, frozenset[str]]:
        """Parameters of the fit that each likelihood and each constraint reads.

        Recorded while it predicts a few points of the prior, joined with what its `needs` are computed from.
        Then all other parameters are moved: if its ln L reacts nevertheless, it counts as reading everything.
        """
        every = frozenset({*self.space.names, *self.space.fixed, *self.space.tied})
        rng = np.random.default_rng(0)
        columns, others = (self.space.columns(self._inside(4, rng)) for _ in range(2))
        found: dict[str, frozenset[str]] = {}
        with np.errstate(all="ignore"):
            for constraint in self.constraints:
                recorded = Recorded(columns)
                constraint.allows(self.model.point(recorded))
                found[constraint.name] = every & (recorded.read | self._needed(constraint.needs))
            for name, likelihood in self.likelihoods.items():
                read = self._recorded(likelihood, columns) | self._needed(likelihood.needs)
                moved = {key: columns[key] if key in read else others[key] for key in columns}
                before, after = (
                    self.score(likelihood, self.predict(likelihood, point), point)
                    for point in (self.point(columns), self.point(moved))
                )
                same = np.isclose(before, after, rtol=ALIKE, atol=ALIKE).all()
                found[name] = every & read if same else every
        return found

    def _recorded(self, likelihood: Likelihood, columns: Columns) -> set[str]:
        """Return the columns that a likelihood reads when it predicts."""
        recorded = Recorded(columns)
        point = self.model.point(recorded)
        if not isinstance(likelihood, OnePointAtATime):
            self.predict(likelihood, point)
            return recorded.read
        for values in zip(*columns.values(), strict=True):
            single = Recorded({name: np.array([x]) for name, x in zip(columns, values, strict=True)})
            likelihood.inner.predict(cast("Point", ScalarPoint(self.model.point(single))))
            recorded.read |= single.read
        return recorded.read

    def _needed(self, needs: Sequence[str]) -> set[str]:
        """Return the parameters that these quantities of the model are computed from."""
        extra = tuple(each.name for likelihood in self.likelihoods.values() for each in nuisances(likelihood))
        known = {each.name for each in self.model.parameters} | set(extra)
        try:
            return set().union(*probe(self.model, tuple(needs), extra).values())
        except GlobalfitError:
            return set(needs) & known

    def _inside(self, n: int, rng: np.random.Generator) -> Array:
        """Return draws (n, dim) of the prior that the constraints allow, as far as there are some."""
        draws = self.space.draw(n * TRIALS, rng)
        draws = draws[np.isfinite(draws).all(axis=1)]
        good = draws[self.evaluate_prior(draws) > -np.inf]
        return (good if len(good) >= n else draws)[:n]

    @cached_property
    def derived(self) -> tuple[Quantity, ...]:
        """The `computable` quantities that no likelihood predicts: what a chain keeps."""
        return tuple(each for each in self.computable if each.name not in self.observables)

    @cached_property
    def observables(self) -> tuple[str, ...]:
        """Scalar observables the likelihoods predict, in order; what stands beside them is left out."""
        if not self.likelihoods:
            return ()
        rng = np.random.default_rng(0)
        found: dict[str, None] = {}
        for _ in range(TRIALS):  # a few points at a time: a likelihood can be slow
            for prediction in self.evaluate(self.space.draw(4, rng)).predictions.values():
                for name, values in prediction.items():
                    if values.ndim == 1 and not name.startswith(BESIDE):
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
