"""The files of a chain: NAME.h5, and beside it, while a run goes on, journal, starts, base and lock."""

from __future__ import annotations

import glob
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


def start_of(path: Path, ensemble: int) -> Path:
    """Return where the tempered start of an ensemble is kept until it has begun."""
    return beside(path, f".start-{ensemble}")


def starts_of(path: Path) -> list[Path]:
    """Return the tempered starts that stand beside a chain."""
    prefix = beside(path, ".start-").name
    return sorted(
        each for each in path.parent.glob(f"{glob.escape(prefix)}*") if each.name[len(prefix) :].isdigit()
    )


def lock_of(path: Path) -> Path:
    """Return where the writer of a chain names itself."""
    return beside(path, ".lock")


def temporary_of(path: Path) -> Path:
    """Return where a file is written before it takes its name."""
    return path.with_name(path.name + ".tmp")


def move_aside(path: Path, word: str = "") -> Path | None:
    """Rename a chain with all that is beside it to NAME.1.h5, ...; return the new name, None without one.

    With `word`, only the file itself is moved, to NAME.word1.h5.
    """

    def renamed(to: Path) -> dict[Path, Path]:
        """Each file, and its new name."""
        if word:
            return {path: to}
        prefix = beside(path, ".start-").name
        starts = {each: start_of(to, int(each.name[len(prefix) :])) for each in starts_of(path)}
        return {path: to, journal_of(path): journal_of(to), base_of(path): base_of(to), **starts}

    for i in range(1, 10_000):
        aside = path.with_name(f"{path.stem}.{word}{i}{path.suffix}")
        if any(each.exists() for each in (aside, journal_of(aside), base_of(aside), *starts_of(aside))):
            continue
        found = {old: new for old, new in renamed(aside).items() if old.exists()}
        for old, new in found.items():
            old.rename(new)
        return aside if found else None
    raise ChainError(str(path), "10000 older chains stand beside it", "move some away")
