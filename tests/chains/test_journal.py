"""The journal: torn and damaged files of every kind."""

from __future__ import annotations

import errno
import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from globalfit.chains.journal import MAGIC, Journal, record, scan
from globalfit.chains.records import (
    Steps,
    decode,
    decode_header,
    encode,
    encode_header,
    encode_segment,
    encode_start,
)
from globalfit.errors import ChainError
from globalfit.sampling.state import Block, State, random_state

PAYLOADS = [bytes([i]) * (7 * i + 1) for i in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "run.journal", b"header")
    for payload in PAYLOADS:
        journal.append(payload)
    journal.close()
    return tmp_path / "run.journal"


def content(path: Path) -> list[bytes]:
    journal = Journal(path, b"other")
    found = list(journal.payloads())
    journal.close()
    return found


def test_append_and_read(path: Path) -> None:
    assert scan(path).header == b"header"
    assert content(path) == PAYLOADS


def test_goes_on_after_closing(path: Path) -> None:
    journal = Journal(path, b"ignored", sync="step")
    journal.append(b"more")
    assert list(journal.payloads(first=6)) == [b"more"]
    journal.close()
    assert content(path) == [*PAYLOADS, b"more"]


def test_every_truncation_is_cut_to_a_whole_record(path: Path) -> None:
    whole = path.read_bytes()
    ends = [len(MAGIC) + len(record(0, b"header"))]
    for i, payload in enumerate(PAYLOADS, start=1):
        ends.append(ends[-1] + len(record(i, payload)))
    for size in range(ends[0], len(whole)):
        path.write_bytes(whole[:size])
        kept = sum(end <= size for end in ends) - 1
        assert scan(path).cut == size - ends[kept]
        assert content(path) == PAYLOADS[:kept]
        assert path.stat().st_size == ends[kept]


def test_every_truncation_of_the_header_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for size in range(len(MAGIC) + len(record(0, b"header"))):
        path.write_bytes(whole[:size])
        with pytest.raises(ChainError):
            scan(path)


@pytest.mark.parametrize("length", [1, 3, 27, 28, 29, 100, 5000])
def test_garbage_tails_are_cut(path: Path, length: int) -> None:
    whole = path.read_bytes()
    rng = np.random.default_rng(length)
    for _ in range(20):
        path.write_bytes(whole + rng.bytes(length))
        assert content(path) == PAYLOADS


def test_every_bit_flip_is_noticed(path: Path) -> None:
    """A flip loses the last record with notice, or stops; it never gives other content."""
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    stopped = 0
    for bit in rng.choice(8 * len(whole), size=min(1000, 8 * len(whole)), replace=False):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(damaged))
        try:
            found = scan(path)
        except ChainError:
            stopped += 1
            continue
        assert found.cut > 0
        assert content(path) == PAYLOADS[:-1]
    assert stopped > 500


def test_damage_in_the_middle_names_the_record(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    place = damaged.index(PAYLOADS[3])
    damaged[place] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(ChainError, match=r"damaged at record 4 .*good records behind.*repair"):
        Journal(path, b"")
    assert path.read_bytes() == bytes(damaged)


def test_a_newer_version_is_refused(path: Path) -> None:
    path.write_bytes(b"GFJRNL02" + path.read_bytes()[8:])
    with pytest.raises(ChainError, match=r"newer globalfit \(journal version 02\); upgrade"):
        scan(path)


def test_a_failed_write_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path, b"")
    before = path.read_bytes()
    write = os.write

    def full(handle: int, data: bytes) -> int:
        write(handle, bytes(data)[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.append(b"lost")
    monkeypatch.undo()
    assert path.read_bytes() == before
    journal.append(b"kept")
    journal.close()
    assert content(path) == [*PAYLOADS, b"kept"]


@pytest.mark.parametrize("sync", ["step", "second"])
def test_after_a_failed_force_nothing_more_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, sync: Literal["step", "second"]
) -> None:
    """The system may have dropped the pages it could not write: trying again could succeed and lie."""
    journal = Journal(path, b"", sync=sync)
    calls = []

    def broken(handle: int) -> None:
        calls.append(handle)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("globalfit.chains.journal._force", broken)
    monkeypatch.setattr(journal, "_synced", -10.0)
    with pytest.raises(OSError, match="Input/output"):
        journal.append(b"maybe there")
    with pytest.raises(OSError, match="takes no more after"):
        journal.append(b"refused")
    journal.close()
    assert len(calls) == 1
    monkeypatch.undo()
    assert content(path) == [*PAYLOADS, b"maybe there"]


def test_an_append_that_was_interrupted_is_not_followed_by_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, b"")
    write = os.write

    def interrupted(handle: int, data: bytes) -> int:
        write(handle, bytes(data)[:9])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"half")
    monkeypatch.undo()
    with pytest.raises(OSError, match="takes no more after"):
        journal.append(b"would stand behind half a record")
    journal.close()
    assert scan(path).cut == 9
    assert content(path) == PAYLOADS


def test_the_good_prefix_of_a_damaged_journal(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(PAYLOADS[3])] ^= 1
    path.write_bytes(bytes(damaged))
    assert len(scan(path, prefix=True).places) == 3


def made_up(steps: int, seed: int = 3) -> tuple[Block, State]:
    rng = np.random.default_rng(seed)
    block = Block(
        coords=rng.normal(size=(steps, 4, 2)),
        values=rng.normal(size=(steps, 4, 2)),
        log_prob=rng.normal(size=(steps, 4)),
        blobs=np.where(rng.random((steps, 4, 3)) < 0.3, np.nan, -np.inf),
        accepted=np.arange(4.0),
    )
    last = np.concatenate([block.blobs, block.values], axis=-1)[-1] if steps else rng.normal(size=(4, 5))
    return block, State(rng.normal(size=(4, 2)), rng.normal(size=4), last, random_state(seed), steps)


def check_state(found: State, expected: State) -> None:
    for name in ("coords", "log_prob", "blobs"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.random[1], expected.random[1])
    assert (found.random[0], *found.random[2:]) == (expected.random[0], *expected.random[2:])
    assert found.step == expected.step


def test_blocks_survive_bit_for_bit() -> None:
    block, state = made_up(5)
    found = decode(encode(block, state))
    assert isinstance(found, Steps)
    for name in ("values", "log_prob", "blobs", "accepted"):
        np.testing.assert_array_equal(getattr(found, name), getattr(block, name))
    check_state(found.state, state)


def test_a_state_whose_blobs_are_not_those_of_the_last_step_survives() -> None:
    block, state = made_up(5)
    other = replace(state, blobs=state.blobs + 1.0)
    found = decode(encode(block, other))
    assert isinstance(found, Steps)
    check_state(found.state, other)


def test_header_and_segments() -> None:
    _, state = made_up(0)
    words = {"fingerprint": "abc", "steps": 3}
    starts = [encode_start(state, 3, np.ones(4)), encode_start(state, 3, np.ones(4), 1)]
    found, (start, other) = decode_header(encode_header(words, starts))
    assert found == words | {"starts": [len(each) for each in starts]}
    assert (start.ensemble, other.ensemble) == (0, 1)
    assert start.values.shape == (0, 4, 2)
    assert start.blobs.shape == (0, 4, 3)
    assert start.accepted.tolist() == [1.0] * 4
    check_state(start.state, state)
    length = struct.pack("<I", len(json.dumps(words)))
    former = length + json.dumps(words).encode() + starts[0]  # as it was before there were several
    assert [each.ensemble for each in decode_header(former)[1]] == [0]
    assert decode(encode_segment({"reason": "steps"})) == {"reason": "steps"}


@pytest.mark.parametrize(
    "payload", [b"", b"B", b"X\x02\x00\x00\x00{}", b"B\x05\x00\x00\x00{}   ", b"B\x02\x00\x00\x00[]"]
)
def test_other_bytes_are_no_block(payload: bytes) -> None:
    with pytest.raises(ChainError, match="not a block of steps"):
        decode(payload)
