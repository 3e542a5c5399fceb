"""Commands that build the shipped tables anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import Debug, bars, say


def build_flavour(
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write")] = Path("flavour_forms.h5"),
    draws: Annotated[int, typer.Option(min=2, help="nuisance draws of the theory error")] = 200,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Run flavio once and write the quadratic forms of the b -> s l l observables (a quarter of an hour)."""
    from globalfit.build.flavour import build_forms
    from globalfit.errors import ModelError

    if output.exists() and not overwrite:
        raise ModelError(str(output), "exists", "choose another -o, or --overwrite")
    with bars() as show:
        build_forms(output, show, draws=draws)
    say(f"wrote {output}")


def build_dark_matter(
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write")] = Path(
        "dark_matter_tables.h5"
    ),
    mesons: Annotated[int, typer.Option(min=1024, help="mesons drawn for each source")] = 2**19,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Compute the tables of the dark-matter portals, from mesons to bins (half an hour or more)."""
    from globalfit.build.dark_matter import build_dark_matter_tables
    from globalfit.errors import ModelError

    if output.exists() and not overwrite:
        raise ModelError(str(output), "exists", "choose another -o, or --overwrite")
    with bars() as show:
        build_dark_matter_tables(output, show, n=mesons)
    say(f"wrote {output}")


def build_beam(
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write")] = Path("beam_tables.h5"),
    mesons: Annotated[int, typer.Option(min=1024, help="mesons drawn for each source")] = 2**19,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Compute the tables of the beam experiments, from mesons to bins (ten minutes)."""
    from globalfit.build.beam import build_tables
    from globalfit.errors import ModelError

    if output.exists() and not overwrite:
        raise ModelError(str(output), "exists", "choose another -o, or --overwrite")
    with bars() as show:
        build_tables(output, show, n=mesons)
    say(f"wrote {output}")
