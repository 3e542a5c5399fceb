"""A new experiment added to a finished chain by importance weights, and what it would teach."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.analysis.draws import Draws
from globalfit.analysis.pareto import smoothed_weights
from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError, FitError, did_you_mean
from globalfit.fit import Fit
from globalfit.likelihood import Likelihood
from globalfit.statistics import gaussian, poisson_with_background, upper_limit

KINDS: Mapping[str, tuple[str, ...]] = {
    "gaussian": ("value", "error"),
    "counts": ("observed", "background"),
    "limit": ("limit",),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "gaussian": (),
    "counts": ("scale", "error_background"),
    "limit": ("level",),
}


@dataclass(frozen=True)
class Reweighted:
    """A posterior with one more experiment.

    Attributes
    ----------
    name : str
        The experiment.
    k, ess_share : float
        Pareto shape of the weights, reliable below 0.5, and the effective share of the draws.
    log_predictive : float
        ln p(new data | old data).
    information : float
        What it teaches: the Kullback-Leibler divergence of the new posterior from the old one, in nats.
    before, after : mapping of str to (low, median, high)
        Central 68 % of every parameter.
    """

    name: str
    k: float
    ess_share: float
    log_predictive: float
    information: float
    before: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    after: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def reliable(self) -> bool:
        """Whether the weights can be trusted."""
        return self.k < 0.5

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["before"], plain["after"] = (
            {name: list(each) for name, each in which.items()} for which in (self.before, self.after)
        )
        found: dict[str, Any] = strict(plain)
        return found | {"reliable": self.reliable}


def reweight(draws: Draws, log_likelihood: Array, name: str) -> Reweighted:
    """Return the posterior with the ln L (n,) of one more experiment at the draws.

    Raises
    ------
    ChainError
        If the experiment excludes every draw.
    """
    if not np.isfinite(log_likelihood).any():
        raise ChainError(name, "excludes every draw of the chain", "sample the fit with it instead")
    weights = smoothed_weights(log_likelihood)
    w, seen = weights.weights, weights.weights > 0.0
    information = float(w[seen] @ log_likelihood[seen]) - weights.log_mean
    n = len(log_likelihood)

    def intervals(weight: Array | None) -> dict[str, tuple[float, float, float]]:
        found = {each: draws.interval(each, weight) for each in draws.values}
        return {each: (float(v[0]), float(v[1]), float(v[2])) for each, v in found.items()}

    return Reweighted(
        name, weights.k, weights.ess / n, weights.log_mean, information, intervals(None), intervals(w)
    )


def score(fit: Fit, likelihood: Likelihood, draws: Draws) -> Array:
    """Return the ln L (n,) of a plug-in at draws of a fit's posterior."""
    space = fit.posterior.space
    theta = space.walker(np.column_stack([draws.values[name] for name in space.names]))
    point = fit.posterior.point(space.columns(theta))
    prediction = fit.posterior.predict(likelihood, point)
    return fit.posterior.score(likelihood, prediction, point)


def read_stub(path: Path, chain: Chain) -> tuple[str, Callable[[Callable[[str], Array]], Array]]:
    """Return name and ln L of an experiment given as a few lines of TOML.

    ``name``, ``observable`` (a quantity that the chain stores), ``kind`` and its numbers: "gaussian" with
    ``value`` and ``error``; "counts" with ``observed``, ``background`` and, if not 0, ``error_background``,
    the observable times ``scale`` (1) being the expected signal; "limit" with ``limit`` and, if not 0.9,
    ``level``.

    Raises
    ------
    FitError
        If the file says something else.
    """
    where = str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = getattr(error, "strerror", None) or error
        raise FitError(where, f"cannot be read: {problem}", "give a TOML file") from None
    kind = str(table.get("kind"))
    if kind not in KINDS:
        raise FitError(where, f"'kind' is '{kind}'", f"give one of {', '.join(KINDS)}")
    optional = OPTIONAL[kind]
    known = {"name", "observable", "kind", *KINDS[kind], *optional}
    for key in table:
        if key not in known:
            raise FitError(where, f"has no key '{key}'", did_you_mean(key, known))
    for key in ("name", "observable", *KINDS[kind]):
        if key not in table:
            raise FitError(where, f"'{key}' is missing", f"'{kind}' needs {', '.join(KINDS[kind])}")
    observable = str(table["observable"])
    if observable not in chain.quantities:
        raise FitError(
            where, f"the chain stores no '{observable}'", did_you_mean(observable, chain.quantities)
        )
    numbers = {key: _number(where, key, table[key]) for key in (*KINDS[kind], *optional) if key in table}

    def log_likelihood(get: Callable[[str], Array]) -> Array:
        x = get(observable)
        if kind == "gaussian":
            return gaussian(numbers["value"], x, np.full_like(x, numbers["error"]))
        if kind == "counts":
            signal = numbers.get("scale", 1.0) * x
            return poisson_with_background(
                numbers["observed"], signal, numbers["background"], numbers.get("error_background", 0.0)
            )
        return upper_limit(x, numbers["limit"], level=numbers.get("level", 0.9))

    return str(table["name"]), log_likelihood


def _number(where: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise FitError(where, f"'{key}' is {value!r}", "give a finite number")
    if value < 0.0 and key != "value":
        raise FitError(where, f"'{key}' is {value!r}", "give a number not below 0")
    return float(value)
