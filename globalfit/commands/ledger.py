"""Commands that say what a fit explains, and how that changed with the data."""

from __future__ import annotations

import calendar
import datetime
from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import (
    ChainPath,
    Debug,
    Discard,
    FitFile,
    FitPath,
    Json,
    bars,
    console,
    print_json,
    say,
    words,
)

Particles = Annotated[int, typer.Option(min=100, help="particles of a tempered run")]


def ledger(
    file: ChainPath,
    against: Annotated[
        str, typer.Option(help="comma-separated likelihoods outside the fit to look at")
    ] = "rare-b-decays,meson-decays",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="sample ln Z and the Bayes factor against the null")
    ] = False,
    particles: Particles = 4000,
    seed: Annotated[int, typer.Option(help="seed of these tempered runs")] = 1,
    discard: Discard = None,
    fit: FitFile = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what a fit explains, what it breaks, which parameters do it, what pushes back, and the price."""
    from globalfit.analysis.ledger import against_null
    from globalfit.analysis.ledger import ledger as ledger_
    from globalfit.analysis.rebuilt import fit_of
    from globalfit.analysis.tabular import blocks, markdown, print_blocks
    from globalfit.chains.chain import Chain

    if as_json and as_markdown:
        raise typer.BadParameter("give one of --json and --markdown")
    chain = Chain.open(file)
    known = None
    if evidence:
        known = against_null(fit_of(chain, fit), seed, particles)
    found = ledger_(chain, fit, against=words(against), discard=discard, evidence=known)
    if not found.converged:
        say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
    if as_json:
        print_json(found.to_dict())
    elif as_markdown:
        print(markdown(f"Ledger of {file.name}", blocks(found)))
    else:
        print_blocks(console(), blocks(found))


def vintages(
    fit: FitPath,
    as_of: Annotated[
        str,
        typer.Option("--as-of", help="comma-separated: 2022-10-15, 2022-10, 2022 (their ends), today"),
    ] = "2019-04-01,2021-04-15,2022-10-15,today",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="draw the history: .png, .pdf or .svg")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the plot if it exists")] = False,
    particles: Particles = 2000,
    seed: Annotated[int, typer.Option(help="seed of the tempered runs")] = 1,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run the same fit with the measurements of several dates, and draw the history of its verdict.

    A month or a year stands for its last day. A likelihood whose measurement the fit file names keeps it; one
    not measured yet is left out.
    """
    from globalfit.analysis.history import draw, table_of
    from globalfit.analysis.tabular import markdown, print_blocks
    from globalfit.analysis.vintages import vintages as vintages_
    from globalfit.chains.corner import check_output

    if as_json and as_markdown:
        raise typer.BadParameter("give one of --json and --markdown")
    if output is not None:
        check_output(output, overwrite=overwrite)
    dates = [date_of(word) for word in words(as_of)]
    if not dates:
        raise typer.BadParameter("--as-of names no date")
    with bars() as show:
        found = vintages_(fit, sorted(set(dates)), particles=particles, seed=seed, progress=show)
    if as_json:
        print_json([each.to_dict() for each in found])
    elif as_markdown:
        print(markdown(f"{fit.name} through time", table_of(found)))
    else:
        print_blocks(console(), table_of(found))
    if output is not None:
        draw(found, output)
        say(f"wrote {output}")


def date_of(word: str) -> datetime.date:
    """Return the date that a word of the command line stands for, of a month or a year the last day."""
    if word == "today":
        return datetime.date.today()
    try:
        given = [int(each) for each in word.split("-")]
        year, month, *day = [*given, 12] if len(given) == 1 else given
        return datetime.date(year, month, *(day or [calendar.monthrange(year, month)[1]]))
    except (ValueError, TypeError):
        remedy = "write for example 2022-10-15, 2022-10, 2022 or today"
        raise typer.BadParameter(f"'{word}' is not a date; {remedy}") from None
