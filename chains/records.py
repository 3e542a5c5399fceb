"""What a journal holds: its header, blocks of steps with the state after them, ends of stretches."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import ChainError
from globalfit.sampling.state import Block, Origin, State

_LENGTH = struct.Struct("<I")
_BLOCK, _SEGMENT = b"B", b"S"


@dataclass(frozen=True)
class Steps:
    """Some stored steps and the state after them.

    Attributes
    ----------
    values, log_prob, blobs, accepted
        As in `Block`; there may be no step, before a run.
    state : State
        Where the ensemble goes on.
    ensemble : int
        Its number.
    """

    values: Array
    log_prob: Array
    blobs: Array
    accepted: Array
    state: State
    ensemble: int = 0


def encode(block: Block, state: State, ensemble: int = 0, origin: Origin | None = None) -> bytes:
    """Return the bytes of an ensemble's block and the state after it.

    The state is the block's last step with the random numbers and the density in walker coordinates added;
    of the walker coordinates only the last are kept. `origin` goes with a first state only.
    """
    last = np.concatenate([block.blobs, block.values], axis=-1)[-1:]
    kept = state.blobs[None] if not _same(last, state.blobs[None]) else np.empty((0, *state.blobs.shape))
    arrays = (
        block.values, block.log_prob, block.blobs, block.accepted, state.coords, state.log_prob, kept,
    )  # fmt: skip
    kind, keys, position, has_gauss, cached = state.random
    head = {
        "shapes": [array.shape for array in arrays],
        "step": state.step,
        "random": [kind, position, has_gauss, cached.hex()],
        "keys": len(keys),
        "ensemble": ensemble,
    }
    proposal = b""
    if origin is not None:
        head["origin"], proposal = origin.words(), origin.proposal
    raw = (np.ascontiguousarray(array, dtype="<f8").data for array in arrays if array.size)
    return b"".join([_BLOCK, _worded(head), *raw, np.asarray(keys, dtype="<u4").tobytes(), proposal])


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and one.tobytes() == np.ascontiguousarray(other).tobytes()


def encode_start(state: State, blobs: int, accepted: Array, ensemble: int = 0) -> bytes:
    """Return the bytes of an ensemble's first state; `blobs` is their number a step and walker."""
    walkers, dim = state.coords.shape
    none = np.zeros((0, walkers, dim))
    block = Block(none, none, np.zeros((0, walkers)), np.zeros((0, walkers, blobs)), accepted)
    return encode(block, state, ensemble, state.origin)


def encode_segment(segment: dict[str, Any]) -> bytes:
    """Return the bytes of what is said of a stretch of a run when it ends."""
    return _SEGMENT + _worded(segment)


def encode_header(words: dict[str, Any], starts: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a journal's header: what the chain is, and the states from which it extends one."""
    return _worded(words | {"starts": [len(each) for each in starts]}) + b"".join(starts)


def decode_header(payload: bytes) -> tuple[dict[str, Any], list[Steps]]:
    """Return what the header says and the states in which the journal begins."""
    words, place = _read_words(payload, 0)
    starts = []
    for length in words.setdefault("starts", [len(payload) - place]):  # once there was always one
        found = decode(payload[place : place + length])
        if not isinstance(found, Steps):
            raise _no_record("its header holds no state")
        starts.append(found)
        place += length
    return words, starts


def stands_at(payload: bytes) -> tuple[int, int] | None:
    """Return the ensemble of a block and the step after it; None for another record."""
    if payload[:1] != _BLOCK:
        return None
    words, _ = _read_words(payload, 1)
    return int(words.get("ensemble", 0)), int(words["step"])


def decode(payload: bytes) -> Steps | dict[str, Any]:
    """Return the steps, bit for bit, or the segment that a record holds.

    Raises
    ------
    ChainError
        If the bytes are neither.
    """
    words, place = _read_words(payload, 1)
    if payload[:1] == _SEGMENT:
        return words
    if payload[:1] != _BLOCK:
        raise _no_record(f"kind {payload[:1]!r}")
    try:
        arrays = []
        for shape in words["shapes"]:
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(payload, "<f8", count, place).reshape(shape).copy())
            place += 8 * count
        keys = np.frombuffer(payload, "<u4", words["keys"], place).copy()
        values, log_prob, blobs, accepted, coords, density, kept = arrays
        last = kept[0] if len(kept) else np.concatenate([blobs[-1], values[-1]], axis=-1)
        kind, position, has_gauss, cached = words["random"]
        random = (str(kind), keys, int(position), int(has_gauss), float.fromhex(cached))
        origin = None
        if "origin" in words:
            origin = Origin(**words["origin"], proposal=payload[place + 4 * len(keys) :])
        state = State(coords, density, last, random, int(words["step"]), origin)
        return Steps(values, log_prob, blobs, accepted, state, int(words.get("ensemble", 0)))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _no_record(error) from error


def _worded(words: dict[str, Any]) -> bytes:
    text = json.dumps(words).encode()
    return _LENGTH.pack(len(text)) + text


def _read_words(payload: bytes, place: int) -> tuple[dict[str, Any], int]:
    try:
        (length,) = _LENGTH.unpack_from(payload, place)
        begin = place + _LENGTH.size
        words = json.loads(payload[begin : begin + length])
    except (ValueError, struct.error) as error:
        raise _no_record(error) from error
    if not isinstance(words, dict):
        raise _no_record("no table")
    return words, begin + length


def _no_record(why: object) -> ChainError:
    return ChainError("journal", f"a record is not a block of steps: {why}", "see 'globalfit repair'")
