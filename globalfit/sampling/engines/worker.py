"""A worker process: it takes calls from one end of a pipe, and ends with the process that began it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeAlias

from globalfit.errors import GlobalfitError

Call: TypeAlias = Callable[[], Any]  # functions of modules and their arguments: they are sent

READY = "ready"
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Failure:
    """An error that every worker would make again: a value, so that nobody tries."""

    error: GlobalfitError


@dataclass(frozen=True)
class Crash:
    """An error that no worker should make, as it was told there."""

    trace: str


def serve(pipe: Connection) -> None:
    """Say that the worker is there; then make each call that comes, until the pipe is closed.

    Parameters
    ----------
    pipe : Connection
        This worker has its end alone, so that the other end hears of its death, even within an answer.
    """
    follow_parent()
    os.set_inheritable(pipe.fileno(), False)  # no program begun by a likelihood keeps it open
    os.register_at_fork(after_in_child=pipe.close)
    with contextlib.suppress(EOFError, OSError):  # the other end is closed
        pipe.send(READY)
        while True:
            pipe.send(_answer(pipe.recv_bytes()))


def _answer(sent: bytes) -> Any:
    try:
        call: Call = pickle.loads(sent)  # from the process that began this one
        return call()
    except GlobalfitError as error:
        return Failure(error)
    except Exception:  # none that the package knows: it need not bear being sent
        return Crash(traceback.format_exc())


def follow_parent() -> None:
    """End this process when the one that began it ends, however it ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow(sentinel: int) -> None:
        wait_for([sentinel])
        os._exit(1)

    threading.Thread(target=follow, args=(parent.sentinel,), daemon=True).start()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let processes that are begun here use one thread each: there are as many of them as cores."""
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
