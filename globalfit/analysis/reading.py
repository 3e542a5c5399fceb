"""What a summary says beside the intervals: limits the best point breaks, nulls, ideals and pulls; LaTeX."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from globalfit.analysis.pulls import BestPoint, best_point
from globalfit.analysis.pushback import Violation, violations
from globalfit.chains.chain import Chain
from globalfit.chains.summary import Row, Summary

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Reading:
    """The best point of a chain, judged.

    Attributes
    ----------
    violations : tuple of Violation
        Limits that it breaks though they are not in the fit.
    point : BestPoint
    """

    violations: tuple[Violation, ...]
    point: BestPoint

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, under keys that a summary does not have."""
        return {
            "violations": [each.to_dict() for each in self.violations],
            "best_point": self.point.to_dict(),
        }


def reading(chain: Chain, discard: int | None = None) -> Reading:
    """Return what is to be said of the best point of a chain; nothing of a file of emcee."""
    if not chain.likelihoods:
        return Reading((), BestPoint(()))
    return Reading(tuple(violations(chain)), best_point(chain, discard=discard))


def print_banner(console: Console, found: Reading) -> None:
    """Print the limits that the best point breaks, one a line."""
    from rich.markup import escape

    if not found.violations:
        return
    console.print("[bold red]LIMITS BROKEN[/] at the best point, by data that are not in the fit:")
    for each in found.violations:
        line = f"  {each.title}: {each.predicted:.3g}, limit {each.limit:.3g}, {each.factor:.3g} times; "
        console.print(escape(line + each.citation), highlight=False)


def print_experiments(console: Console, found: Reading) -> None:
    """Print ln L of each experiment at the best point, without new physics and ideal, with the pulls."""
    from rich.markup import escape
    from rich.table import Table

    if found.point.problem:
        stored = any(each.null is not None for each in found.point.experiments)
        none = "ideal and pulls" if stored else "null, ideal and pulls"
        console.print(f"\nno {none}: {escape(found.point.problem)}", highlight=False)
        if not stored:
            return
    if not found.point.experiments:
        return
    heads = ("at the best point", "ln L", "null", "gain", "ideal", "observable", "prediction")
    table = Table(*heads, "pull", "pull, null", box=None, header_style="bold")
    for each in found.point.experiments:
        own = [each.name, *(_shown(value, ".2f") for value in (each.best, each.null))]
        own += [_shown(each.gain, "+.2f"), _shown(each.ideal, ".2f")]
        for pull in each.pulls or (None,):
            rest = (
                ("", "", "", "")
                if pull is None
                else (
                    pull.observable,
                    _shown(pull.predicted, ".4g"),
                    f"{pull.best:+.2f}",
                    _shown(pull.null, "+.2f"),
                )
            )
            table.add_row(*own, *rest)
            own = [""] * 5
    console.print()
    console.print(table)


def latex(chain: Chain, summary: Summary) -> str:
    """Return a LaTeX table of the sampled parameters: median, 68 and 95 % intervals, best sample.

    Of a chain that is not converged there are no intervals, and a comment says so.
    """
    lines = [r"\begin{tabular}{lccc}", r"\hline"]
    if not summary.converged:
        lines.insert(0, "% NOT CONVERGED: " + summary.reasons[0])
    lines += [r"parameter & median and 68\,\% & 95\,\% & best \\", r"\hline"]
    for row in summary.rows:
        label = str(chain.row(row.name)["label"])
        name = f"${label}$" if label else row.name.replace("_", r"\_")
        unit = f" [{row.unit.replace('^-1', '$^{-1}$')}]" if row.unit else ""
        if summary.converged:
            power, digits = _scale(row)
            middle = _interval(row, power, digits)
            outer = "{}\\ldots {}".format(*(_fixed(v, power, digits) for v in (row.low95, row.high95)))
            outer = rf"$({outer}){_times(power)}$" if power else f"${outer}$"
            best = rf"${_fixed(row.best, power, digits)}{_times(power)}$"
            lines.append(rf"{name}{unit} & {middle} & {outer} & {best} \\")
        else:
            lines.append(rf"{name}{unit} & -- & -- & ${_plain(row.best)}$ \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"])


def _scale(row: Row) -> tuple[int, int]:
    """Return the power of ten to take out, and the decimals that show a tenth of the narrower side."""
    size = max(abs(row.low95), abs(row.high95), abs(row.best))
    power = math.floor(math.log10(size)) if size > 0.0 else 0
    power = power if not -2 <= power <= 4 else 0
    side = min(row.high68 - row.median, row.median - row.low68)
    if side <= 0.0:
        return power, 3
    return power, min(max(1 - math.floor(math.log10(side / 10.0**power)), 0), 8)


def _interval(row: Row, power: int, digits: int) -> str:
    up, down = (_fixed(v, power, digits) for v in (row.high68 - row.median, row.median - row.low68))
    inner = rf"{_fixed(row.median, power, digits)}^{{+{up}}}_{{-{down}}}"
    return rf"$({inner}){_times(power)}$" if power else f"${inner}$"


def _fixed(value: float, power: int, digits: int) -> str:
    return f"{value / 10.0**power:.{digits}f}"


def _times(power: int) -> str:
    return rf"\times 10^{{{power}}}" if power else ""


def _plain(value: float) -> str:
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}" if exponent else mantissa


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
