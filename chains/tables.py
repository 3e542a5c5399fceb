"""Tables and texts in HDF5 without variable-length types: what any HDF5 reader of any age can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

Row = dict[str, Any]


def write_table(
    group: h5py.Group, name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> None:
    """Write rows of strings and numbers as a compound dataset; strings are fixed-length UTF-8."""
    encoded = [
        [v.encode() if isinstance(v, str) else v for v in (row[column] for column in columns)] for row in rows
    ]
    kinds: list[tuple[str, Any]] = []
    for i, column in enumerate(columns):
        cells = [row[i] for row in encoded]
        text = any(isinstance(cell, bytes) for cell in cells) or not cells
        kinds.append((column, f"S{max([len(cell) for cell in cells if cell] or [1])}" if text else "f8"))
    group.create_dataset(name, data=np.array([tuple(row) for row in encoded], dtype=kinds))


def read_table(group: h5py.Group, name: str) -> list[Row]:
    """Read what `write_table` wrote."""
    data = group[name][()]
    return [
        {
            column: cell.decode() if isinstance(cell := row[column], bytes) else float(cell)
            for column in data.dtype.names
        }
        for row in data
    ]


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write a text as one fixed-length UTF-8 string, replacing what was there."""
    if name in group:
        del group[name]
    raw = text.encode() or b" "
    group.create_dataset(name, data=np.array(raw, dtype=h5py.string_dtype("utf-8", len(raw))))


def read_text(group: h5py.Group, name: str) -> str:
    """Read what `write_text` wrote."""
    raw: bytes = group[name][()]
    return raw.decode()
