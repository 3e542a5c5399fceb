"""Opening a chain to be continued: what a crash has left is repaired, what is not ours is left alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from globalfit.chains.files import open_file
from globalfit.chains.journal import Journal, Sync
from globalfit.chains.places import base_of, journal_of, move_aside, start_of, temporary_of
from globalfit.chains.refuse import ASIDE, other_versions, refuse_other_versions
from globalfit.chains.snapshot import read_states, same_states
from globalfit.chains.standing import Standing, read_finished, read_journal
from globalfit.chains.starting import read_starts, refuse_strays, remove_start
from globalfit.errors import ChainError, SamplingError
from globalfit.identity import versions
from globalfit.sampling.population import Population

if TYPE_CHECKING:
    from globalfit.fit import Fit


@dataclass
class Opened:
    """A chain that was found, and what has to be noted of it.

    Attributes
    ----------
    at : Standing
        Where it stands.
    journal : Journal or None
        Of an unfinished run.
    killed : bool
        Whether its run ended without a word.
    view_is_right : bool
        Whether the published file says what the journal says.
    versions : dict
        Versions of packages that are accepted though the chain was made with others.
    populations : dict of int to Population
        Tempered starts of ensembles that have not begun.
    notices : list of str
        What was found and repaired.
    """

    at: Standing
    journal: Journal | None
    killed: bool = False
    view_is_right: bool = True
    versions: dict[str, str] = field(default_factory=dict)
    populations: dict[int, Population] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def wanted_ensembles(fit: Fit, only: int | None) -> tuple[int, ...]:
    """Return the ensembles of a chain: all of the fit, or `only` this one.

    Raises
    ------
    SamplingError
        If the fit has no such ensemble, or no seed by which its jobs belong together.
    """
    if only is None:
        return tuple(range(fit.sampler.ensembles))
    if not 0 <= only < fit.sampler.ensembles:
        last = fit.sampler.ensembles - 1
        problem = f"there is no ensemble {only}" + ("; there is only ensemble 0" if not last else "")
        remedy = f"they are numbered 0 to {last}" if last else "set 'ensembles' in [sampler], or --ensembles"
        raise SamplingError("--only-ensemble", problem, remedy)
    if fit.sampler.seed is None:
        raise SamplingError(
            "--only-ensemble", "the fit has no seed, and every job would draw its own",
            "add seed = 1 to [sampler]",
        )  # fmt: skip
    return (only,)


def refuse_place(path: Path) -> None:
    """Refuse a path where no chain can be written.

    Raises
    ------
    ChainError
        If it is a directory or a link, which publishing would replace, or its folder is missing or read-only.
    """
    folder = path.parent.resolve()
    if not folder.is_dir():
        problem = f"the folder '{folder}' does not exist"
        raise ChainError(str(path), problem, "create it, or choose another -o")
    if path.is_dir():
        raise ChainError(str(path), "is a directory", "name a file with -o")
    if path.is_symlink():
        raise ChainError(str(path), "is a symbolic link", f"name the file it leads to, '{path.resolve()}'")
    if not os.access(folder, os.W_OK):
        raise ChainError(str(path), f"the folder '{folder}' cannot be written to", "choose another -o")


def open_standing(
    path: Path, fit: Fit, ensembles: tuple[int, ...], sync: Sync, accept_versions: bool
) -> Opened | None:
    """Return what stands at `path`; None if there is nothing.

    Raises
    ------
    ChainError
        If it is damaged, or is not a chain of this fit, these ensembles and, unless `accept_versions`, of
        these packages.
    """
    journal = journal_of(path)
    for each in (path, journal, base_of(path), *(start_of(path, k) for k in ensembles)):
        temporary_of(each).unlink(missing_ok=True)
    if journal.exists():
        return _unfinished(path, fit, ensembles, sync, accept_versions)
    if path.exists():
        found = _finished(path, fit, ensembles, accept_versions)
        base_of(path).unlink(missing_ok=True)
        return found
    if base_of(path).exists():
        raise ChainError(str(path), f"is missing, but '{base_of(path)}' holds it", "rename that one")
    refuse_strays(path)
    return None


def _unfinished(
    path: Path, fit: Fit, ensembles: tuple[int, ...], sync: Sync, accept_versions: bool
) -> Opened:
    try:
        journal = Journal(journal_of(path), b"", sync)
    except OSError as error:
        problem = f"cannot be opened: {error}"
        raise ChainError(str(journal_of(path)), problem, "check its rights") from None
    try:
        found = Opened(read_journal(path, journal, fit, ensembles), journal)
        if journal.cut:
            found.notices.append(f"{journal.path}: cut {journal.cut} bytes of a step that was never stored")
        _check_versions(path, found, accept_versions)
        _find_starts(path, fit, found)
        found.killed = found.at.ended < found.at.steps
        found.view_is_right = _view_is_right(path, found)
    except BaseException:
        journal.close()
        raise
    return found


def _find_starts(path: Path, fit: Fit, found: Opened) -> None:
    """Read the starts of ensembles that have not begun; remove those of others, which a crash has left."""
    at = found.at
    assert at.seed is not None
    for k in at.tracks:
        remove_start(path, k)
    missing = [k for k in at.ensembles if k not in at.tracks]
    found.populations, notices = read_starts(path, fit.fingerprint, at.seed, missing)
    found.notices += notices


def _finished(path: Path, fit: Fit, ensembles: tuple[int, ...], accept_versions: bool) -> Opened:
    at, complete = read_finished(path, fit, ensembles)
    found = Opened(at, None)
    _check_versions(path, found, accept_versions)
    if not complete and at.ended < at.steps:
        found.notices.append(f"{path}: its journal is gone; going on from what was published")
        found.killed = True
    return found


def _check_versions(path: Path, found: Opened, accept: bool) -> None:
    changed = other_versions(found.at.described["environment"], found.at.segments)
    if not accept:
        refuse_other_versions(path, changed)
    elif changed:
        found.versions = versions()
        found.notices.append(f"{path}: was made with {'; '.join(changed)}; going on all the same")


def _view_is_right(path: Path, found: Opened) -> bool:
    """Return whether the published file is what the journal says; move aside what it cannot be."""
    if not path.exists():
        return False
    try:
        with open_file(path, ASIDE) as file:
            stored = str(file["globalfit"].attrs["fingerprint"])
            states = read_states(file)
            iteration = int(file["mcmc"].attrs["iteration"])
    except ChainError as error:
        if "is not a globalfit chain" in error.problem:
            raise
        found.notices.append(f"{error.where}: {error.problem}; moved aside and rebuilt from the journal")
        if found.at.base == path:
            raise
        move_aside(path, "damaged-")
        return False
    if stored != found.at.described["fingerprint"]:
        raise ChainError(str(path), "is not the chain whose journal stands beside it", ASIDE)
    if iteration > found.at.steps:
        aside = move_aside(path, "ahead-")
        found.notices.append(f"{path}: holds steps its journal lacks; moved to {aside}")
        return False
    return iteration == found.at.steps and same_states(states, found.at.states)
