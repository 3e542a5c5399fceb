"""One writer per chain: a lock that the system releases with the process, and a record of who holds it."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from globalfit.errors import ChainError

PATIENCE = 0.1  # seconds; who only asks whether a chain is written holds its lock for an instant


class Lock:
    """The right to write a chain, held until `release` or the end of the process.

    Parameters
    ----------
    path : Path
        The lock file; it is removed again when the lock is released.
    chain : Path
        Whose lock it is, for messages.
    take_over : bool
        Take over the lock that a process on another host has left.

    Raises
    ------
    ChainError
        If a living process holds it; the message names it. If a process on another host has left it: whether
        that one lives cannot be seen from here.
    """

    def __init__(self, path: Path, chain: Path, *, take_over: bool = False) -> None:
        self.path = path
        self.notice = ""
        try:
            self._file, held = _open(path)
        except OSError as error:
            raise ChainError(str(chain), f"cannot be written: {error}", "choose another -o") from None
        found = read_record(path)
        try:
            if held or (held is None and _lives(found)):
                problem = f"is being written by {describe(found)}"
                raise ChainError(str(chain), problem, "wait for it, stop it, or choose another -o")
            if found and not _here(found) and not take_over:
                problem = f"may be written on another host, by {describe(found)}"
                raise ChainError(str(chain), problem, "if that one has ended, --break-lock takes over")
        except ChainError:
            os.close(self._file)
            raise
        if found:
            self.notice = f"{describe(found)} left its lock behind; taken over"
        self._write()

    def _write(self) -> None:
        record = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "boot": boot_id(),
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # on a full disk the lock holds without words
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(record).encode(), 0)

    def release(self) -> None:
        """Let others write."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._file)


def _open(path: Path) -> tuple[int, bool | None]:
    """Open and lock; return the handle and whether another holds it, None where there are no locks."""
    end = time.monotonic() + PATIENCE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return handle, True
            os.close(handle)
            time.sleep(0.01)
            continue
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                return handle, None
            os.close(handle)
            raise
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(handle).st_ino:
                return handle, False
        os.close(handle)  # its last holder removed the file between our opening and locking it


def read_record(path: Path) -> dict[str, Any]:
    """Return what the holder of a lock says of itself; empty if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"host": str(found["host"]), "pid": int(found["pid"]), "boot": str(found["boot"]),
                "since": str(found["since"])}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def writer_of(path: Path) -> dict[str, Any]:
    """Return the record of the living process that holds the lock at `path`; empty if there is none."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return {}
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return read_record(path) or {"host": "?", "pid": 0, "boot": "", "since": "?"}
    finally:
        os.close(handle)
    found = read_record(path)
    return found if found and not _here(found) else {}


def describe(record: dict[str, Any]) -> str:
    """Return who holds a lock, for people."""
    if not record:
        return "another process"
    return f"process {record['pid']} on '{record['host']}' since {record['since']}"


def _here(record: dict[str, Any]) -> bool:
    """Return whether a record is of this machine, under whatever name."""
    return bool(record["boot"] == boot_id() != "" or record["host"] == socket.gethostname())


def _lives(record: dict[str, Any]) -> bool:
    """Return whether the process of a record lives, where the file system has no locks to tell."""
    if not record or not _here(record) or record["boot"] != boot_id():
        return False
    try:
        os.kill(record["pid"], 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def boot_id() -> str:
    """Return what names the running system since it booted; empty where there is no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
