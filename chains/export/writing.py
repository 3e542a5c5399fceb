"""What all exports share: which samples, where to, and what is said of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.chains.places import temporary_of
from globalfit.chains.samples import Piece, Place
from globalfit.errors import ChainError


@dataclass(frozen=True)
class Selection:
    """The samples of a chain that are exported: the multiples of `thin` from step `begin` on."""

    chain: Chain
    begin: int
    thin: int

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(range(self.begin, self.chain.steps, self.thin))

    def pieces(self) -> Iterator[tuple[range, Piece]]:
        """Yield the pieces of the chain with the numbers of the steps that are kept of each."""
        for piece in self.chain.samples.pieces(self.begin):
            first = piece.begin + (-piece.begin) % self.thin
            yield range(first, piece.begin + len(piece.log_prob), self.thin), piece

    def column(self, steps: range, piece: Piece, place: Place) -> Array:
        """Return one quantity at the kept steps of a piece, (steps, walkers)."""
        return piece.column(place)[steps.start - piece.begin :: self.thin]


def select(chain: Chain, discard: int | None = None, thin: int = 1) -> Selection:
    """Choose samples; see `Chain.get`.

    Raises
    ------
    ChainError
        If none is left.
    """
    return Selection(chain, chain.first(discard, thin), thin)


def remarks(selection: Selection) -> list[str]:
    """Return what a reader has to know of the samples, a line each: first if they are not to be trusted."""
    chain = selection.chain
    verdict = chain.verdict
    lines = [f"NOT CONVERGED: {reason}" for reason in verdict.reasons]
    lines += [
        f"{chain.path.name}, written by globalfit {__version__}",
        f"fingerprint {chain.attributes.get('fingerprint') or 'unknown'}",
        f"model {chain.attributes.get('model') or 'unknown'}, "
        f"data as of {chain.attributes.get('as_of') or 'unknown'}",
        f"steps {selection.begin} to {chain.steps - 1}, every {selection.thin}th, of {chain.walkers} walkers "
        f"in {len(chain.ensembles)} ensembles; physical values, equal weights",
        *chain.warnings,
    ]
    return [" ".join(line.split()) for line in lines]


def title(chain: Chain, name: str) -> str:
    """Return the LaTeX label of a quantity, without dollar signs."""
    label = str(chain.row(name)["label"])
    if label:
        return label
    if name.startswith("ll_"):
        return rf"\ln L_{{{_upright(name[3:])}}}"
    return {"lnprior": r"\ln \pi", "log_prob": r"\ln p"}.get(name) or _upright(name)


def _upright(name: str) -> str:
    return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def refuse(paths: Sequence[Path], chain: Path, *, overwrite: bool) -> None:
    """Refuse files that exist, have no folder, or are the chain itself.

    Raises
    ------
    ChainError
        With what is wrong.
    """
    for path in paths:
        folder = path.resolve().parent
        if not folder.is_dir():
            raise ChainError(str(path), f"there is no folder '{folder}'", "create it first")
        if path.resolve() == chain.resolve() or path.is_dir():
            what = "is a folder" if path.is_dir() else "is the chain itself"
            raise ChainError(str(path), what, "choose another -o")
        if path.exists() and not overwrite:
            raise ChainError(str(path), "exists", "choose another -o, or --overwrite")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; the file takes its own when it is complete.

    Raises
    ------
    ChainError
        If it cannot be written; nothing is left then.
    """
    temporary = temporary_of(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ChainError(
            str(path), f"cannot be written: {error.strerror or error}", "choose another -o"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
