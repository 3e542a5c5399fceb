"""Tempered starts beside the journal: a file an ensemble, written anew at each stage, checksummed.

It is gone once the first state of its ensemble stands in the journal. A start is the same whenever it is
made, so that a damaged file costs time alone.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from globalfit.chains.journal import only_payload, record, sync_folder, write_whole
from globalfit.chains.places import journal_of, start_of, starts_of
from globalfit.errors import ChainError
from globalfit.sampling.population import Population

MAGIC = b"GFSTRT01"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Head:
    """How far the start of an ensemble has come.

    Attributes
    ----------
    fingerprint, seed, ensemble
        Whose it is.
    stage, beta
        Of its population.
    seconds_left : float
        Until all ensembles of the run have begun, as it was estimated then; nan if it was not.
    """

    fingerprint: str
    seed: int
    ensemble: int
    stage: int
    beta: float
    seconds_left: float


def write_start(path: Path, head: Head, population: Population) -> None:
    """Write the start of an ensemble of the chain at `path`, replacing its former stage at once.

    Raises
    ------
    OSError
        If it cannot be written; the former stage stands.
    """
    left = head.seconds_left
    words = json.dumps(vars(head) | {"seconds_left": left if math.isfinite(left) else None}).encode()
    payload = _LENGTH.pack(len(words)) + words + population.to_bytes()
    write_whole(start_of(path, head.ensemble), MAGIC + record(0, payload))


def remove_start(path: Path, ensemble: int) -> None:
    """Remove the start of an ensemble that has begun."""
    start = start_of(path, ensemble)
    if start.exists():
        start.unlink()
        sync_folder(start.resolve().parent)


def read_head(file: Path) -> Head | None:
    """Return what a start says of itself; None if it is damaged.

    Raises
    ------
    FileNotFoundError
        If the ensemble has begun meanwhile.
    """
    found = _read(file)
    return found and found[0]


def read_starts(
    path: Path, fingerprint: str, seed: int, missing: Sequence[int]
) -> tuple[dict[int, Population], list[str]]:
    """Return the starts of ensembles that have not begun, and a notice for each that is damaged.

    Parameters
    ----------
    path : Path
        The chain.
    fingerprint, seed
        Of the fit that its journal belongs to.
    missing : sequence of int
        Ensembles that have not begun.

    Raises
    ------
    ChainError
        If a start belongs to another fit.
    """
    populations, notices = {}, []
    for k in missing:
        file = start_of(path, k)
        if not file.exists():
            continue
        if (found := _read(file)) is None:
            notices.append(f"{file}: is damaged; ensemble {k} begins anew, with the same result")
            continue
        head, populations[k] = found
        if (head.fingerprint, head.seed, head.ensemble) != (fingerprint, seed, k):
            problem = "is not the start of the fit whose journal stands beside it"
            raise ChainError(str(file), problem, "move it away, or --fresh to move all aside")
    return populations, notices


def refuse_strays(path: Path) -> None:
    """Refuse starts that have lost their journal.

    Raises
    ------
    ChainError
        If there is one.
    """
    for file in starts_of(path):
        problem = f"stands there without its journal '{journal_of(path).name}'"
        raise ChainError(str(file), problem, "bring that back, or --fresh to move it aside")


def _read(file: Path) -> tuple[Head, Population] | None:
    try:
        data = file.read_bytes()
    except PermissionError as error:
        raise ChainError(str(file), f"cannot be read: {error.strerror}", "check its rights") from None
    payload = only_payload(data[len(MAGIC) :]) if data[: len(MAGIC)] == MAGIC else None
    if payload is None:
        return None
    try:
        (length,) = _LENGTH.unpack_from(payload)
        end = _LENGTH.size + length
        words: dict[str, Any] = json.loads(payload[_LENGTH.size : end])
        left = words.pop("seconds_left")
        head = Head(**words, seconds_left=math.nan if left is None else left)
        return head, Population.from_bytes(payload[end:])
    except (ValueError, KeyError, TypeError, struct.error, zipfile.BadZipFile):  # by another version
        return None
