"""Whether what stands at a path may be continued: same fit, same ensembles, same packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globalfit.errors import ChainError
from globalfit.identity import differences, fingerprint, identifying, versions

if TYPE_CHECKING:
    from globalfit.fit import Fit

ASIDE = "choose another -o, or --fresh to move it aside"


def refuse_other_fit(path: Path, stored: dict[str, Any], fit: Fit) -> None:
    """Refuse the chain of another fit.

    Raises
    ------
    ChainError
        With the keys that differ.
    """
    if fingerprint(stored) != fit.fingerprint:
        changed = differences(identifying(stored), identifying(fit.resolved)) or ["schema"]
        raise ChainError(
            str(path),
            f"is the chain of another fit ({'; '.join(changed)})",
            "undo the change, choose another -o, or --fresh to move it aside",
        )


def refuse_other_ensembles(path: Path, stored: Sequence[int], wanted: Sequence[int]) -> None:
    """Refuse a chain of other ensembles than are wanted.

    Raises
    ------
    ChainError
        With both.
    """
    if tuple(stored) != tuple(wanted):
        problem = f"holds {shown(stored)}, and {shown(wanted)} is wanted"
        raise ChainError(str(path), problem, "see 'globalfit merge', or choose another -o")


def shown(ensembles: Sequence[int]) -> str:
    """Return ensembles by number, for people."""
    if len(ensembles) == 1:
        return f"ensemble {ensembles[0]}"
    if tuple(ensembles) == tuple(range(ensembles[0], ensembles[-1] + 1)):
        return f"ensembles {ensembles[0]} to {ensembles[-1]}"
    return f"ensembles {', '.join(map(str, ensembles))}"


def other_versions(environment: dict[str, str], segments: Sequence[dict[str, Any]]) -> list[str]:
    """Return ``package was, now is`` for each package whose version a chain was not made with.

    A segment in which other versions were accepted says so.
    """
    known = dict(environment)
    for segment in segments:
        known |= segment.get("versions", {})
    return [f"{name} {known[name]}, now {version}" for name, version in versions().items()
            if known.get(name, version) != version]  # fmt: skip


def refuse_other_versions(path: Path, changed: Sequence[str]) -> None:
    """Refuse to go on with other packages.

    Raises
    ------
    ChainError
        With their names and versions.
    """
    if changed:
        raise ChainError(
            str(path),
            f"was made with {'; '.join(changed)}",
            "install the former, or --accept-versions: the bits of the chain may change from there",
        )
