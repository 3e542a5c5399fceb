"""The optional compiler, numba: whether it is there, and the option with which a likelihood asks for it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from globalfit.errors import GlobalfitError, did_you_mean

Engine = Literal["auto", "numpy", "numba"]


@cache
def numba_is_installed() -> bool:
    """Return whether the optional compiler is there, without importing it."""
    return find_spec("numba") is not None


def is_compiled(engine: Engine) -> bool:
    """Return whether an engine is compiled code here."""
    return engine == "numba" or (engine == "auto" and numba_is_installed())


def check_engine(where: str, engine: str) -> None:
    """Refuse an engine that does not exist or is not installed.

    Raises
    ------
    GlobalfitError
        In the name of `where`.
    """
    if engine not in get_args(Engine):
        raise GlobalfitError(where, f"no engine '{engine}'", did_you_mean(engine, get_args(Engine)))
    if engine == "numba" and not numba_is_installed():
        raise GlobalfitError(
            where, "engine 'numba' is not installed", "pip install 'globalfit[numba]', or use 'numpy'"
        )


@cache
def forget_stale(folder: Path, *sources: Path) -> None:
    """Delete what numba has kept of compiled code in a folder if any of the sources has changed.

    Numba notices when the file of a function changes, not when one does that it calls or takes a constant
    from, and would go on with the old code. Read-only installations do not change and are left alone.
    Sources are files, or folders of them.
    """
    kept = folder / "__pycache__"
    mark, digest = kept / "compiled.sha256", _digest(sources)
    try:
        if mark.is_file() and mark.read_text() == digest:
            return
        for old in kept.glob("*.nb?"):
            old.unlink(missing_ok=True)
        kept.mkdir(exist_ok=True)
        mark.write_text(digest)
    except OSError:
        return


@cache
def _digest(sources: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    for source in sources:
        for each in sorted(source.rglob("*.py")) if source.is_dir() else (source,):
            total.update(each.read_bytes())
    return total.hexdigest()
