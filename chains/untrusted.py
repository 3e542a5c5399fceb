"""What a chain file may hold: it may come from anywhere, and reading it must touch nothing but itself."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from globalfit.errors import ChainError

MAX_BYTES = 4 << 30  # of samples that one call may put into memory
LARGEST = 256 << 20  # bytes of a step, of a block of the file, and of all that is not samples
RATIO = 2000  # declared bytes per byte of the file; gzip gives at most about 1000
OBJECTS = 10_000
FIT = "ask where the file comes from"


def admit(file: h5py.File, where: str, size: int) -> None:
    """Refuse a file that reaches outside itself or declares more than it can hold.

    Links may only be hard; datasets have to be stored in the file, of numbers or fixed-length strings. At
    most 2000 times the file's `size` may be declared in all, and 256 MiB in a block that has to be read as a
    whole or outside ``/mcmc``. The samples themselves are read in pieces and may be longer than the memory.

    Raises
    ------
    ChainError
        With what is wrong.
    """
    seen: set[bytes] = set()
    declared = outside = 0
    groups = [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            place = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                kind = type(link).__name__
                raise ChainError(where, f"'{place}' is a link ({kind}) and may lead out of the file", FIT)
            item = group[name]
            token = repr(h5py.h5o.get_info(item.id).addr).encode()
            if token in seen:
                raise ChainError(where, f"'{place}' is a second name of another object", FIT)
            seen.add(token)
            if len(seen) > OBJECTS:
                raise ChainError(where, f"holds more than {OBJECTS} objects", FIT)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                bytes_ = _dataset(item, where, place)
                declared += bytes_
                outside += 0 if place.startswith("/mcmc/") else bytes_
    if declared > RATIO * size:
        raise ChainError(
            where, f"declares {declared} bytes in a file of {size}; {RATIO * size} are accepted", FIT
        )
    if outside > LARGEST:
        raise ChainError(where, f"declares {outside} bytes beside its samples; {LARGEST} are accepted", FIT)


def _dataset(dataset: h5py.Dataset, where: str, place: str) -> int:
    """Return the bytes a dataset declares."""
    if dataset.external or dataset.is_virtual:
        raise ChainError(where, f"'{place}' takes its data from other files", FIT)
    if dataset.shape is None or not _plain(dataset.dtype):
        raise ChainError(where, f"'{place}' has the type {dataset.dtype}; only numbers and fixed texts", FIT)
    block = int(np.prod(dataset.chunks or (0,), dtype=object)) * int(dataset.dtype.itemsize)
    if block > LARGEST:
        raise ChainError(where, f"'{place}' has blocks of {block} bytes; {LARGEST} are accepted", FIT)
    return int(np.prod(dataset.shape, dtype=object)) * int(dataset.dtype.itemsize)


def _plain(kind: np.dtype[Any]) -> bool:
    if kind.names:
        return all(_plain(kind[name]) for name in kind.names)
    base = kind.subdtype[0] if kind.subdtype else kind
    return base.kind in "fiuSb" and h5py.check_ref_dtype(base) is None


def check_chain(mcmc: h5py.Group, where: str) -> int:
    """Check the layout of an ensemble chain; return the number of its steps.

    Raises
    ------
    ChainError
        If its parts are missing, are not float64, disagree in their shapes, or claim more than is there.
    """
    for name in ("chain", "log_prob", "accepted"):
        if not isinstance(mcmc.get(name), h5py.Dataset):
            raise ChainError(where, f"is damaged: 'mcmc/{name}' is missing", "restore a copy")
        if mcmc[name].dtype != np.dtype("f8"):
            raise ChainError(where, f"'mcmc/{name}' has the type {mcmc[name].dtype}, not float64", FIT)
    shape = mcmc["chain"].shape
    if len(shape) != 3 or 0 in shape[1:]:
        raise ChainError(where, f"'mcmc/chain' has the shape {shape}; (steps, walkers, parameters)", FIT)
    shapes = {"log_prob": (2, shape[:2]), "accepted": (1, shape[1:2])}
    if "blobs" in mcmc:
        shapes["blobs"] = (2, shape[:2])
    if "walker_ensemble" in mcmc:
        shapes["walker_ensemble"] = (1, shape[1:2])
        if mcmc["walker_ensemble"].dtype.kind not in "iu":
            kind = mcmc["walker_ensemble"].dtype
            raise ChainError(where, f"'mcmc/walker_ensemble' has the type {kind}, which counts nothing", FIT)
    for name, (axes, expected) in shapes.items():
        if mcmc[name].shape[:axes] != expected:
            raise ChainError(where, f"'mcmc/{name}' has the shape {mcmc[name].shape} beside {shape}", FIT)
    row = sum(
        int(np.prod(mcmc[name].shape[1:], dtype=object)) * int(mcmc[name].dtype.itemsize)
        for name in ("chain", "log_prob", "blobs")
        if name in mcmc
    )
    if row > LARGEST:
        raise ChainError(where, f"has steps of {row} bytes; {LARGEST} are accepted", FIT)
    walkers = mcmc.attrs.get("nwalkers", shape[1])
    if walkers != shape[1]:
        raise ChainError(where, f"says nwalkers = {walkers} and holds {shape[1]}", FIT)
    steps = mcmc.attrs.get("iteration")
    if isinstance(steps, bool | np.bool_) or not isinstance(steps, int | np.integer):
        raise ChainError(where, f"says iteration = {steps!r}, which is no number of steps", FIT)
    if not 0 <= steps <= shape[0]:
        raise ChainError(where, f"says iteration = {steps} and holds {shape[0]} steps", FIT)
    return int(steps)
