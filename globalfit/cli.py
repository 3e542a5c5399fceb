"""The ``globalfit`` command: which commands there are, and how their errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from globalfit.commands import (
    analysing,
    building,
    citing,
    comparing,
    exporting,
    fitting,
    inference,
    ledger,
    plugins,
    reading,
    reporting,
    running,
    validating,
)
from globalfit.commands.common import say
from globalfit.errors import FitErrors, GlobalfitError

app = typer.Typer(
    help="Bayesian global fits of light-mediator models to low-energy anomalies.\n\n"
    "Start with 'globalfit run fits/t3r-muon.toml --corner corner.png'; "
    "'globalfit list' shows what can be fitted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, Callable[..., None]] = {
    "list": fitting.list_,
    "show": fitting.show,
    "schema": fitting.schema,
    "check": fitting.check,
    "eval": fitting.eval_,
    "run": running.run,
    "info": running.info,
    "watch": running.watch,
    "repair": running.repair,
    "merge": running.merge,
    "summary": reading.summary,
    "corner": reading.corner,
    "report": reporting.report,
    "predict": reporting.predict,
    "leave-one-out": analysing.leave_one_out,
    "tension": analysing.tension,
    "reweight": analysing.reweight,
    "cite": citing.cite,
    "export": exporting.export,
    "evidence": inference.evidence,
    "optimum": inference.optimum,
    "profile": inference.profile,
    "calibrate": inference.calibrate,
    "compare": comparing.compare,
    "ledger": ledger.ledger,
    "vintages": ledger.vintages,
    "new-likelihood": plugins.new_likelihood,
    "test-likelihood": plugins.conformance,
    "validate": validating.validate,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)

build = typer.Typer(help="Build the shipped tables anew.", no_args_is_help=True)
app.add_typer(build, name="build")
build.command("flavour")(building.build_flavour)
build.command("beam")(building.build_beam)
build.command("dark-matter")(building.build_dark_matter)


@app.callback(invoke_without_command=True)
def _globalfit(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        from globalfit import __version__

        print(__version__)
        raise typer.Exit


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
            say(f"error: {problem}")
    except GlobalfitError as error:
        if debug:
            raise
        say(f"error: {error}")
    except BrokenPipeError:  # the reader of a pipe has gone
        sys.stderr.close()
    except MemoryError:
        say("error: not enough memory; take fewer walkers or steps")
    sys.exit(1)
