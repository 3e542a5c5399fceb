"""One writer at a time, and what is left when a writer dies."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from globalfit.chains.info import inspect_chain
from globalfit.chains.lock import Lock, boot_id, writer_of
from globalfit.chains.store import open_store
from globalfit.errors import ChainError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from globalfit.chains.lock import Lock
lock = Lock(Path(sys.argv[1]), Path("chain"))
print("locked", flush=True)
sys.stdin.readline()
lock.release()
"""


def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_second_writer_is_refused_with_pid_host_and_time(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=3)
    process = holder(tmp_path / "out.lock")
    named = f"process {process.pid} on '{re.escape(socket.gethostname())}' since " + r"20\d\d-\d\d-\d\dT"
    with pytest.raises(ChainError, match=f"out.h5: is being written by {named}"):
        make_fit().run(path, steps=4)
    with pytest.raises(ChainError, match=f"is being written by {named}"):
        make_fit().run(path, steps=4, fresh=True, break_lock=True)  # a living writer keeps its lock
    assert re.match(named, inspect_chain(path)["writer"])
    process.communicate("\n", timeout=10)
    assert inspect_chain(path)["writer"] is None
    assert make_fit().run(path, steps=4).steps == 4
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5"]


def test_in_one_process_too(tmp_path, make_fit):
    with (
        open_store(tmp_path / "out.h5", make_fit()),
        pytest.raises(ChainError, match=f"is being written by process {os.getpid()} on"),
    ):
        open_store(tmp_path / "out.h5", make_fit())


def test_the_lock_of_a_killed_writer_is_taken_over(tmp_path, make_fit):
    process = holder(tmp_path / "out.lock")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert (tmp_path / "out.lock").exists()
    assert writer_of(tmp_path / "out.lock") == {}
    notices = []
    make_fit().run(tmp_path / "out.h5", steps=2, notice=notices.append)
    assert re.match(f"process {process.pid} on .* left its lock behind; taken over", notices[0])
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5"]


def left(path, **changes):
    record = {"host": socket.gethostname(), "pid": 1, "boot": boot_id(), "since": "2026-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(record | changes))


def test_another_host_is_asked_about(tmp_path, make_fit):
    left(tmp_path / "out.lock", host="elsewhere", boot="other")
    with pytest.raises(
        ChainError, match=r"may be written on another host, by process 1 on 'elsewhere'.*--break-lock"
    ):
        make_fit().run(tmp_path / "out.h5", steps=2)
    assert [each.name for each in tmp_path.iterdir()] == ["out.lock"]
    assert make_fit().run(tmp_path / "out.h5", steps=2, break_lock=True).steps == 2


@pytest.mark.parametrize("changes", [{"boot": "an earlier one"}, {"host": "renamed"}])
def test_a_lock_from_before_a_reboot_or_a_new_name_is_stale(tmp_path, changes):
    left(tmp_path / "x.lock", **changes)
    lock = Lock(tmp_path / "x.lock", tmp_path / "x.h5")
    assert "left its lock behind" in lock.notice
    lock.release()


def test_where_the_file_system_has_no_locks_the_record_decides(tmp_path, monkeypatch):
    def none(handle, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    left(tmp_path / "x.lock", pid=os.getppid())
    with pytest.raises(ChainError, match=f"is being written by process {os.getppid()}"):
        Lock(tmp_path / "x.lock", tmp_path / "x.h5")
    left(tmp_path / "x.lock", pid=2**22 + 1)  # beyond any process
    Lock(tmp_path / "x.lock", tmp_path / "x.h5").release()
