"""From a TOML file to a Fit: every problem is found and reported together, one line each."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from globalfit.assembly import assemble
from globalfit.errors import FitError, FitErrors
from globalfit.fit import Fit, Recipe
from globalfit.refusals import bare
from globalfit.tables import FitTable, read_table

MAX_BYTES = 1_000_000
MAX_DEPTH = 32


def load_fit(path: str | Path, *, likelihoods: Sequence[str] = (), as_of: datetime.date | None = None) -> Fit:
    """Read a fit file.

    Parameters
    ----------
    path : path
        The TOML file.
    likelihoods : sequence of str
        More likelihoods, by plug-in name or as ``file.py:Class``.
    as_of : datetime.date, optional
        Overrides the file's ``data.as_of``.

    Returns
    -------
    Fit

    Raises
    ------
    FitErrors
        With one line for each problem of the file.
    """
    path = Path(path)
    return read_fit(path, _read(path), tuple(likelihoods), as_of)


def read_fit(
    path: Path, text: str, likelihoods: tuple[str, ...] = (), as_of: datetime.date | None = None
) -> Fit:
    """Return the fit of a text as it would stand at `path`; see `load_fit`."""
    table = read_table(FitTable, _parse(path, text), str(path))
    fit = assemble(path, text, table, likelihoods, as_of)
    return replace(fit, recipe=Recipe(path, text, likelihoods, as_of))


def _refuse(path: Path, problem: str, remedy: str = "") -> FitErrors:
    return FitErrors([FitError(str(path), problem, remedy)])


def _read(path: Path) -> str:
    if path.is_dir():
        raise _refuse(path, "is a directory", "name a fit file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refuse(path, f"does not exist (looked in {Path.cwd()})", "check the path") from None
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror}", "check its permissions") from None
    if len(raw) > MAX_BYTES:
        raise _refuse(path, f"is larger than {MAX_BYTES} bytes", "a fit file is a short TOML file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refuse(path, f"is not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    if "\0" in text:
        raise _refuse(path, f"holds a NUL byte (at {text.index(chr(0))})", "a fit file is a TOML text file")
    if not text.strip():
        raise _refuse(path, "is empty", "it needs model, [parameters.NAME] and [likelihoods.NAME]")
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FitErrors([_syntax(path, text, str(error))]) from None
    except RecursionError:
        table = None
    except ValueError:  # Python reads integers of up to 4300 digits
        raise _refuse(path, "holds a number of thousands of digits", "shorten it") from None
    if table is None or _deep(table):
        raise _refuse(path, "is nested too deeply", "a fit file has at most four levels")
    return table


def _deep(table: dict[str, Any]) -> bool:
    """Return whether tables or lists stand in each other more than MAX_DEPTH times."""
    level: list[Any] = [table]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def _syntax(path: Path, text: str, message: str) -> FitError:
    """Tell a syntax error: where, what, and what is usually the reason."""
    place = re.search(r" \(at (line (\d+), column \d+|end of document)\)$", message)
    where, said = str(path), message
    if place:
        where, said = f"{path} {place[1]}", message[: place.start()]
    twice = re.fullmatch(r"Cannot (?:declare|mutate immutable namespace) \((.*?),?\)(?: twice)?", said)
    if twice and said.endswith("twice"):
        table = ".".join(bare(key.strip("' ")) for key in twice[1].split("',"))
        return FitError(where, f"[{table}] stands twice", "put all its keys below one of the two")
    if said == "Cannot overwrite a value" and place and place[2]:
        key = text.splitlines()[int(place[2]) - 1].partition("=")[0].strip()
        return FitError(where, f"'{key}' is given twice", "keep one of the two")
    if said == "Illegal character '\\n'":
        return FitError(where, "a quote is not closed", "close it on the same line")
    said = f"{said[:1].lower()}{said[1:]}"
    if said == "invalid value":
        return FitError(where, said, "strings stand in quotes, true and false in lower case")
    return FitError(where, f"is not valid TOML: {said}", "correct the syntax there")
