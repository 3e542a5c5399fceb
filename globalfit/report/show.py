"""Printing what a posterior predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from globalfit.report.elsewhere import Elsewhere
from globalfit.report.predictive import Predictive
from globalfit.show import number

if TYPE_CHECKING:
    from rich.console import Console


def print_predictive(console: Console, found: Predictive, *, converged: bool) -> None:
    """Print one row an observable, a bin a row for spectra."""
    from rich.table import Table

    head = [
        "observable",
        "likelihood",
        "best",
        *(("median", "68 %", "95 %") if converged else ()),
        "measured",
    ]
    table = Table(*head, box=None, header_style="bold")
    data = {(each.likelihood, each.observable): each for each in found.data if not each.plus}
    curves = {each.observable: each for each in found.spectra}
    for name, source in found.source.items():
        quantiles = found.quantiles(name)
        best = found.best[name]
        if best.ndim:
            curve = curves.get(name)
            for i, value in enumerate(best):
                measured = "" if curve is None else f"{curve.excess[i]:.4g} +- {curve.error[i]:.2g}"
                cells = _intervals(quantiles[:, i]) if converged else []
                table.add_row(escape(f"{name}[{i}]"), escape(source), number(float(value)), *cells, measured)
            continue
        datum = data.get((source, name))
        measured = "" if datum is None else f"{datum.interval[0]:.4g} .. {datum.interval[1]:.4g}"
        cells = _intervals(quantiles) if converged else []
        table.add_row(escape(name), escape(source), number(float(best)), *cells, measured)
    console.print(table)


def print_elsewhere(console: Console, found: Elsewhere, *, converged: bool) -> None:
    """Print the events in an experiment that is in no fit."""
    from rich.markup import escape

    line = (
        f"{found.experiment}: photons above {found.above:g} MeV, efficiency one, "
        f"{found.exposure:.3g} protons on target: {found.best:.4g} events at the best sample"
    )
    if converged:
        median, inner, outer = _intervals(found.quantiles)
        line += f"; median {median}, 68 % {inner}, 95 % {outer}"
    console.print(escape(line), highlight=False, soft_wrap=True)
    console.print(escape(found.reference), style="dim", highlight=False, soft_wrap=True)


def _intervals(quantiles: object) -> list[str]:
    import numpy as np

    low95, low68, median, high68, high95 = np.asarray(quantiles, dtype=np.float64)
    return [f"{median:.4g}", f"{low68:.4g} .. {high68:.4g}", f"{low95:.4g} .. {high95:.4g}"]
