"""Problems of a fit file, collected so that they can be reported together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from globalfit.errors import FitError, FitErrors, GlobalfitError
from globalfit.refusals import place

T = TypeVar("T")


class Problems:
    """All that is wrong with the fit file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[GlobalfitError] = []

    def at(self, *tables: str) -> str:
        """Return the place ``fit.toml [table.table]``."""
        return place(str(self.path), tables)

    def refuse(self, where: str, problem: str, remedy: str) -> None:
        """Add one problem."""
        self.found.append(FitError(where, problem, remedy))

    def attempt(self, work: Callable[..., T], *arguments: Any) -> T | None:
        """Return ``work(*arguments)``, or None after adding the problems it raised."""
        try:
            return work(*arguments)
        except FitErrors as errors:
            self.found += errors.problems
        except GlobalfitError as error:
            self.found.append(error)
        return None

    def stop(self) -> None:
        """Raise all problems, if there are any."""
        if self.found:
            raise FitErrors(self.found)
