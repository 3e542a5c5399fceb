"""The formats by name."""

from __future__ import annotations

from pathlib import Path

from globalfit.chains.chain import Chain
from globalfit.chains.export.arviz import save_arviz
from globalfit.chains.export.getdist import save_getdist
from globalfit.chains.export.table import save_csv
from globalfit.errors import ChainError

ENDINGS = {"arviz": ".nc", "getdist": "", "csv": ".csv"}


def export(
    chain: Chain,
    to: str,
    output: Path | None = None,
    *,
    discard: int | None = None,
    thin: int = 1,
    overwrite: bool = False,
) -> list[Path]:
    """Write a chain for another program; see `save_arviz`, `save_getdist`, `save_csv`.

    Parameters
    ----------
    chain : Chain
        The chain.
    to : str
        ``"arviz"``, ``"getdist"`` or ``"csv"``.
    output : Path, optional
        The file, for GetDist the root of its files; by default beside the chain, under its name.
    discard, thin : int
        See `Chain.get`.
    overwrite : bool
        Replace what exists.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ChainError
        If the format is unknown, no sample is left, or a file cannot be written.
    """
    if to not in ENDINGS:
        raise ChainError(str(chain.path), f"unknown format '{to}'", f"use {', '.join(ENDINGS)}")
    ending = ENDINGS[to]
    output = chain.path.with_suffix(ending) if output is None else output
    if to == "getdist":
        root = output.with_name(output.name.removesuffix(".txt"))
        return save_getdist(chain, root, discard=discard, thin=thin, overwrite=overwrite)
    if output.suffix.lower() != ending:
        raise ChainError(str(output), f"unknown format '{output.suffix}'", f"'{to}' writes {ending}")
    save = save_arviz if to == "arviz" else save_csv
    save(chain, output, discard=discard, thin=thin, overwrite=overwrite)
    return [output]
