"""Evaluations of a plug-in under watch: what it reads, changes, raises and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np

from globalfit.arrays import Array, Columns, readonly
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import MissingParameterError, Model, Point, Recorded

_OWN = frozenset({"n", "take", "model_name"})  # members of every point, not quantities
Outcome: TypeAlias = tuple[str, str, str]  # check, what to say if all is well, the problem or ""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check, in one line that names the plug-in."""

    check: str
    passed: bool
    message: str


def report(name: str, outcomes: Iterable[Outcome]) -> list[Finding]:
    """Return outcomes as findings in one line each, which begins with the plug-in's name."""
    return [
        Finding(check, not problem, " ".join(f"{name}: {problem or good}".split()))
        for check, good, problem in outcomes
    ]


class ContractError(Exception):
    """A contract broken while a likelihood is evaluated; the message is the finding's."""


class _Watched:
    """A point that remembers what was read from it directly, and gives out read-only arrays."""

    def __init__(self, point: Point, read: set[str]) -> None:
        self._point, self._read = point, read

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._point, name)
        if name == "take":
            return lambda index: _Watched(value(index), self._read)
        if name == "columns":
            recorded = Recorded(value)
            recorded.read = self._read
            return recorded
        if name not in _OWN:
            self._read.add(name)
        return readonly(value) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


Result: TypeAlias = tuple[Prediction, Array]


class Trial:
    """Evaluations of one likelihood at the same points, with what they read."""

    def __init__(self, likelihood: Likelihood, model: Model, columns: Columns) -> None:
        self.likelihood, self.model = likelihood, model
        self.columns = {name: readonly(np.array(values)) for name, values in columns.items()}
        self.n = size(columns)
        self.read: set[str] = set()

    def _point(self, index: slice) -> Point:
        part = {name: values[index] for name, values in self.columns.items()}
        return cast(Point, _Watched(self.model.point(part), self.read))

    def _evaluate(self, index: slice, *, strict: bool = True) -> Result:
        """Predict and score the points in `index`; without `strict` one point may come without its axis."""
        n = len(range(*index.indices(self.n)))
        prediction = call("predict", self.likelihood.predict, self._point(index), self.model.name)
        if not isinstance(prediction, Mapping):
            raise ContractError(
                f"predict returns {_kind(prediction)}; return a dictionary {{observable: (n,)}}"
            )
        checked = {
            key: as_shape(f"prediction '{key}'", values, n, (1, 2), strict)
            for key, values in prediction.items()
        }
        frozen = MappingProxyType({key: readonly(values) for key, values in checked.items()})
        result = call("log_likelihood", self.likelihood.log_likelihood, frozen, self.model.name)
        return frozen, as_shape("log_likelihood", result, n, (1,), strict)

    def all_points(self) -> Result:
        """Return prediction and ln likelihood of all points as one batch."""
        return self._evaluate(slice(0, self.n))

    def one_by_one(self) -> Result:
        """Return the same from one call a point."""
        each = [self._evaluate(slice(i, i + 1), strict=False) for i in range(self.n)]
        if any(part[0].keys() != each[0][0].keys() for part in each):
            raise ContractError("the observables differ from point to point; always predict the same")
        try:
            prediction = {key: np.concatenate([part[0][key] for part in each]) for key in each[0][0]}
        except ValueError:
            raise ContractError(
                "the shape of a prediction differs from point to point; keep it fixed"
            ) from None
        return prediction, np.concatenate([part[1] for part in each])

    def timing(self, batched: bool) -> str:
        """Return the shortest of three times per point, in words."""
        function = self.all_points if batched else self.one_by_one
        times = []
        for _ in range(3):
            start = perf_counter()
            function()
            times.append(perf_counter() - start)
        how = f"in a batch of {self.n}" if batched else "one at a time"
        return f"{1e6 * min(times) / self.n:.3g} us per point {how}"


def call(where: str, function: Callable[[Any], Any], argument: object, model: str) -> Any:
    """Return ``function(argument)``, with what it raises as a `ContractError`."""
    try:
        with np.errstate(all="ignore"):  # a warning is no finding; what comes of it is
            return function(argument)
    except MissingParameterError as error:
        raise ContractError(
            f"{where} reads '{error.name}', which model '{model}' lacks; declare it in 'needs'"
        ) from None
    except Exception as error:
        text = str(error)
        if "read-only" in text or "mappingproxy" in text or "WRITEABLE" in text:
            raise ContractError(f"{where} changes its input ({text}); work on a copy") from None
        raise ContractError(f"{where} raises {type(error).__name__}: {text}") from None


def as_shape(what: str, values: object, n: int, dims: tuple[int, ...], strict: bool) -> Array:
    """Return `values` as an array with n points first, or tell what else it is."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ContractError(f"{what} is {_kind(values)}; return an array of float64") from None
    if not strict and n == 1 and (array.ndim == 0 or (array.ndim == 1 and array.size != 1 and 2 in dims)):
        array = array[None]
    if array.ndim not in dims or len(array) != n:
        needed = "(n,) or (n, bins)" if 2 in dims else "(n,)"
        raise ContractError(f"{what} has the shape {array.shape} for {n} points; {needed} is needed")
    return array


def difference(a: Result, b: Result, tolerance: float) -> tuple[str, int] | None:
    """Return what differs first between two results, and at which point."""
    if a[0].keys() != b[0].keys():
        return "the list of observables", 0
    pairs = [(f"prediction '{key}'", a[0][key], b[0][key]) for key in a[0]]
    for what, x, y in [*pairs, ("log_likelihood", a[1], b[1])]:
        if x.shape != y.shape:
            return f"the shape of {what}", 0
        same = np.isclose(x, y, rtol=tolerance, atol=0.0, equal_nan=True)
        if not same.all():
            return what, int(np.argmin(same.reshape(len(same), -1).all(axis=1)))
    return None


def size(columns: Columns) -> int:
    """Return the number of points in `columns`."""
    return next((np.size(values) for values in columns.values()), 0)


def quoted(names: tuple[str, ...] | list[str]) -> str:
    """Return names in quotes, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
