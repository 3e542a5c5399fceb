"""Printing the validation in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from globalfit.validation.row import Row

if TYPE_CHECKING:
    from rich.console import Console

PREAMBLE = """# Validation

Every published number this project claims to reproduce, ours beside it, and where it does not come out,
why. This page is what `globalfit validate --markdown` prints; the tests run the same comparison and fail if a
number moves out of its tolerance, or if one that is said to differ no longer does.

"""
STYLE = {"agrees": "green", "differs": "yellow", "FAILS": "bold red", "STALE": "bold red"}


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print one table a topic, reasons below it, and the count."""
    from rich.table import Table

    for topic, each in groupby(rows, key=lambda row: row.topic):
        table = Table(title=topic, title_justify="left")
        for name in ("quantity", "published", "here", "allowed", "", "source"):
            table.add_column(name, justify="right" if name in ("published", "here", "allowed") else "left")
        notes: list[str] = []
        for row in each:
            if row.why and row.why not in notes:
                notes.append(row.why)
            mark = f" ({notes.index(row.why) + 1})" if row.why else ""
            status = f"[{STYLE[row.status]}]{row.status}[/]{mark}"
            quantity = f"{row.quantity}, {row.unit}" if row.unit else row.quantity
            numbers = (f"{row.published:.4g}", f"{row.ours:.4g}", f"{row.tolerance:.2g}")
            table.add_row(quantity.replace("[", r"\["), *numbers, status, row.source)
        console.print(table)
        for i, note in enumerate(notes, 1):
            console.print(f"  ({i}) {note}", markup=False)
    sound = sum(row.sound for row in rows)
    differ = sum(row.status == "differs" for row in rows)
    console.print(
        f"{sound} of {len(rows)} as stated: {sound - differ} agree, {differ} differ for a known reason"
    )
