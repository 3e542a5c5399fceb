"""Commands about fits: what there is, what a fit says, what it predicts at a point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import AsOf, Debug, FitPath, Json, More, console, load, print_json, say


def list_(as_json: Json = False, debug: Debug = False) -> None:
    """List models, likelihoods, priors and constraints that are installed."""
    from globalfit.describe import plugin_rows
    from globalfit.show import print_plugins

    rows = plugin_rows()
    print_json(rows) if as_json else print_plugins(console(), rows)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a plug-in, see 'globalfit list'")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what a plug-in is: its options, parameters, measurements and reference."""
    from globalfit.describe import describe_plugin
    from globalfit.registry import find
    from globalfit.show import print_plugin

    found = describe_plugin(find(name), name)
    print_json(found) if as_json else print_plugin(console(), found)


def schema(debug: Debug = False) -> None:
    """Print the JSON schema of fit files, for editors."""
    from globalfit.schema import fit_schema

    print_json(fit_schema())


def check(
    fit: FitPath, likelihood: More = None, as_of: AsOf = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Read a fit and try it: parameters, time per likelihood, which likelihood reacts to which parameter."""
    from globalfit.checking import check_fit
    from globalfit.show import print_check

    loaded = load(fit, likelihood, as_of)
    found = check_fit(loaded)
    print_json(found.to_dict(loaded)) if as_json else print_check(console(), loaded, found)
    for line in (*loaded.warnings, *found.remarks):
        say(f"note: {line}")
    for line in found.failures:
        say(f"error: {line}")
    if found.failures:
        raise typer.Exit(1)


def eval_(
    fit: FitPath,
    values: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="parameters")] = None,
    points: Annotated[Path | None, typer.Option(help="CSV file of points, a header of names")] = None,
    likelihood: More = None,
    as_of: AsOf = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print observables and ln L at one point, or with --points at many (one JSON object a line)."""
    from globalfit.pointwise import evaluate_file, evaluate_point, parse_assignments
    from globalfit.show import print_record

    loaded = load(fit, likelihood, as_of)
    given = parse_assignments(loaded, values or [])
    if points is None:
        record = evaluate_point(loaded, given)
        print_json(record) if as_json else print_record(console(), record)
        return
    failed = False
    for record in evaluate_file(loaded, points, given):
        print(json.dumps(record, allow_nan=False))
        failed |= "error" in record
    if failed:
        raise typer.Exit(1)
