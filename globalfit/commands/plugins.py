"""Commands for authors of likelihoods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import Debug, Json, console, print_json


def new_likelihood(
    name: Annotated[str, typer.Argument(metavar="NAME", help="kebab-case, such as my-experiment")],
    kind: Annotated[str, typer.Option(help="gaussian or counting")] = "gaussian",
    folder: Annotated[Path, typer.Option(help="where to write it")] = Path(),
    debug: Debug = False,
) -> None:
    """Write a working likelihood with a test and a fit that uses it; change the numbers and the physics."""
    from globalfit.skeleton import write_skeleton

    for path in write_skeleton(name, kind, folder):
        print(path)


def conformance(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a plug-in, or file.py:Class")],
    model: Annotated[str, typer.Option(help="the model that gives the points")] = "t3r-muon",
    points: Annotated[int, typer.Option(min=2, help="points of the model's natural ranges")] = 64,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Test a likelihood against its contract: batches, shapes, what it reads, published numbers."""
    from dataclasses import asdict

    from globalfit.conformance import findings_for
    from globalfit.show import print_findings

    found = findings_for(name, model, points)
    print_json([asdict(finding) for finding in found]) if as_json else print_findings(console(), found)
    if not all(finding.passed for finding in found):
        raise typer.Exit(1)
