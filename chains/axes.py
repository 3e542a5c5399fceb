"""How quantities stand on the axes of a plot: linear, log or signed-log, with legible ticks."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.chain import Chain

# Mantissas of the labelled ticks of a logarithmic axis, from sparse to dense.
MANTISSAS: tuple[tuple[float, ...], ...] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 2, 4, 6, 8),
    (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9),
)
FEWEST, MOST = 3, 5  # labelled ticks on a logarithmic axis


@dataclass(frozen=True)
class Axis:
    """One quantity and how its samples are put on an axis.

    Attributes
    ----------
    latex : str
        How the file writes it.
    scale : str
        ``"linear"`` or ``"log"``, as corner takes it.
    gap : float
        Edge of the gap around zero of a signed logarithm, which is drawn as sign(x) log10(|x|/gap); 0: none.
    """

    name: str
    latex: str
    unit: str
    scale: str
    gap: float = 0.0

    @cached_property
    def label(self) -> str:
        """How it is written on the axis: in LaTeX where matplotlib can, which is asked where it is drawn."""
        return f"${self.latex}$" if _legible(self.latex) else self.name.replace("$", r"\$")

    def power(self, low: float, high: float) -> int:
        """Return the power of ten taken out of the numbers of an axis from `low` to `high`.

        Of a logarithmic axis that spans less than two decades: `log_ticks` writes others as powers.
        """
        if self.gap or (self.scale == "log" and high > 100.0 * low):
            return 0
        power = math.floor(math.log10(low if self.scale == "log" else max(abs(low), abs(high))))
        return 0 if -3 <= power < 5 else power

    def caption(self, low: float, high: float, between: str = " ") -> str:
        """Return the label of an axis from `low` to `high`, and in brackets its power of ten and unit."""
        power = self.power(low, high)
        raised = re.sub(r"\^(-?\d+)", r"$^{\1}$", self.unit)
        unit = " ".join(filter(None, [f"$10^{{{power}}}$" if power else "", raised]))
        return f"{self.label}{between}[{unit}]" if unit else self.label

    def place(self, samples: Array) -> Array:
        """Return the samples as they are drawn."""
        if not self.gap:
            return samples
        return np.copysign(np.log10(np.abs(samples) / self.gap), samples)

    def dress(self, axis: Any, low: float, high: float, *, labelled: bool) -> None:
        """Put ticks on a matplotlib axis from `low` to `high`; if not `labelled`, few and without numbers."""
        from matplotlib.ticker import (
            FixedFormatter,
            FixedLocator,
            FuncFormatter,
            MaxNLocator,
            NullFormatter,
            NullLocator,
        )

        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
        if self.gap:
            places, texts = signed_ticks(low, high, self.gap)
        elif self.scale == "log":
            factor = 10.0 ** self.power(low, high)
            places, texts = log_ticks(low / factor, high / factor)
            places = [factor * x for x in places]
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            if labelled and len(decades) < 8:
                axis.set_minor_locator(FixedLocator([m * 10.0**k for k in decades for m in range(2, 10)]))
        else:
            axis.set_major_locator(MaxNLocator(4, prune="lower"))
            factor = 10.0 ** self.power(low, high)
            numbers = FuncFormatter(partial(_over, factor))
            axis.set_major_formatter(numbers if labelled else NullFormatter())
            return
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FixedFormatter(texts) if labelled else NullFormatter())


def _over(factor: float, x: float, _: int) -> str:
    """Write a number of a linear axis without its power of ten."""
    return f"{round(x / factor, 9):g}".replace("-", "\N{MINUS SIGN}")


def axis_for(chain: Chain, name: str) -> Axis:
    """Return the axis for a quantity of a chain: that of its prior's scale, with label and unit."""
    row = chain.row(name)
    scale = row.get("scale", "linear")
    gap = float(json.loads(row["prior"])["low"]) if scale == "signed-log" else 0.0
    return Axis(name, str(row["label"]), str(row["unit"]), "log" if scale == "log" else "linear", gap)


def _legible(label: str) -> bool:
    """Return whether matplotlib can draw a LaTeX label: it may come from any file."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${label}$")
    except (ValueError, RuntimeError):
        return False
    return bool(label.strip()) and "$" not in label


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Return places and labels of three to five ticks on a logarithmic axis, if there are such.

    Decades where the axis has enough of them, else 1, 2, 5 and so on of each; evenly spaced numbers where it
    spans less than a factor of about 1.5.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    inside: list[float] = []
    for mantissas in MANTISSAS:
        every = [float(f"{m}e{k}") for k in range(first, last + 1) for m in mantissas]
        inside = [x for x in every if low * (1 - 1e-9) <= x <= high * (1 + 1e-9)]
        if len(inside) >= FEWEST:
            break
    else:
        from matplotlib.ticker import MaxNLocator

        found = MaxNLocator(4).tick_values(low, high)
        inside = [float(f"{x:.12g}") for x in found if low <= x <= high]
    stride = math.ceil(len(inside) / MOST)
    if stride > 1:  # of decades keep multiples of the stride: 10^-12, 10^-9, ...
        inside = [x for i, x in enumerate(inside) if (_power(x) if mantissas == (1,) else i) % stride == 0]
    return inside, _texts(inside)


def signed_ticks(low: float, high: float, gap: float) -> tuple[list[float], list[str]]:
    """Return places and labels of decades on a signed-logarithmic axis, at most four a side."""
    lowest = math.ceil(math.log10(gap) - 1e-9)
    highest = math.floor(math.log10(gap) + max(abs(low), abs(high)) + 1e-9)
    stride = max(1, math.ceil((highest - lowest + 1) / 4))
    places, texts = [], []
    for power in range(highest, lowest - 1, -stride):
        u = power - math.log10(gap)
        for sign, mark in ((1.0, ""), (-1.0, "-")):
            if low <= sign * u <= high and u > 0.3:  # the two edges of the gap would overlap
                places.append(sign * u)
                texts.append(rf"${mark}10^{{{power}}}$")
    return places, texts


def _power(x: float) -> int:
    return math.floor(math.log10(x) + 1e-9)


def _texts(values: list[float]) -> list[str]:
    """Plain numbers, or powers of ten where they would be long."""
    if (
        all(1e-2 <= abs(x) < 1e5 for x in values)
        and max(values, default=1.0) / min(values, default=1.0) < 300
    ):
        return [f"{x:g}" for x in values]
    texts = []
    for x in values:
        power = _power(x)
        mantissa = x / 10.0**power
        head = "" if abs(mantissa - 1.0) < 1e-9 else rf"{mantissa:g}\times "
        texts.append(rf"${head}10^{{{power}}}$")
    return texts
