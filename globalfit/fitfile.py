"""From a TOML file to a Fit: every problem is found and reported together, one line each."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from globalfit.assembly import assemble
from globalfit.errors import FitError, FitErrors
from globalfit.fit import Fit
from globalfit.tables import FitTable, read_table

MAX_BYTES = 1_000_000


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
    text = _read(path)
    table = read_table(FitTable, _parse(path, text), str(path))
    return assemble(path, text, table, likelihoods, as_of)


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
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refuse(path, f"is not valid TOML: {error}", "correct the syntax there") from None
    except RecursionError:
        raise _refuse(path, "is nested too deeply", "a fit file has at most four levels") from None
