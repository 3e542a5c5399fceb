"""Printing what a chain says of its experiments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from globalfit.analysis.draws import Draws
from globalfit.analysis.leave_one_out import WANTED, Without
from globalfit.analysis.reweight import Reweighted
from globalfit.analysis.surprise import REPLICAS
from globalfit.analysis.tension import LEAST, Tension

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
    for title in ("", "against", "ln S", "dimensions", "p", "sigma", "ln R *", "p of its data *"):
        table.add_column(title, justify="left" if title in ("", "against") else "right")
    for each in found:
        told = math.isfinite(each.p)
        why = "no common direction" if each.log_suspiciousness or each.dimensions else "share no parameter"
        table.add_row(
            each.one,
            each.other,
            f"{each.log_suspiciousness:.2f}",
            f"{each.dimensions:.2f}",
            f"{each.p:.3g}" if told else why,
            f"{each.sigma:.2f}" if told else "",
            "" if each.log_r is None else f"{each.log_r:.2f}",
            _of_data(each.p_data),
        )
    console.print(table)
    console.print("* depends on the priors, where the other side leaves parameters open")
    if any(each.dimensions < LEAST and each.log_suspiciousness for each in found):
        console.print(
            "no common direction: no combination of parameters is seen to be constrained by both sides, and "
            "no chi^2 says what ln S is worth; p of its data is the share of data, simulated from what the "
            "other side predicts, that it expects no more than these"
        )


def _of_data(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.3f}" if p > 1.5 / REPLICAS else f"< {2.0 / REPLICAS:g}"


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
