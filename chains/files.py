"""Opening chain files: nothing that another process does is disturbed, and what is wrong takes one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from globalfit.chains.untrusted import admit
from globalfit.errors import ChainError

SCHEMA = 1  # of the layout of chain files
DAMAGE = (KeyError, OSError, ValueError, RuntimeError, AttributeError, TypeError)  # what h5py and json raise


@contextlib.contextmanager
def open_file(path: Path, remedy: str, *, foreign: bool = False, keep: bool = False) -> Iterator[h5py.File]:
    """Open a chain file for reading, without a lock: published files are replaced, never changed.

    With `foreign`, a chain of emcee alone is accepted; with `keep`, the file stays open unless there is an
    error.

    Raises
    ------
    ChainError
        If it cannot be opened, is not safe to read, or turns out to be damaged while it is used; `remedy`
        says what to do.
    """
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise ChainError(str(path), f"cannot be opened as a chain: {error}", remedy) from None
    try:
        admit(file, str(path), path.stat().st_size)
        if "mcmc" not in file or not (foreign or "globalfit" in file):
            raise ChainError(str(path), "is not a globalfit chain", remedy)
        schema = int(file["globalfit"].attrs.get("schema", SCHEMA)) if "globalfit" in file else SCHEMA
        if schema > SCHEMA:
            problem = f"was written by a newer globalfit (layout {schema} of chain files)"
            raise ChainError(str(path), problem, "upgrade globalfit")
        yield file
    except BaseException as error:
        file.close()
        if isinstance(error, DAMAGE):
            raise ChainError(str(path), f"is damaged: {error}", remedy) from error
        raise
    if not keep:
        file.close()
