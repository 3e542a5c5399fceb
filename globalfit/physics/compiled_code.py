"""The optional compiler, numba: whether it is there, and the option with which a likelihood asks for it."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
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
