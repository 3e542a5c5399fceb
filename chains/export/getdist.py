"""GetDist's text files: samples with weights, names with labels, ranges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.chains.export.writing import Selection, refuse, remarks, replacing, select, title
from globalfit.chains.samples import Place

BYTES = 64 << 20  # of walkers' histories held at once


def save_getdist(
    chain: Chain, root: Path, *, discard: int | None = None, thin: int = 1, overwrite: bool = False
) -> list[Path]:
    """Write ``ROOT.txt``, ``ROOT.paramnames`` and ``ROOT.ranges`` for ``getdist.loadMCSamples("ROOT")``.

    A row is weight 1, -ln L (of a file of emcee, which has only that, minus its ln probability), the sampled
    parameters, then every other quantity as derived. Walkers follow each other, each with its history in
    order, so that GetDist finds their autocorrelation; several ensembles go to ``ROOT_1.txt``, ``ROOT_2.txt``
    and so on, which GetDist compares. Ranges are the edges of the priors, N where there is none.

    Parameters
    ----------
    chain : Chain
        The chain.
    root : Path
        The files without their endings.
    discard, thin : int
        See `Chain.get`.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ChainError
        If no sample is left, or a file cannot be written.
    """
    beside = [root.with_name(root.name + end) for end in (".paramnames", ".ranges")]
    number = len(chain.ensembles)
    texts = [
        root.with_name(f"{root.name}_{k + 1}.txt" if number > 1 else f"{root.name}.txt")
        for k in range(number)
    ]
    refuse([*beside, *texts], chain.path, overwrite=overwrite)
    selection = select(chain, discard, thin)
    derived = chain.quantities[len(chain.names) :]
    for ensemble, path in zip(chain.ensembles, texts, strict=True):
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"# {line}\n" for line in remarks(selection))
            for rows in _histories(selection, np.flatnonzero(chain.walker_ensemble == ensemble), derived):
                file.writelines(f"1 {' '.join(map(repr, row))}\n" for row in rows.tolist())
    named = [*((name, name) for name in chain.names), *((name, f"{name}*") for name in derived)]
    lines = ["".join(f"{said}\t{title(chain, name)}\n" for name, said in named)]
    lines.append(
        "".join(f"{name} {_edge(chain, name, 'low')} {_edge(chain, name, 'high')}\n" for name in chain.names)
    )
    for path, text in zip(beside, lines, strict=True):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [*texts, *beside]


def _histories(
    selection: Selection, walkers: np.ndarray[Any, Any], derived: tuple[str, ...]
) -> Iterator[Array]:
    """Yield the rows of some walkers, one history after the other: -ln L, parameters, derived."""
    chain = selection.chain
    likelihoods = [f"ll_{row['name']}" for row in chain.likelihoods] or ["log_prob"]
    places: list[Place] = [chain.place(name) for name in (*likelihoods, *chain.names, *derived)]
    number = max(1, BYTES // (8 * selection.steps * len(places)))
    for at in range(0, len(walkers), number):
        group = walkers[at : at + number].tolist()
        columns = chain.samples.read(places, begin=selection.begin, thin=selection.thin, walkers=group)
        minus = -sum(columns[1 : len(likelihoods)], columns[0])
        flat = [column.T.reshape(-1) for column in (minus, *columns[len(likelihoods) :])]
        for begin in range(0, len(minus) * len(group), 10_000):
            yield np.column_stack([column[begin : begin + 10_000] for column in flat])


def _edge(chain: Chain, name: str, side: str) -> str:
    edge = float(chain.row(name)[side])
    return repr(edge) if np.isfinite(edge) else "N"
