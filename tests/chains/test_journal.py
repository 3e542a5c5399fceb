"""The journal: torn and damaged files of every kind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from globalfit.chains.journal import MAGIC, Journal, record, scan
from globalfit.chains.records import decode, encode
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


def test_blocks_survive_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    block = Block(
        coords=rng.normal(size=(5, 4, 2)),
        values=rng.normal(size=(5, 4, 2)),
        log_prob=rng.normal(size=(5, 4)),
        blobs=np.where(rng.random((5, 4, 3)) < 0.3, np.nan, -np.inf),
        accepted=np.arange(4.0),
    )
    state = State(
        block.coords[-1], block.log_prob[-1], block.blobs[-1], rng.normal(size=(4, 3)), random_state(1), 5
    )
    after_block, after = decode(encode(block, state))
    for name in ("coords", "values", "log_prob", "blobs", "accepted"):
        np.testing.assert_array_equal(getattr(after_block, name), getattr(block, name))
    assert after.step == 5
    np.testing.assert_array_equal(after.random[1], state.random[1])
    assert (after.random[0], *after.random[2:]) == (state.random[0], *state.random[2:])


def test_other_bytes_are_no_block() -> None:
    with pytest.raises(ChainError, match="not a block of steps"):
        decode(b"\x05\x00\x00\x00{}   ")
