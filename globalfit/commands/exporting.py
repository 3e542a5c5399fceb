"""Commands that write chains for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import ChainPath, Debug, Discard, Names, Thin, say, words


class Format(StrEnum):
    """What can read a chain."""

    arviz = "arviz"
    getdist = "getdist"
    csv = "csv"


def export(
    file: ChainPath,
    to: Annotated[Format, typer.Option("--to", help="program that is to read it")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help=".nc, .csv, or the root of GetDist's files; FILE's name by default"
        ),
    ] = None,
    discard: Discard = None,
    thin: Thin = None,
    names: Names = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that exist")] = False,
    debug: Debug = False,
) -> None:
    """Write the samples for ArviZ (netCDF), GetDist (text) or as CSV."""
    from globalfit.chains.chain import Chain
    from globalfit.chains.export.formats import export as export_

    with Chain.open(file, names=words(names)) as chain:
        written = export_(chain, to.value, output, discard=discard, thin=thin or 1, overwrite=overwrite)
        if not chain.verdict.converged:
            say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
    say(f"wrote {', '.join(map(str, written))}")
