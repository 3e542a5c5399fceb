"""The ledger and the vintages as tables: for a terminal, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from globalfit.analysis.ledger import Ledger

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Block:
    """A titled table; without columns its rows are lines of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def blocks(found: Ledger) -> list[Block]:
    """Return the tables of a ledger, the answer last."""
    experiments = []
    for each in found.entries:
        one = each.experiment
        pulls = ", ".join(_pull(pull.observable, pull.null, pull.best) for pull in one.pulls)
        experiments.append(
            (
                one.name,
                each.kind,
                each.status,
                *(number(value) for value in (one.best, one.null, one.ideal)),
                number(one.gain, "+.2f"),
                "" if one.share is None else f"{100.0 * one.share:.0f} %",
                pulls,
                ", ".join(f"{name} {_worth(loss)}" for name, loss in each.parameters[:4]),
            )
        )
    titles = ("experiment", "is", "and is", "ln L best", "null", "ideal", "gain", "share", "pulls", "by")
    shown = [Block("experiments of the fit", titles, tuple(experiments))]
    if found.problem:
        shown.append(Block("without nulls and pulls", (), ((found.problem,),)))
    if found.outside:
        rows = tuple(
            (
                each.experiment,
                each.pull.observable,
                number(each.pull.null, "+.1f"),
                f"{each.pull.best:+.1f}",
                each.effect,
            )
            for each in found.outside
        )
        shown.append(Block("outside the fit", ("experiment", "observable", "null", "best", ""), rows))
    if found.violations:
        rows = tuple(
            (each.title, f"{each.predicted:.3g}", f"{each.limit:.3g}", f"{each.factor:.3g}", each.citation)
            for each in found.violations
        )
        shown.append(Block("limits broken", ("limit on", "predicted", "limit", "factor", "citation"), rows))
    rows = tuple(
        (each.parameter, f"{each.best:.5g}", f"{each.information:.2f}", f"{each.width_ratio:.2f}", each.to)
        for each in found.levers
    )
    heads = ("parameter", "best", "information, nats", "width/prior", "taken to")
    shown.append(Block("parameters", heads, rows))
    cost = found.price
    lines = [f"prior volume: {'' if cost.exact else 'at least '}{cost.information:.1f} nats"]
    if cost.log_evidence is not None:
        lines.append(f"ln Z {cost.log_evidence:.2f}; ln Z - highest ln L {cost.log_occam:.2f}")
    if cost.log_bayes is not None:
        lines.append(f"ln Bayes factor against the null {cost.log_bayes:+.2f}")
    shown.append(Block("price", (), tuple((line,) for line in lines)))
    return [*shown, Block("answer", (), ((found.answer,),))]


def print_blocks(console: Console, shown: Sequence[Block]) -> None:
    """Print tables in a terminal."""
    from rich.markup import escape
    from rich.table import Table

    for block in shown:
        console.print(f"[bold]{escape(block.title)}[/]")
        if block.columns:
            table = Table(*block.columns, box=None, header_style="dim")
            for row in block.rows:
                table.add_row(*(escape(cell) for cell in row))
            console.print(table)
        else:
            for row in block.rows:
                console.print(escape(row[0]), highlight=False, soft_wrap=True)
        console.print()


def markdown(title: str, shown: Sequence[Block]) -> str:
    """Return tables in Markdown."""
    lines = [f"# {title}", ""]
    for block in shown:
        lines += [f"## {block.title}", ""]
        if block.columns:
            lines += ["| " + " | ".join(_cell(each) for each in block.columns) + " |"]
            lines += ["|" + "---|" * len(block.columns)]
            lines += ["| " + " | ".join(_cell(each) for each in row) + " |" for row in block.rows]
        else:
            lines += [f"{row[0]}  " for row in block.rows]
        lines.append("")
    return "\n".join(lines)


def number(value: float | None, form: str = ".2f") -> str:
    """Return a number, or nothing for None."""
    return "" if value is None else format(value, form)


def _pull(name: str, null: float | None, best: float) -> str:
    return f"{name} {best:+.1f}" if null is None else f"{name} {null:+.1f} -> {best:+.1f}"


def _worth(loss: float) -> str:
    return f"{-loss:.3g}" if math.isfinite(loss) else "-inf"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
