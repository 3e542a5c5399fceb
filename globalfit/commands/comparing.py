"""Commands that compare chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import Debug, Json, console, print_json, say


def compare(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="chain files; first: base")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="overlaid corner plot: .png, .pdf or .svg")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the plot if it exists")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare chains: verdicts, shifts, ln L per experiment, Bayes factors with their priors."""
    from globalfit.chains.chain import Chain
    from globalfit.chains.compare import compare as compare_
    from globalfit.chains.corner import check_output, save_corner
    from globalfit.show_comparison import print_comparison

    if output is not None:
        check_output(output, overwrite=overwrite)
    chains = [Chain.open(file) for file in files]
    found = compare_(chains)
    print_json(found.to_dict()) if as_json else print_comparison(console(), found)
    if output is not None:
        save_corner(chains, output, overwrite=overwrite)
        say(f"wrote {output}")
