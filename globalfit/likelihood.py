"""The likelihood protocol: what an experiment provides. There is nothing to inherit from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from globalfit.arrays import Array
from globalfit.model import Point
from globalfit.parameters import Parameter

Prediction: TypeAlias = Mapping[str, Array]


@runtime_checkable
class Likelihood(Protocol):
    """One experiment or observable.

    Besides the members below a likelihood may have

    ``parameters``
        its nuisance parameters, a tuple of `Parameter` with their priors (default: none);
    ``data``
        identifiers of the data it uses; two likelihoods that share one cannot be combined (default: none);
    ``version``
        a string to raise when the physics or the numbers change; a chain is not continued across it;
    ``cost``
        microseconds a point, roughly (default: 1); of costlier likelihoods sampling asks only proposals that
        the cheaper ones let pass; only the power of ten matters;
    ``published``
        `Published` numbers that ``globalfit test-likelihood`` reproduces;
    ``vintages``
        class attribute ``{measurement name: date}``; with it and a field ``measurement`` the class follows
        the fit's ``data.as_of``;
    ``simulate(prediction, rng)``
        the same likelihood with data drawn at a prediction of one point (n = 1), from the density that
        `log_likelihood` is the logarithm of; `globalfit calibrate` needs it, and `tension` uses it;
    ``null(point)``
        the prediction (n, ...) without new physics, a function of its nuisance parameters alone; what a Bayes
        factor against the Standard Model is made of (where the model itself has a null, that does);
    ``pulls(prediction)``
        {observable: (n,)}, prediction minus data in standard deviations, theory errors included; under the
        observable's name, the second of two measurements of one as ``<observable> (2)``;
    ``ideal``
        the highest ln likelihood that any prediction without theory error could have;
    ``batched``
        False if it can only take one point at a time (found out by itself otherwise; slow).

    Measured values are dataclass fields whose defaults are the published numbers, so that a fit file can
    override them. A likelihood is immutable and deterministic.
    """

    @property
    def name(self) -> str:
        """Plug-in name, kebab-case."""
        ...

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """What it reads from the point: parameters and derived quantities of the model."""
        ...

    def predict(self, point: Point) -> Prediction:
        """Return {observable: (n,) or (n, bins)}; beside them ``error_<observable>``, ``sm_<observable>``."""
        ...

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln likelihood (n,), finite or -inf."""
        ...


@dataclass(frozen=True)
class Published:
    """A published number a likelihood claims to reproduce.

    Parameters
    ----------
    prediction : mapping of str to float or sequence
        The prediction handed to `log_likelihood`.
    log_likelihood : float
        Its ln likelihood.
    reference : str
        Where it is published, or the closed form it is.
    tolerance : float
        Allowed absolute difference.
    """

    prediction: Mapping[str, float | tuple[float, ...]]
    log_likelihood: float
    reference: str
    tolerance: float = 1e-6


def nuisances(likelihood: Likelihood) -> tuple[Parameter, ...]:
    """Return the nuisance parameters of a likelihood; usually none."""
    return tuple(getattr(likelihood, "parameters", ()))


def data_ids(likelihood: Likelihood) -> tuple[str, ...]:
    """Return the identifiers of the data a likelihood uses."""
    return tuple(getattr(likelihood, "data", ()))


def published(likelihood: Likelihood) -> tuple[Published, ...]:
    """Return the published numbers a likelihood claims to reproduce."""
    return tuple(getattr(likelihood, "published", ()))


def version(likelihood: Likelihood) -> str:
    """Return the declared version of a likelihood, or an empty string."""
    return str(getattr(likelihood, "version", ""))
