"""The tables of ``globalfit compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from globalfit.chains.compare import Comparison


def print_comparison(console: Console, found: Comparison) -> None:
    """Print verdicts, shifts, ln L, and ln Z with the priors it depends on."""
    files = [escape(Path(file).stem) for file in found.files]
    for file, verdict in zip(files, found.verdicts, strict=True):
        mark = "[bold green]CONVERGED[/]" if verdict["converged"] else "[bold red]NOT CONVERGED[/]"
        console.print(f"{file}: {mark}", highlight=False)
        for reason in verdict["reasons"]:
            console.print(f"  {escape(reason)}", highlight=False)
    table = Table("ln L at the best sample", *files, box=None, header_style="bold")
    for name, values in found.likelihoods.items():
        table.add_row(name, *(_number(value, ".2f") for value in values))
    console.print()
    console.print(table)
    if any(value is not None for values in found.nulls.values() for value in values):
        table = Table("ln L without new physics", *files, box=None, header_style="bold")
        for name, values in found.nulls.items():
            table.add_row(name, *(_number(value, ".2f") for value in values))
        console.print()
        console.print(table)
    if found.shifts:
        table = Table("shift of the mean, in sigma", *files, box=None, header_style="bold")
        for name, shifts in found.shifts.items():
            table.add_row(name, *(_number(shift, "+.2f") for shift in shifts))
        console.print()
        console.print(table)
    if sum(each is not None for each in found.log_evidence) < 2:
        return
    for file, evidence, other, bayes, null, priors in zip(
        files,
        found.log_evidence,
        found.other_data,
        found.log_bayes,
        found.against_null,
        found.priors,
        strict=True,
    ):
        if other:
            names = escape(", ".join(f"'{name}'" for name in other))
            why = f"no Bayes factor against {files[0]}: the data differ in {names}"
            console.print(f"\n{file}: {why}", highlight=False)
            continue
        if evidence is None or bayes is None:
            console.print(f"\n{file}: no ln Z", highlight=False)
            continue
        said = ""
        if null is not None:
            said = f"against no new physics {null['log_bayes']:+.2f} +- {null['error']:.2f}, "
        console.print(
            f"\n{file}: ln Z = {evidence['log_evidence']:.2f} +- {evidence['error']:.2f}, "
            f"ln B against {files[0]} = {bayes['log_bayes']:+.2f} +- {bayes['error']:.2f}, {said}"
            "for these priors:",
            highlight=False,
        )
        columns = ("prior", "low", "high", "scale", "ln Z if halved", "if doubled")
        table = Table(*columns, box=None, header_style="bold")
        for name, row in priors.items():
            edges = (f"{row['low']:.4g}", f"{row['high']:.4g}", str(row["scale"]))
            table.add_row(name, *edges, _number(row["halved"], "+.2f"), _number(row["doubled"], "+.2f"))
        console.print(table)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
