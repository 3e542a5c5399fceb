"""The files of a chain: NAME.h5, and beside it while a run goes on the journal, the base and the lock."""

from __future__ import annotations

from pathlib import Path

from globalfit.errors import ChainError


def beside(path: Path, suffix: str) -> Path:
    """Return NAME`suffix` for NAME.h5; other names keep their own suffix, so that no two chains share."""
    return path.with_name((path.stem if path.suffix == ".h5" else path.name) + suffix)


def journal_of(path: Path) -> Path:
    """Return where the journal of a chain is: the truth while a run goes on."""
    return beside(path, ".journal")


def base_of(path: Path) -> Path:
    """Return where a finished chain is kept while it is extended."""
    return beside(path, ".base.h5")


def lock_of(path: Path) -> Path:
    """Return where the writer of a chain names itself."""
    return beside(path, ".lock")


def temporary_of(path: Path) -> Path:
    """Return where a file is written before it takes its name."""
    return path.with_name(path.name + ".tmp")


def move_aside(path: Path, word: str = "") -> Path | None:
    """Rename a chain with its journal and base to NAME.1.h5, ...; return the new name, None without one.

    With `word`, only the file itself is moved, to NAME.word1.h5.
    """
    files = [path] if word else [path, journal_of(path), base_of(path)]
    files = [each for each in files if each.exists()]
    for i in range(1, 10_000):
        aside = path.with_name(f"{path.stem}.{word}{i}{path.suffix}")
        if any(each.exists() for each in (aside, journal_of(aside), base_of(aside))):
            continue
        for old in files:
            new = {path: aside, journal_of(path): journal_of(aside), base_of(path): base_of(aside)}[old]
            old.rename(new)
        return aside if files else None
    raise ChainError(str(path), "10000 older chains stand beside it", "move some away")
