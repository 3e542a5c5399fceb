"""A run without steps, seen from outside: its journal stands there, its file does not, or is empty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from globalfit.chains.files import open_file
from globalfit.chains.journal import Scan, scan
from globalfit.chains.lock import writer_of
from globalfit.chains.places import journal_of, lock_of, start_of
from globalfit.chains.records import decode_header, stands_at
from globalfit.chains.starting import read_head


@dataclass(frozen=True)
class Start:
    """How far the starts of a run have come.

    Attributes
    ----------
    header : dict
        What the journal says of the fit.
    of : int
        Number of ensembles of the fit.
    reached : dict of int to (int, float) or None
        Stage and beta of each ensemble, counted from 0, that has not begun; None before its first draws, or
        if its start is damaged or made at once.
    seconds_left : float
        As the run estimated it last; nan if it could not, or nobody writes it.
    writing : bool
        Whether a run goes on.
    """

    header: dict[str, Any]
    of: int
    reached: dict[int, tuple[int, float] | None]
    seconds_left: float
    writing: bool


def find_start(path: Path) -> Start | None:
    """Return how far a run is that has published nothing yet; None without one.

    Raises
    ------
    ChainError
        If its journal is damaged.
    """
    writing = bool(writer_of(lock_of(path)))
    if path.exists() and not _is_empty(path):
        return None
    try:
        found = scan(journal_of(path))
        header, _ = decode_header(found.header)
        begun = _begun(journal_of(path), found)
    except FileNotFoundError:  # there is none, or the run has just ended
        return None
    reached: dict[int, tuple[int, float] | None] = {}
    last, seconds_left = 0.0, math.nan
    for k in header["ensembles"]:
        if k in begun:
            continue
        reached[k] = None
        try:
            head, written = read_head(start_of(path, k)), start_of(path, k).stat().st_mtime
        except FileNotFoundError:
            continue
        if head is not None:
            reached[k] = (head.stage, head.beta)
            if written > last:
                last, seconds_left = written, head.seconds_left
    if not reached and not path.exists():  # 'globalfit run' rebuilds it
        return None
    of = header["resolved"]["sampler"].get("ensembles", 1)
    return Start(header, of, reached, seconds_left if writing else math.nan, writing)


def _is_empty(path: Path) -> bool:
    """Return whether a chain file holds no step, though all ensembles have begun."""
    with open_file(path, "name a chain", foreign=True) as file:
        return "globalfit" in file and int(file["mcmc"].attrs["iteration"]) == 0


def _begun(journal: Path, found: Scan) -> set[int]:
    """Return the ensembles that have a first state."""
    begun = set()
    with journal.open("rb") as file:
        for place, length in found.places:
            file.seek(place)
            if stands := stands_at(file.read(length)):
                begun.add(stands[0])
    return begun
