"""A file that HDF5 writes into: it hears of no failure, so that it closes in peace; we do afterwards."""

from __future__ import annotations

import io
import os
from pathlib import Path


class Sink(io.RawIOBase):
    """A new file for `h5py.File(sink, "w")`.

    HDF5 may abort the process if the disk fills up while it closes a file. Here, after the first error of the
    system, writes go nowhere and the error is raised by `force`: the file is then worth nothing anyway.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self._place = 0
        self._size = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; return the new place."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read at the place; zeros where nothing was written."""
        data = os.pread(self._file, len(buffer), self._place)
        buffer[:] = data + bytes(len(buffer) - len(data))
        self._place += len(buffer)
        return len(buffer)

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Write at the place, all of it."""
        view = memoryview(data).cast("B")
        written = 0
        try:
            while self.error is None and written < len(view):
                written += os.pwrite(self._file, view[written:], self._place + written)
        except OSError as error:
            self.error = error
        self._place += len(view)
        self._size = max(self._size, self._place)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        size = self._place if size is None else size
        try:
            if self.error is None:
                os.ftruncate(self._file, size)
        except OSError as error:
            self.error = error
        self._size = size
        return size

    def flush(self) -> None:
        """Do nothing; `force` forces everything to the disk."""

    def force(self) -> None:
        """Force everything to the disk.

        Raises
        ------
        OSError
            The first error of any write, or that of the force.
        """
        if self.error is not None:
            raise self.error
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            os.close(self._file)
        super().close()
