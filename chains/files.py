"""Opening HDF5 files that another process may hold: wait a little, and say in one line what is wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import h5py

from globalfit.errors import ChainError

DAMAGE = (KeyError, OSError, ValueError, RuntimeError, AttributeError, TypeError)  # what h5py and json raise


@contextlib.contextmanager
def open_file(path: Path, mode: str, patience: float, remedy: str) -> Iterator[h5py.File]:
    """Open an HDF5 file; wait up to `patience` seconds while another process holds it.

    Raises
    ------
    ChainError
        If it is held for longer, cannot be opened, or turns out to be damaged while it is used; `remedy`
        says what to do in the last two cases.
    """
    end = time.monotonic() + patience
    while True:
        try:
            file = h5py.File(path, mode)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                problem = "is held open by another program"
                raise ChainError(str(path), problem, "close it there and try again") from None
            time.sleep(0.05)
        except OSError as error:
            raise ChainError(str(path), f"cannot be opened as a chain: {error}", remedy) from None
    with file:
        if "globalfit" not in file or "mcmc" not in file:
            raise ChainError(str(path), "is not a globalfit chain", remedy)
        try:
            yield file
        except DAMAGE as error:
            raise ChainError(str(path), f"is damaged: {error}", remedy) from error
