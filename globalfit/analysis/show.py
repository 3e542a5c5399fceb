"""Printing what a chain says of its experiments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from globalfit.analysis.draws import Draws
from globalfit.analysis.leave_one_out import WANTED, Without
from globalfit.analysis.reweight import Reweighted
from globalfit.analysis.tension import Tension

if TYPE_CHECKING:
    from rich.console import Console


def print_without(console: Console, draws: Draws, found: Sequence[Without]) -> None:
    """Print one row an experiment left out: route, and the medians with their shifts in sigma."""
    from rich.table import Table

    names = list(draws.values)
    table = Table(
        title="without each experiment: medians (shift in standard deviations)", title_justify="left"
    )
    for title in ("without", "route", "k", "ln p(its data | rest)", *names):
        table.add_column(title, justify="left" if title in ("without", "route") else "right")
    whole = [f"{draws.interval(name)[1]:.4g}" for name in names]
    table.add_row("nothing", "", "", "", *whole)
    for each in found:
        gain = "" if each.log_predictive is None else f"{each.log_predictive:.2f}"
        gain += "" if each.error_log_predictive is None else f" +- {each.error_log_predictive:.2f}"
        cells = [
            f"{each.intervals[name][1]:.4g} ({each.shifts[name]:+.2f})" if each.intervals else ""
            for name in names
        ]
        table.add_row(each.name, each.route, f"{each.k:.2f}", gain, *cells)
    console.print(table)
    if any(each.route == WANTED for each in found):
        console.print(f"{WANTED}: reweighting is not reliable (k above 0.5); run without --no-sample")


def print_tensions(console: Console, found: Sequence[Tension]) -> None:
    """Print one row a pair."""
    from rich.table import Table

    table = Table(title="tension", title_justify="left")
    for title in ("", "against", "ln S", "dimensions", "p", "sigma", "ln R (depends on priors)"):
        table.add_column(title, justify="left" if title in ("", "against") else "right")
    for each in found:
        told = math.isfinite(each.p)
        why = "both constrain none" if each.log_suspiciousness or each.dimensions else "share no parameter"
        table.add_row(
            each.one,
            each.other,
            f"{each.log_suspiciousness:.2f}",
            f"{each.dimensions:.2f}",
            f"{each.p:.3g}" if told else why,
            f"{each.sigma:.2f}" if told else "",
            "" if each.log_r is None else f"{each.log_r:.2f}",
        )
    console.print(table)


def print_reweighted(console: Console, found: Reweighted) -> None:
    """Print the posterior with and without a new experiment, and what it teaches."""
    from rich.table import Table

    light = "reliable" if found.reliable else "NOT RELIABLE"
    console.print(
        f"with {found.name}: {light} (k = {found.k:.2f}, {100.0 * found.ess_share:.0f} % effective draws); "
        f"it would teach {found.information / math.log(2.0):.2f} bits; ln p(its data | the others) = "
        f"{found.log_predictive:.2f}"
    )
    if not found.reliable:
        return
    table = Table()
    for title in ("", "before", "68 %", f"with {found.name}", "68 %"):
        table.add_column(title, justify="right" if title else "left")
    for name, (low, median, high) in found.before.items():
        new = found.after[name]
        table.add_row(
            name,
            f"{median:.4g}",
            f"{low:.4g} .. {high:.4g}",
            f"{new[1]:.4g}",
            f"{new[0]:.4g} .. {new[2]:.4g}",
        )
    console.print(table)
