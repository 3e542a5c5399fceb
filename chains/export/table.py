"""CSV: one row a sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from globalfit.chains.chain import Chain
from globalfit.chains.export.writing import refuse, remarks, replacing, select


def save_csv(
    chain: Chain, output: Path, *, discard: int | None = None, thin: int = 1, overwrite: bool = False
) -> None:
    """Write the kept samples as CSV, step by step: step, walker, ensemble, every quantity.

    Numbers are written so that reading them gives the same bits. Lines that start with ``#`` stand above the
    header and say where the samples come from.

    Parameters
    ----------
    chain : Chain
        The chain.
    output : Path
        The file.
    discard, thin : int
        See `Chain.get`.
    overwrite : bool
        Replace the file if it exists.

    Raises
    ------
    ChainError
        If no sample is left, or the file cannot be written.
    """
    refuse([output], chain.path, overwrite=overwrite)
    selection = select(chain, discard, thin)
    names = (*chain.names, "log_prob", *chain.quantities[len(chain.names) :])
    places = [chain.place(name) for name in names]
    walkers = np.arange(chain.walkers)
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"# {line}\n" for line in remarks(selection))
        file.write(",".join(("step", "walker", "ensemble", *names)) + "\n")
        for steps, piece in selection.pieces():
            columns = [selection.column(steps, piece, place) for place in places]
            for i, step in enumerate(steps):
                rows = np.column_stack([column[i] for column in columns]).tolist()
                heads = zip(walkers.tolist(), chain.walker_ensemble.tolist(), rows, strict=True)
                file.writelines(f"{step},{w},{k},{','.join(map(repr, row))}\n" for w, k, row in heads)
