"""What the commands share: words of the command line, loading a fit, printing."""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

FitPath = Annotated[Path, typer.Argument(metavar="FIT", help="fit file (TOML)")]
ChainPath = Annotated[Path, typer.Argument(metavar="FILE", help="chain file (HDF5), the -o of a run")]
FitFile = Annotated[
    Path | None,
    typer.Option("--fit", help="the fit file; needed where a likelihood is a loose file, file.py:Class"),
]
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
Thin = Annotated[int | None, typer.Option(min=1, help="take every n-th step only")]


def load(path: Path, likelihoods: list[str] | None, as_of: datetime.datetime | None) -> Any:
    """Return the fit of a file, with more likelihoods or another date."""
    from globalfit.fitfile import load_fit

    return load_fit(path, likelihoods=likelihoods or (), as_of=as_of.date() if as_of else None)


def print_summary(chain: Any, as_json: bool, discard: int | None, as_latex: bool = False) -> None:
    """Print the summary of a chain."""
    from globalfit.analysis.reading import latex, print_banner, print_experiments, reading
    from globalfit.chains.summary import summarise
    from globalfit.show import print_summary

    found = summarise(chain, discard=discard)
    if as_latex:
        print(latex(chain, found))
        return
    more = reading(chain, discard)
    if as_json:
        print_json(found.to_dict() | more.to_dict())
        return
    out = console()
    print_summary(out, found, lambda out: print_banner(out, more))
    print_experiments(out, more)


def words(text: str) -> list[str]:
    """Return the words of a comma-separated option."""
    return [word.strip() for word in text.split(",") if word.strip()]


def print_json(value: Any) -> None:
    """Print JSON, strict."""
    print(json.dumps(value, indent=2, allow_nan=False))


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout, or stderr."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # Tables are not cut to 80 columns where no terminal says how wide it is.
    return Console(stderr=stderr, width=None if stream.isatty() else 160)


def say(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr)


@contextlib.contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on stderr, one a stage; yields ``show(stage, done, total)``."""
    from rich.progress import Progress

    with Progress(console=console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield show
