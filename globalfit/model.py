"""The model protocol, and Point: n model points with their derived couplings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, Columns
from globalfit.coordinates import Coordinate
from globalfit.errors import ModelError
from globalfit.parameters import Parameter, Prior, Quantity


class MissingParameterError(ModelError):
    """A quantity was asked for whose input the fit does not have."""

    def __init__(self, model: str, name: str) -> None:
        super().__init__(model, f"parameter '{name}' is not in the fit", f"add [parameters.{name}]")
        self.args = (model, name)
        self.name = name


@dataclass(frozen=True, eq=False)
class Point:
    """n model points.

    Parameters are read as attributes, ``point.m_aprime`` of shape (n,), nuisance parameters included. A
    model subclasses this with its couplings and widths as ``functools.cached_property``: computed once a
    batch, shared by all likelihoods, gone with the batch.
    """

    columns: Columns
    model_name: str = "model"

    @property
    def n(self) -> int:
        """Number of points."""
        for values in self.columns.values():
            return len(values)
        return 0

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__") or name == "columns":  # copy and pickle ask for such names
            raise AttributeError(name)
        try:
            return self.columns[name]
        except KeyError:
            raise MissingParameterError(self.model_name, name) from None

    def take(self, index: slice | NDArray[np.intp]) -> Self:
        """Return the points selected by `index`, with nothing computed yet."""
        return replace(self, columns={name: values[index] for name, values in self.columns.items()})


@runtime_checkable
class Model(Protocol):
    """A model: its parameters, the derived quantities a chain keeps, and how to make points.

    Models are immutable; their options are dataclass fields, which a fit file sets by name. Besides the
    members below a model may have ``regions``, a tuple of `globalfit.regions.Partition`: where the modes of
    its posterior lie, for the mode census (clusters of the samples are counted without it).
    """

    @property
    def name(self) -> str:
        """Plug-in name, kebab-case."""
        ...

    @property
    def reference(self) -> str:
        """Paper the formulas come from."""
        ...

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters the model knows; a `Fixed` prior is a default."""
        ...

    @property
    def ranges(self) -> Mapping[str, Prior]:
        """Natural range of each parameter: where likelihoods are tested; a fit chooses its own priors."""
        ...

    @property
    def derived(self) -> tuple[Quantity, ...]:
        """Quantities of the point that a chain stores if their inputs exist."""
        ...

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        """Optional coordinates, ``{parameter: {name: coordinate}}``."""
        ...

    def point(self, columns: Columns) -> Point:
        """Return the points with parameter values `columns` {name: (n,)}."""
        ...


class Recorded(Mapping[str, Array]):
    """Columns that remember which of them were read."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Array:
        values = self._columns[name]
        self.read.add(name)
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def values(self) -> ValuesView[Array]:
        """Return all columns without taking note (`Point.n` looks at one)."""
        return self._columns.values()


def probe(model: Model, names: tuple[str, ...], extra: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """Return which parameters each quantity in `names` of `model` is computed from.

    The quantities are evaluated once at a made-up point that has every parameter of the model and those in
    `extra`; their values do not matter.

    Raises
    ------
    ModelError
        If the model has no such quantity.
    """
    every = {parameter.name: np.full(1, 10.0) for parameter in model.parameters}
    every |= {name: np.full(1, 10.0) for name in extra}
    found: dict[str, set[str]] = {}
    with np.errstate(all="ignore"):
        for name in names:
            recorded = Recorded(every)
            try:
                getattr(model.point(recorded), name)
            except MissingParameterError as error:
                raise ModelError(
                    model.name, f"has no quantity '{error.name}'", "choose a model that provides it"
                ) from None
            found[name] = recorded.read
    return found
