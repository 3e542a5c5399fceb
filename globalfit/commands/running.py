"""Commands that run a fit, follow it, and mend what a crash left."""

from __future__ import annotations

import shlex
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from globalfit.commands.common import (
    AsOf,
    ChainPath,
    Debug,
    FitPath,
    Json,
    More,
    console,
    load,
    print_json,
    print_summary,
    say,
)


class EngineName(StrEnum):
    """Who samples."""

    serial = "serial"
    processes = "processes"
    dask = "dask"


class Sync(StrEnum):
    """When stored steps are forced to the disk."""

    step = "step"
    second = "second"
    none = "none"


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
    ensembles: Annotated[
        int | None, typer.Option(min=1, max=1000, help="independent ensembles, in place of the fit's number")
    ] = None,
    only_ensemble: Annotated[
        int | None, typer.Option(help="sample this one alone, counted from 0; see 'globalfit merge'")
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="who samples; it changes no bit of the chain. By default processes on all cores, if several "
            "ensembles can share them"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="worker processes; as many as cores by default")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="address of a dask scheduler")] = None,
    scheduler_file: Annotated[
        Path | None, typer.Option(help="file in which a dask scheduler left its address")
    ] = None,
    accept_version_change: Annotated[
        bool, typer.Option("--accept-versions", help="continue a chain made with other packages")
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
    from globalfit.sampling.engines.engine import fitting

    if steps is not None and steps_more is not None:
        raise typer.BadParameter("--steps and --steps-more exclude each other")
    if fresh and steps_more is not None:
        raise typer.BadParameter("--fresh and --steps-more exclude each other")
    output = output or Path(fit.with_suffix(".h5").name)
    if corner is not None:
        from globalfit.chains.corner import check_output

        check_output(corner, overwrite=True)
    loaded = load(fit, likelihood, as_of)
    for line in loaded.warnings:
        say(f"note: {line}")
    again: list[str | Path] = ["globalfit", "run", fit, "-o", output]
    given: dict[str, Any] = {
        "--steps": steps,
        "--target-ess": target_ess,
        "--ensembles": ensembles,
        "--only-ensemble": only_ensemble,
        "--engine": engine and engine.value,
        "--workers": workers,
        "--scheduler": scheduler,
        "--scheduler-file": scheduler_file,
        "--as-of": as_of and as_of.date(),
    }
    for word, value in given.items():
        again += [word, str(value)] if value is not None else []
    for each in likelihood or []:
        again += ["--likelihood", each]
    go_on = shlex.join(map(str, again))
    if ensembles is not None:
        loaded = loaded.with_ensembles(ensembles)
    named = engine and engine.value
    if not (named or workers or scheduler or scheduler_file) and only_ensemble is None:
        named = fitting(loaded)
    try:
        with ProgressLine(console(stderr=True), quiet=quiet) as line_:
            chain = loaded.run(
                output,
                steps=steps,
                steps_more=steps_more,
                target_ess=target_ess,
                fresh=fresh,
                sync=sync.value,
                break_lock=break_lock,
                only_ensemble=only_ensemble,
                engine=named,
                workers=workers,
                scheduler=scheduler,
                scheduler_file=scheduler_file,
                accept_version_change=accept_version_change,
                progress=line_,
                notice=say,
            )
    except KeyboardInterrupt:  # before the first step, or the second one of two
        from globalfit.chains.places import journal_of

        if debug:
            traceback.print_exc()
        if output.exists():
            say(f"stopped at once; every step that was stored is kept. To go on: {go_on}")
        elif journal_of(output).exists():
            say(f"interrupted before the first step; what has begun is kept. To go on: {go_on}")
        else:
            say("interrupted before the first step; nothing was written")
        raise typer.Exit(130) from None
    if chain.interrupted:
        say(f"interrupted; everything sampled is in {output}. To go on: {go_on}")
        raise typer.Exit(130)
    if not chain.verdict.converged:
        say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
    print_summary(chain, as_json, None)
    if corner is not None:
        from globalfit.chains.corner import save_corner

        save_corner([chain], corner, overwrite=True)
        say(f"wrote {output} and {corner}")


def info(file: ChainPath, as_json: Json = False, debug: Debug = False) -> None:
    """Print what a chain file is: of which fit, by whom, how long, and whether a run is writing it."""
    from globalfit.chains.info import inspect_chain
    from globalfit.show import print_info

    found = inspect_chain(file)
    print_json(found) if as_json else print_info(console(), found)


def watch(
    file: ChainPath,
    every: Annotated[float, typer.Option(min=0.1, help="seconds between two looks")] = 2.0,
    debug: Debug = False,
) -> None:
    """Follow a run from another terminal: traces, ESS, time left, ln L per experiment; disturbs nothing."""
    from globalfit.chains.watch import follow
    from globalfit.show import view_table

    screen = console()
    try:
        if not screen.is_terminal:
            for view in follow(file, every=every):
                screen.print(view_table(view))
            return
        from rich.live import Live

        with Live(console=screen, auto_refresh=False) as live:
            for view in follow(file, every=every):
                live.update(view_table(view), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


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
        told = {"file": str(found.path), "steps": found.steps, "bytes_left": found.lost}
        print_json(told | {"published_steps": found.published})
        return
    print(f"{found.path}: {found.steps} steps recovered; {found.lost} bytes behind them left")
    if found.published > found.steps:
        chain, journal = file.with_suffix(".h5"), file.with_suffix(".journal")
        print(f"{chain}, as it was published, holds {found.published}: 'globalfit run' goes on from these if "
              f"'{journal}' is moved away")  # fmt: skip


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="chain files of one fit")],
    output: Annotated[Path, typer.Option("-o", "--output", help="new chain file")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Put chains of one fit together, each of another ensemble (run --only-ensemble); nothing is changed."""
    from globalfit.chains.merge import merge as merge_

    found = merge_(files, output, notice=say)
    if as_json:
        print_json({"file": str(found.path), "steps": found.steps, "ensembles": list(found.ensembles)})
        return
    print(f"{found.path}: {found.steps} steps of ensembles {', '.join(map(str, found.ensembles))}")
