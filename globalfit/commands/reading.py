"""Commands that read chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import ChainPath, Debug, Discard, Json, Names, Thin, print_summary, say, words


def summary(
    file: ChainPath,
    discard: Discard = None,
    names: Names = "",
    as_latex: Annotated[bool, typer.Option("--latex", help="print a LaTeX table of the parameters")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the verdict, medians with 68 and 95 % intervals, the best point and ln L per experiment."""
    from globalfit.chains.chain import Chain

    if as_json and as_latex:
        raise typer.BadParameter("give one of --json and --latex")
    print_summary(Chain.open(file, names=words(names)), as_json, discard, as_latex)


def corner(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="chain files, drawn over each other")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help=".png, .pdf or .svg")] = Path("corner.png"),
    parameters: Annotated[
        str, typer.Option("--parameters", "-p", help="comma-separated; sampled parameters by default")
    ] = "",
    labels: Annotated[str, typer.Option(help="comma-separated names of the chains for the legend")] = "",
    discard: Discard = None,
    thin: Thin = None,
    names: Names = "",
    bins: Annotated[int, typer.Option(min=5, max=500, help="bins along each axis")] = 50,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the plot if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Draw the corner plot with 68 and 95 % regions; several chains are laid over each other."""
    from globalfit.chains.chain import Chain
    from globalfit.chains.corner import check_output, save_corner

    check_output(output, overwrite=overwrite)
    shown = words(labels)
    if shown and len(shown) != len(files):
        raise typer.BadParameter(f"{len(shown)} --labels for {len(files)} files")
    chains = [Chain.open(file) for file in files]
    given = words(names)
    if given and all(chain.named for chain in chains):
        Chain.open(files[0], names=given)  # says that they have their own
    chains = [
        chain if chain.named else Chain.open(file, names=given)
        for file, chain in zip(files, chains, strict=True)
    ]
    save_corner(
        chains,
        output,
        words(parameters),
        overwrite=overwrite,
        labels=shown,
        discard=discard,
        thin=thin,
        bins=bins,
    )
    say(f"wrote {output}")
