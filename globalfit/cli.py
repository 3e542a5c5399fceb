"""The ``globalfit`` command: each subcommand reads its words, calls the package, and prints."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from globalfit.errors import FitErrors, GlobalfitError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="Bayesian global fits of light-mediator models to low-energy anomalies.\n\n"
    "Start with 'globalfit run fits/t3r-muon.toml --corner corner.png'; "
    "'globalfit list' shows what can be fitted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Sync(StrEnum):
    """When stored steps are forced to the disk."""

    step = "step"
    second = "second"
    none = "none"


FitPath = Annotated[Path, typer.Argument(metavar="FIT", help="fit file (TOML)")]
ChainPath = Annotated[Path, typer.Argument(metavar="FILE", help="chain file (HDF5), the -o of a run")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error")]
More = Annotated[
    list[str] | None,
    typer.Option("--likelihood", help="one more likelihood: a plug-in's name or file.py:Class; repeatable"),
]
AsOf = Annotated[
    datetime.datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="use measurements known at this date"),
]
Names = Annotated[str, typer.Option(help="comma-separated names, for a file of emcee, which holds none")]
Discard = Annotated[int | None, typer.Option(help="steps to leave out at the start; automatic by default")]


@app.command("list")
def list_(as_json: Json = False, debug: Debug = False) -> None:
    """List models, likelihoods, priors and constraints that are installed."""
    from globalfit.describe import plugin_rows
    from globalfit.show import print_plugins

    rows = plugin_rows()
    _print_json(rows) if as_json else print_plugins(_console(), rows)


@app.command()
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
    _print_json(found) if as_json else print_plugin(_console(), found)


@app.command()
def schema(debug: Debug = False) -> None:
    """Print the JSON schema of fit files, for editors."""
    from globalfit.schema import fit_schema

    _print_json(fit_schema())


@app.command()
def check(
    fit: FitPath, likelihood: More = None, as_of: AsOf = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Read a fit and try it: parameters, time per likelihood, which likelihood reacts to which parameter."""
    from globalfit.checking import check_fit
    from globalfit.show import print_check

    loaded = _load(fit, likelihood, as_of)
    found = check_fit(loaded)
    _print_json(found.to_dict(loaded)) if as_json else print_check(_console(), loaded, found)
    for line in (*loaded.warnings, *found.remarks):
        _say(f"note: {line}")
    for line in found.failures:
        _say(f"error: {line}")
    if found.failures:
        raise typer.Exit(1)


@app.command("eval")
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

    loaded = _load(fit, likelihood, as_of)
    given = parse_assignments(loaded, values or [])
    if points is None:
        record = evaluate_point(loaded, given)
        _print_json(record) if as_json else print_record(_console(), record)
        return
    failed = False
    for record in evaluate_file(loaded, points, given):
        print(json.dumps(record, allow_nan=False))
        failed |= "error" in record
    if failed:
        raise typer.Exit(1)


@app.command()
def run(
    fit: FitPath,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="chain file; the fit's name with .h5 by default")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="total steps per walker; the target is then ignored")
    ] = None,
    steps_more: Annotated[int | None, typer.Option(min=1, help="steps to add to what is there")] = None,
    target_ess: Annotated[int | None, typer.Option(min=1, help="effective samples at which to stop")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="move an existing chain aside, start anew")] = False,
    sync: Annotated[
        Sync, typer.Option(help="when stored steps are forced to the disk, against power cuts")
    ] = Sync.second,
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="take over from a run on another host, which is dead")
    ] = False,
    corner: Annotated[
        Path | None, typer.Option(help="draw the corner plot into this file at the end")
    ] = None,
    likelihood: More = None,
    as_of: AsOf = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Sample the posterior: starts a chain, or continues the one that is there.

    Stops at the target (effective samples) or after --steps; Ctrl-C finishes the step and writes everything,
    and the same command goes on from there. Prints the summary at the end.
    """
    from globalfit.progress import ProgressLine

    if steps is not None and steps_more is not None:
        raise typer.BadParameter("--steps and --steps-more exclude each other")
    if fresh and steps_more is not None:
        raise typer.BadParameter("--fresh and --steps-more exclude each other")
    output = output or Path(fit.with_suffix(".h5").name)
    if corner is not None:
        from globalfit.chains.corner import check_output

        check_output(corner, overwrite=True)
    loaded = _load(fit, likelihood, as_of)
    for line in loaded.warnings:
        _say(f"note: {line}")
    console = _console(stderr=True)
    again: list[str | Path] = ["globalfit", "run", fit, "-o", output]
    given: dict[str, Any] = {"--steps": steps, "--target-ess": target_ess, "--as-of": as_of and as_of.date()}
    for word, value in given.items():
        again += [word, str(value)] if value is not None else []
    for each in likelihood or []:
        again += ["--likelihood", each]
    go_on = shlex.join(map(str, again))
    try:
        with ProgressLine(console, quiet=quiet) as line_:
            chain = loaded.run(
                output,
                steps=steps,
                steps_more=steps_more,
                target_ess=target_ess,
                fresh=fresh,
                sync=sync.value,
                break_lock=break_lock,
                progress=line_,
                notice=_say,
            )
    except KeyboardInterrupt:  # before the first step, or the second one of two
        if output.exists():
            _say(f"stopped at once; every step that was stored is kept. To go on: {go_on}")
        else:
            _say("interrupted before the first step; nothing was written")
        raise typer.Exit(130) from None
    if chain.interrupted:
        _say(f"interrupted; everything sampled is in {output}. To go on: {go_on}")
        raise typer.Exit(130)
    if not chain.verdict.converged:
        _say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
    _print_summary(chain, as_json, None)
    if corner is not None:
        from globalfit.chains.corner import save_corner

        save_corner([chain], corner, overwrite=True)
        _say(f"wrote {output} and {corner}")


@app.command()
def info(file: ChainPath, as_json: Json = False, debug: Debug = False) -> None:
    """Print what a chain file is: of which fit, by whom, how long, and whether a run is writing it."""
    from globalfit.chains.info import inspect_chain
    from globalfit.show import print_info

    found = inspect_chain(file)
    _print_json(found) if as_json else print_info(_console(), found)


@app.command()
def watch(
    file: ChainPath,
    every: Annotated[float, typer.Option(min=0.1, help="seconds between two looks")] = 2.0,
    debug: Debug = False,
) -> None:
    """Follow a run from another terminal: traces, ESS, time left, ln L per experiment; disturbs nothing."""
    from globalfit.chains.watch import follow
    from globalfit.show import view_table

    console = _console()
    try:
        if not console.is_terminal:
            for view in follow(file, every=every):
                console.print(view_table(view))
            return
        from rich.live import Live

        with Live(console=console, auto_refresh=False) as live:
            for view in follow(file, every=every):
                live.update(view_table(view), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def repair(
    file: ChainPath,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="new file; NAME.repaired.h5 by default")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Recover the steps before the first damage of a chain's journal into a new file; nothing is changed."""
    from globalfit.chains.repair import repair as repair_

    found = repair_(file, output)
    if as_json:
        _print_json({"file": str(found.path), "steps": found.steps, "bytes_left": found.lost})
        return
    print(f"{found.path}: {found.steps} steps recovered; {found.lost} bytes behind them left")


@app.command()
def summary(
    file: ChainPath, discard: Discard = None, names: Names = "", as_json: Json = False, debug: Debug = False
) -> None:
    """Print the verdict, medians with 68 and 95 % intervals, the best point and ln L per experiment."""
    from globalfit.chains.chain import Chain

    _print_summary(Chain.open(file, names=_words(names)), as_json, discard)


@app.command()
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
    names: Names = "",
    bins: Annotated[int, typer.Option(min=5, max=500, help="bins along each axis")] = 50,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the plot if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Draw the corner plot with 68 and 95 % regions; several chains are laid over each other."""
    from globalfit.chains.chain import Chain
    from globalfit.chains.corner import check_output, save_corner

    check_output(output, overwrite=overwrite)
    shown = _words(labels)
    if shown and len(shown) != len(files):
        raise typer.BadParameter(f"{len(shown)} --labels for {len(files)} files")
    chains = [Chain.open(file, names=_words(names)) for file in files]
    save_corner(
        chains, output, _words(parameters), overwrite=overwrite, labels=shown, discard=discard, bins=bins
    )
    _say(f"wrote {output}")


@app.command("new-likelihood")
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


@app.command("test-likelihood")
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
    _print_json([asdict(finding) for finding in found]) if as_json else print_findings(_console(), found)
    if not all(finding.passed for finding in found):
        raise typer.Exit(1)


build = typer.Typer(help="Build the shipped tables anew.", no_args_is_help=True)
app.add_typer(build, name="build")


@build.command("flavour")
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
    with _bars() as show:
        build_forms(output, show, draws=draws)
    _say(f"wrote {output}")


@build.command("beam")
def build_beam(
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write")] = Path("beam_tables.h5"),
    mesons: Annotated[int, typer.Option(min=1024, help="mesons drawn for each source")] = 2**17,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")] = False,
    debug: Debug = False,
) -> None:
    """Compute the tables of the beam experiments, from mesons to bins (half an hour)."""
    from globalfit.build.beam import build_tables
    from globalfit.errors import ModelError

    if output.exists() and not overwrite:
        raise ModelError(str(output), "exists", "choose another -o, or --overwrite")
    with _bars() as show:
        build_tables(output, show, n=mesons)
    _say(f"wrote {output}")


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on stderr, one a stage; yields ``show(stage, done, total)``."""
    from rich.progress import Progress

    with Progress(console=_console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield show


@app.callback(invoke_without_command=True)
def _globalfit(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        from globalfit import __version__

        print(__version__)
        raise typer.Exit


def _load(path: Path, likelihoods: list[str] | None, as_of: datetime.datetime | None) -> Any:
    from globalfit.fitfile import load_fit

    return load_fit(path, likelihoods=likelihoods or (), as_of=as_of.date() if as_of else None)


def _print_summary(chain: Any, as_json: bool, discard: int | None) -> None:
    from globalfit.chains.summary import summarise
    from globalfit.show import print_summary

    found = summarise(chain, discard=discard)
    _print_json(found.to_dict()) if as_json else print_summary(_console(), found)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # Tables are not cut to 80 columns where no terminal says how wide it is.
    return Console(stderr=stderr, width=None if stream.isatty() else 160)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> NoReturn:
    """Run the command; errors of the user's input take one line each and exit code 1."""
    debug = "--debug" in sys.argv
    # Batches of some hundred points are too small to share: a second BLAS thread only waits for the first.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        app()
    except FitErrors as errors:
        if debug:
            raise
        for problem in errors.problems:
            _say(f"error: {problem}")
    except GlobalfitError as error:
        if debug:
            raise
        _say(f"error: {error}")
    except BrokenPipeError:  # the reader of a pipe has gone
        sys.stderr.close()
    except MemoryError:
        _say("error: not enough memory; take fewer walkers or steps")
    sys.exit(1)
