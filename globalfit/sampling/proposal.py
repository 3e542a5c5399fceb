"""The frozen proposal of a chain: a source of draws for each component, kept with the chain."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from globalfit.errors import SamplingError
from globalfit.sampling.blocks import Blocks
from globalfit.sampling.mixture import Mixture
from globalfit.sampling.tries import Source


@dataclass(frozen=True)
class Proposal:
    """Sources of independent proposals by the names of their parameters; never changed while a chain runs.

    A component without a source moves by differences alone.
    """

    sources: tuple[tuple[tuple[str, ...], Source], ...]

    def for_components(self, structure: Blocks, names: Sequence[str]) -> tuple[Source | None, ...]:
        """Return the source of each component, None where there is none.

        Raises
        ------
        SamplingError
            If a source belongs to no component: the proposal is of another fit.
        """
        known = dict(self.sources)
        wanted = [tuple(names[i] for i in component.parameters) for component in structure.components]
        for other in known:
            if other not in wanted:
                problem = f"it proposes '{', '.join(other)}' together, which the fit does not"
                raise SamplingError("proposal", problem, "use the one this fit began with")
        return tuple(known.get(each) for each in wanted)

    def to_bytes(self) -> bytes:
        """Return it as an uncompressed npz file; equal proposals give equal bytes."""
        arrays = {}
        for i, (names, source) in enumerate(self.sources):
            arrays[f"names{i}"] = np.array(names)
            arrays[f"weights{i}"], arrays[f"means{i}"] = source.mixture.weights, source.mixture.means
            arrays[f"roots{i}"], arrays[f"common{i}"] = source.mixture.roots, np.array(source.common)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy types its flags into the keywords
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Proposal:
        """Return the proposal that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:

            def read(i: int) -> Source:
                mixture = Mixture(file[f"weights{i}"], file[f"means{i}"], file[f"roots{i}"])
                return Source(mixture, float(file[f"common{i}"]))

            count = len(file.files) // 5
            return cls(tuple((tuple(map(str, file[f"names{i}"])), read(i)) for i in range(count)))
