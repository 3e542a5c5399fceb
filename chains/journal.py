"""An append-only journal of records, each with its checksum: what was appended is never lost or wrong.

The file is a magic word, one header record and any number of data records. A record is a fixed head (tag,
length, number, checksum of the payload, checksum of the head) and its payload. Appending is one write; a
write that fails is taken back. A journal that ends in the middle of a record, or in garbage, is cut there
when it is opened for writing, and says so; damage with good records behind it is reported, never cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from globalfit.errors import ChainError

MAGIC = b"GFJRNL01"
TAG = b"GFrc"
_force = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
_BODY = struct.Struct("<4sQQI")  # tag, payload length, record number, payload checksum
_HEAD = struct.Struct("<4sQQII")  # the same and the checksum of these bytes

Sync = Literal["step", "second", "none"]


@dataclass(frozen=True)
class Scan:
    """What a journal holds.

    Attributes
    ----------
    header : bytes
        Payload of the header record.
    places : tuple of (int, int)
        Offset and length of each data record's payload.
    end : int
        Where the last good record ends.
    cut : int
        Bytes behind it that are no record: a torn write.
    """

    header: bytes
    places: tuple[tuple[int, int], ...]
    end: int
    cut: int


def record(number: int, payload: bytes) -> bytes:
    """Return the bytes of a record."""
    body = _BODY.pack(TAG, len(payload), number, zlib.crc32(payload))
    return b"".join([body, struct.pack("<I", zlib.crc32(body)), payload])


def only_payload(data: bytes) -> bytes | None:
    """Return the payload of bytes that are one record and nothing else, or None if they are not."""
    length = _length(data[: _HEAD.size], 0)
    payload = data[_HEAD.size :]
    right = length == len(payload) and zlib.crc32(payload) == _HEAD.unpack(data[: _HEAD.size])[3]
    return payload if right else None


def scan(path: Path, *, prefix: bool = False) -> Scan:
    """Read a journal through, checking every record; with `prefix`, up to the first damage.

    Raises
    ------
    ChainError
        If it is not a journal, was written by a newer version, or is damaged before its end; the message
        numbers the record.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            if magic[:6] == MAGIC[:6]:
                version = magic[6:].decode(errors="replace")
                problem = f"was written by a newer globalfit (journal version {version})"
                raise ChainError(str(path), problem, "upgrade globalfit")
            raise ChainError(str(path), "is not a globalfit journal", "was it moved here by hand?")
        header: bytes | None = None
        places: list[tuple[int, int]] = []
        end = file.tell()
        number = 0
        while (found := _read(file, number, size)) is not None:
            if header is None:
                header = found
            else:
                places.append((file.tell() - len(found), len(found)))
            end = file.tell()
            number += 1
        if end < size and not prefix and _good_record_behind(file, end, size, number):
            raise ChainError(
                str(path),
                f"is damaged at record {number} (byte {end}), with good records behind it",
                f"'globalfit repair {path}' recovers what stands before",
            )
    if header is None:
        raise ChainError(str(path), "has no readable header", "the run had not begun; remove it")
    return Scan(header, tuple(places), end, size - end)


def _read(file: BinaryIO, number: int, size: int) -> bytes | None:
    """Return the payload of the record that begins here, or None if it is not whole and right."""
    begin = file.tell()
    head = file.read(_HEAD.size)
    length = _length(head, number)
    if length is None or begin + _HEAD.size + length > size:
        return None
    payload = file.read(length)
    return payload if zlib.crc32(payload) == _HEAD.unpack(head)[3] else None


def _length(head: bytes, number: int | None) -> int | None:
    if len(head) < _HEAD.size:
        return None
    tag, length, found, _, checksum = _HEAD.unpack(head)
    right = tag == TAG and zlib.crc32(head[: _BODY.size]) == checksum
    return int(length) if right and number in (None, found) else None


def _good_record_behind(file: BinaryIO, begin: int, size: int, number: int) -> bool:
    """Return whether a whole later record stands behind a place that is none."""
    file.seek(begin)
    rest = file.read(size - begin)
    place = rest.find(TAG, 1)
    while place >= 0:
        head = rest[place : place + _HEAD.size]
        length = _length(head, None)
        if length is not None:
            payload = rest[place + _HEAD.size : place + _HEAD.size + length]
            _, _, found, checksum, _ = _HEAD.unpack(head)
            if found > number and len(payload) == length and zlib.crc32(payload) == checksum:
                return True
        place = rest.find(TAG, place + 1)
    return False


def read_payload(handle: int, path: Path, number: int, place: int, length: int) -> bytes:
    """Return the payload of data record `number`, checked again, from an open file."""
    data = os.pread(handle, _HEAD.size + length, place - _HEAD.size)
    payload = data[_HEAD.size :]
    if (
        _length(data[: _HEAD.size], number) != length
        or zlib.crc32(payload) != _HEAD.unpack(data[: _HEAD.size])[3]
    ):
        raise ChainError(str(path), f"record {number} changed on disk", "see 'globalfit repair'")
    return payload


class Journal:
    """A journal open for appending.

    Parameters
    ----------
    path : Path
        The file; created with `header` if it is not there.
    header : bytes
        Payload of the header record of a new journal.
    sync : {"step", "second", "none"}
        When appended records are forced to the disk: each, at most once a second, or when the system likes.
        The death of the process loses nothing in any case; a power cut loses what was not yet forced.
    """

    def __init__(self, path: Path, header: bytes, sync: Sync = "second") -> None:
        self.path, self.sync = path, sync
        self.broken = ""
        if not path.exists():
            write_whole(path, MAGIC + record(0, header))
        found = scan(path)
        self.header, self.places, self.end, self.cut = found.header, list(found.places), found.end, found.cut
        self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        if found.cut:
            os.ftruncate(self._file, found.end)
            os.fsync(self._file)
        self._synced = time.monotonic()

    def append(self, payload: bytes) -> None:
        """Add a record; when this returns it survives the death of the process.

        Raises
        ------
        OSError
            If it cannot be written, or forced to the disk. A write that failed is taken back and may be tried
            again. After a failed force the system may have dropped what it held: the journal takes no more.
        """
        if self.broken:
            raise OSError(errno.EIO, f"the journal takes no more after '{self.broken}'", str(self.path))
        data = memoryview(record(len(self.places) + 1, payload))
        self.broken = "a write that was cut short"
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self.end)
            self.broken = ""
            raise
        self.broken = ""
        self.places.append((self.end + _HEAD.size, len(payload)))
        self.end += len(data)
        if self.sync == "step" or (self.sync == "second" and time.monotonic() - self._synced >= 1.0):
            self.force()

    def force(self) -> None:
        """Force everything appended to the disk.

        Raises
        ------
        OSError
            If that fails; it is not tried again.
        """
        try:
            _force(self._file)
        except OSError as error:
            self.broken = str(error)
            raise
        self._synced = time.monotonic()

    def payload(self, index: int) -> bytes:
        """Return the payload of a data record (counted from 0), checked again."""
        return read_payload(self._file, self.path, index + 1, *self.places[index])

    def payloads(self, first: int = 0) -> Iterator[bytes]:
        """Yield the payloads of the data records from the `first` (counted from 0) on, checked again."""
        for index in range(first, len(self.places)):
            yield self.payload(index)

    def close(self) -> None:
        """Force everything to the disk, unless that has failed before, and close."""
        with contextlib.suppress(OSError):
            if not self.broken:
                self.force()
        os.close(self._file)

    def remove(self) -> None:
        """Close and delete the journal: its content stands elsewhere, forced to the disk."""
        os.close(self._file)
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, force it to the disk and rename it into it.

    Raises
    ------
    OSError
        If that fails; what stood there before still does.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            data = memoryview(content)
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.resolve().parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
