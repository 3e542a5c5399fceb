"""Blocks of steps and the state behind them as bytes: the payload of a journal's records."""

from __future__ import annotations

import json
import struct
from dataclasses import fields

import numpy as np

from globalfit.errors import ChainError
from globalfit.sampling.state import Block, State

_LENGTH = struct.Struct("<I")
_BLOCK = tuple(field.name for field in fields(Block))
_STATE = ("coords", "log_prob", "blobs", "described")


def encode(block: Block, state: State) -> bytes:
    """Return the bytes of a block and the state after it: a JSON head, then the raw arrays."""
    kind, keys, position, has_gauss, cached = state.random
    arrays = [getattr(block, name) for name in _BLOCK] + [getattr(state, name) for name in _STATE]
    head = {
        "shapes": [array.shape for array in arrays],
        "step": state.step,
        "random": [kind, position, has_gauss, cached.hex()],
        "keys": len(keys),
    }
    text = json.dumps(head).encode()
    raw = b"".join(np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays)
    return _LENGTH.pack(len(text)) + text + raw + np.asarray(keys, dtype="<u4").tobytes()


def decode(payload: bytes) -> tuple[Block, State]:
    """Return what `encode` was given, bit for bit.

    Raises
    ------
    ChainError
        If the bytes are not those of a block.
    """
    try:
        (length,) = _LENGTH.unpack_from(payload)
        head = json.loads(payload[_LENGTH.size : _LENGTH.size + length])
        place = _LENGTH.size + length
        arrays = []
        for shape in head["shapes"]:
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(payload, "<f8", count, place).reshape(shape).copy())
            place += 8 * count
        keys = np.frombuffer(payload, "<u4", head["keys"], place).copy()
        kind, position, has_gauss, cached = head["random"]
        random = (str(kind), keys, int(position), int(has_gauss), float.fromhex(cached))
        block = Block(**dict(zip(_BLOCK, arrays[: len(_BLOCK)], strict=True)))
        state = dict(zip(_STATE, arrays[len(_BLOCK) :], strict=True))
        return block, State(**state, random=random, step=int(head["step"]))
    except (ValueError, KeyError, struct.error, TypeError) as error:
        raise ChainError(
            "journal", f"a record is not a block of steps: {error}", "see 'globalfit repair'"
        ) from error
