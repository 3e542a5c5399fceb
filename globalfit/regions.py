"""Regions of a model's parameter space, named by the model: what a mode census counts.

They are expressions of stored quantities in plain numbers and words, so that a chain file can hold them and
is counted without the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array


@dataclass(frozen=True)
class Partition:
    """A division of parameter space by the value of a quantity, or of a ratio of two.

    Parameters
    ----------
    name : str
        What is divided, such as "phi' resonance".
    quantity : str
        A parameter or derived quantity.
    edges : tuple of float
        Ascending values of ``factor * quantity / over`` at which a region ends.
    labels : tuple of str
        Of the regions, one more than there are edges.
    over : str
        The quantity it is divided by; none by default.
    factor : float
        Multiplies the quantity.

    Raises
    ------
    ValueError
        If the edges do not ascend or labels and edges do not match.
    """

    name: str
    quantity: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]
    over: str = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.edges) + 1 or len(set(self.labels)) != len(self.labels):
            raise ValueError(
                f"partition '{self.name}': {len(self.labels)} labels for {len(self.edges)} edges"
            )
        if not np.isfinite((*self.edges, self.factor)).all() or any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError(f"partition '{self.name}': edges {self.edges} do not ascend")

    @property
    def needs(self) -> tuple[str, ...]:
        """Quantities it reads."""
        return (self.quantity, self.over) if self.over else (self.quantity,)

    def index(self, columns: Mapping[str, Array]) -> NDArray[np.intp]:
        """Return the number of the region of each point, in the shape of the `columns` {quantity: values}."""
        value = self.factor * np.asarray(columns[self.quantity])
        if self.over:
            value = value / columns[self.over]
        return np.digitize(value, self.edges)


def regions_of(model: Any) -> tuple[Partition, ...]:
    """Return the partitions a model names in its optional attribute ``regions``; usually none."""
    return tuple(getattr(model, "regions", ()))


def encode_regions(partitions: Iterable[Partition]) -> str:
    """Return partitions as JSON."""
    return json.dumps([asdict(each) for each in partitions])


def decode_regions(text: str) -> tuple[Partition, ...]:
    """Return the partitions of `encode_regions`.

    Raises
    ------
    ValueError
        If the text is not what `encode_regions` writes.
    """
    try:
        return tuple(
            Partition(
                name=str(row["name"]),
                quantity=str(row["quantity"]),
                edges=tuple(float(edge) for edge in row["edges"]),
                labels=tuple(str(label) for label in row["labels"]),
                over=str(row["over"]),
                factor=float(row["factor"]),
            )
            for row in json.loads(text)
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"regions cannot be read: {error}") from None
