"""Compiled code that numba keeps on disk is forgotten when a file changes that it may depend on."""

from __future__ import annotations

from pathlib import Path

from globalfit.physics.compiled_code import _digest, forget_stale


def forget(folder: Path) -> None:
    forget_stale.cache_clear()
    _digest.cache_clear()
    forget_stale(folder, folder)


def test_kept_code_goes_when_any_file_changes(tmp_path: Path) -> None:
    (tmp_path / "compiled_sums.py").write_text("A = 1\n")
    (tmp_path / "constants.py").write_text("PI = 3\n")
    kept = tmp_path / "__pycache__"
    forget(tmp_path)
    index, code = kept / "compiled_sums.add-1.py311.nbi", kept / "compiled_sums.add-1.py311.1.nbc"
    other = kept / "constants.cpython-311.pyc"
    for each in (index, code, other):
        each.write_text("kept")
    forget(tmp_path)
    assert index.exists()
    assert code.exists()
    (tmp_path / "constants.py").write_text("PI = 3.1416\n")
    forget(tmp_path)
    assert not index.exists()
    assert not code.exists()
    assert other.exists()


def test_a_folder_that_cannot_be_written_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "compiled_sums.py").write_text("A = 1\n")
    (tmp_path / "__pycache__").write_text("not a folder")
    forget(tmp_path)
    assert (tmp_path / "__pycache__").read_text() == "not a folder"
