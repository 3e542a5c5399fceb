"""What SIGINT and SIGTERM mean to a run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible(grace: float | None = None) -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second SIGINT interrupts at once.

    With `grace`, a request that is not heard within so many seconds interrupts too.
    """
    asked = threading.Event()
    patience: list[threading.Timer] = []

    def ask(which: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if grace is not None and not patience:
            main = threading.main_thread().ident
            assert main is not None
            patience.append(threading.Timer(grace, signal.pthread_kill, (main, signal.SIGINT)))
            patience[0].daemon = True
            patience[0].start()

    with _handled(ask):
        try:
            yield asked.is_set
        finally:
            for timer in patience:
                timer.cancel()


@contextlib.contextmanager
def _handled(handler: Callable[[int, object], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {which: signal.getsignal(which) for which in SIGNALS}
    try:
        for which in kept:
            signal.signal(which, handler)
        yield
    finally:
        for which, former in kept.items():
            signal.signal(which, former)


@contextlib.contextmanager
def unheard(*signals: signal.Signals) -> Iterator[None]:
    """Begin processes that never hear these signals: a terminal sends them to every process of a run."""
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
