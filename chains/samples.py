"""Where the samples of a chain are: arrays in memory, or a file that is read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import DAMAGE
from globalfit.chains.untrusted import LARGEST
from globalfit.errors import ChainError

PIECE = 32 << 20  # bytes read at once

Part: TypeAlias = Literal["values", "log_prob", "blobs"]
PARTS: tuple[Part, ...] = ("values", "log_prob", "blobs")
Place: TypeAlias = tuple[Part, int | str]  # the column of a parameter, or the field of a blob
Blobs: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Piece:
    """Some consecutive steps of a chain; a part that was not asked for is None.

    Attributes
    ----------
    begin : int
        First step.
    values : (n, walkers, dim)
    log_prob : (n, walkers)
    blobs : structured (n, walkers)
    """

    begin: int
    values: Any
    log_prob: Any
    blobs: Any

    def column(self, place: Place) -> Array:
        """Return one quantity (n, walkers)."""
        part, key = place
        if part == "values":
            found: Array = self.values[..., key]
        elif part == "log_prob":
            found = self.log_prob
        else:
            found = np.asarray(self.blobs[key], dtype=np.float64)
        return found


class Samples:
    """All steps of a chain, as pieces; the base of what is held and what is stored.

    Attributes
    ----------
    shape : tuple of int
        Steps, walkers, parameters.
    fields : tuple of str
        Of the blobs.
    """

    shape: tuple[int, int, int]
    fields: tuple[str, ...]

    def pieces(
        self, begin: int = 0, end: int | None = None, parts: Sequence[Part] = PARTS
    ) -> Iterator[Piece]:
        """Yield the steps from `begin` to `end` in order."""
        raise NotImplementedError

    @property
    def bytes(self) -> int:
        """Size of all samples in memory."""
        steps, walkers, dim = self.shape
        return 8 * steps * walkers * (dim + 1 + len(self.fields))

    def read(
        self,
        places: Sequence[Place],
        *,
        begin: int = 0,
        thin: int = 1,
        walkers: Sequence[int] | slice = slice(None),
    ) -> list[Array]:
        """Return quantities, each (steps, walkers), in one pass.

        The steps are the multiples of `thin` from `begin` on.
        """
        kept = range(-(-begin // thin) * thin, self.shape[0], thin)
        width = len(range(self.shape[1])[walkers] if isinstance(walkers, slice) else walkers)
        found = [np.empty((len(kept), width)) for _ in places]
        parts = [part for part in PARTS if any(part == place[0] for place in places)]
        at = 0
        for piece in self.pieces(kept.start if kept else self.shape[0], None, parts):
            first = -piece.begin % thin
            for column, place in zip(found, places, strict=True):
                rows = piece.column(place)[first::thin, walkers]
                column[at : at + len(rows)] = rows
            at += len(range(first, len(piece.column(places[0])), thin))
        return found

    def whole(self, part: Part) -> Any:
        """Return all of one part."""
        steps, walkers, dim = self.shape
        kind: Any = [(field, "f8") for field in self.fields] if part == "blobs" else "f8"
        found = np.empty((steps, walkers, dim) if part == "values" else (steps, walkers), dtype=kind)
        for piece in self.pieces(parts=(part,)):
            rows = getattr(piece, part)
            found[piece.begin : piece.begin + len(rows)] = rows
        return found


class Held(Samples):
    """Samples in memory.

    Parameters
    ----------
    values : (steps, walkers, dim)
    log_prob : (steps, walkers)
    blobs : structured (steps, walkers)
    """

    def __init__(self, values: Array, log_prob: Array, blobs: Blobs) -> None:
        self.values, self.log_prob, self.blobs = values, log_prob, blobs
        steps, walkers, dim = values.shape
        self.shape = (steps, walkers, dim)
        self.fields = tuple(blobs.dtype.names or ())

    def pieces(
        self, begin: int = 0, end: int | None = None, parts: Sequence[Part] = PARTS
    ) -> Iterator[Piece]:
        """Yield the steps in one piece."""
        part = slice(begin, end)
        if len(self.log_prob[part]):
            yield Piece(begin, self.values[part], self.log_prob[part], self.blobs[part])

    def whole(self, part: Part) -> Any:
        """Return all of one part, no copy."""
        return getattr(self, part)


class Stored(Samples):
    """Samples in a file, which stays open: a run that publishes anew replaces the file, never changes it.

    Parameters
    ----------
    file : h5py.File
        Open for reading without a lock; its layout was checked.
    where : str
        Its name in errors.
    steps : int
        Steps that are stored.
    """

    def __init__(self, file: h5py.File, where: str, steps: int) -> None:
        self.file, self._where = file, where
        mcmc = file["mcmc"]
        _, walkers, dim = mcmc["chain"].shape
        self.shape = (steps, walkers, dim)
        self._plain = 0  # blobs without names, by their number
        if "blobs" not in mcmc:
            self.fields = ()
        elif kind := mcmc["blobs"].dtype.names:
            numbers = mcmc["blobs"].dtype.fields
            self.fields = tuple(name for name in kind if numbers[name][0].kind in "fiub")
        else:
            self._plain = int(np.prod(mcmc["blobs"].shape[2:]))
            self.fields = tuple(f"blob{i}" for i in range(self._plain))
        self.row = {part: self._row(name) for part, name in NAMES.items() if name in mcmc}

    def _row(self, name: str) -> int:
        """Return the bytes of a step of a dataset."""
        dataset = self.file["mcmc"][name]
        return int(np.prod(dataset.shape[1:], dtype=object)) * int(dataset.dtype.itemsize)

    def pieces(
        self, begin: int = 0, end: int | None = None, parts: Sequence[Part] = PARTS
    ) -> Iterator[Piece]:
        """Yield the steps in pieces of whole chunks, as far as these fit into the memory of a piece."""
        end = self.shape[0] if end is None else min(end, self.shape[0])
        mcmc = self.file["mcmc"]
        row = max(1, sum(self.row.get(part, 0) for part in parts))
        chunks = [(mcmc[NAMES[part]].chunks or (1,))[0] for part in parts if NAMES[part] in mcmc]
        chunk = max(chunks, default=1)
        rows = max(1, min(max(PIECE // row // chunk * chunk, chunk), LARGEST // row))
        while begin < end:
            stop = min(end, (begin // rows + 1) * rows)
            try:
                found = {part: self._part(part, begin, stop) if part in parts else None for part in PARTS}
            except DAMAGE as error:
                raise ChainError(self._where, f"is damaged: {error}", "restore a copy") from error
            yield Piece(begin, found["values"], found["log_prob"], found["blobs"])
            begin = stop

    def _part(self, part: Part, begin: int, end: int) -> Any:
        mcmc = self.file["mcmc"]
        if part != "blobs":
            return mcmc[NAMES[part]][begin:end]
        kind = [(field, "f8") for field in self.fields]
        shape = (end - begin, self.shape[1])
        if not self.fields:
            return np.zeros(shape, dtype=kind)
        rows = mcmc["blobs"][begin:end]
        if not self._plain:
            return rows if rows.dtype.names == self.fields else rows[list(self.fields)]
        columns = np.ascontiguousarray(rows, dtype=np.float64).reshape(*shape, self._plain)
        return columns.view(kind)[..., 0]


NAMES: dict[Part, str] = {"values": "chain", "log_prob": "log_prob", "blobs": "blobs"}
