"""The command that compares published numbers with ours."""

from __future__ import annotations

from typing import Annotated

import typer

from globalfit.commands.common import Debug, Json, console, print_json


def validate(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="muon-g2, flavour, ...; all by default")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="print docs/validation.md")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare every published number the project claims to reproduce with ours; says why where one differs.

    Exit code 1 if a number that has to agree does not, or one that is said to differ does not differ.
    """
    from globalfit.validation.row import markdown as markdown_
    from globalfit.validation.show import PREAMBLE, print_rows
    from globalfit.validation.topics import validate as validate_

    rows = validate_(topics or ())
    if as_json:
        print_json([row.to_dict() for row in rows])
    elif markdown:
        print(PREAMBLE + markdown_(rows), end="")
    else:
        print_rows(console(), rows)
    if not all(row.sound for row in rows):
        raise typer.Exit(1)
