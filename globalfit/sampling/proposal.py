"""The frozen proposal of a chain: a mixture for each component of the posterior, kept with the chain."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from globalfit.errors import SamplingError
from globalfit.sampling.blocks import Blocks
from globalfit.sampling.mixture import Mixture


@dataclass(frozen=True)
class Proposal:
    """Mixtures by the names of the parameters they propose; it never changes while a chain runs.

    A component without a mixture moves by differences alone.
    """

    mixtures: tuple[tuple[tuple[str, ...], Mixture], ...]

    def for_components(self, structure: Blocks, names: Sequence[str]) -> tuple[Mixture | None, ...]:
        """Return the mixture of each component, None where there is none.

        Raises
        ------
        SamplingError
            If a mixture belongs to no component: the proposal is of another fit.
        """
        known = dict(self.mixtures)
        wanted = [tuple(names[i] for i in component.parameters) for component in structure.components]
        for other in known:
            if other not in wanted:
                problem = f"it proposes '{', '.join(other)}' together, which the fit does not"
                raise SamplingError("proposal", problem, "use the one this fit began with")
        return tuple(known.get(each) for each in wanted)

    def to_bytes(self) -> bytes:
        """Return it as an uncompressed npz file; equal proposals give equal bytes."""
        arrays = {}
        for i, (names, mixture) in enumerate(self.mixtures):
            arrays[f"names{i}"] = np.array(names)
            arrays[f"weights{i}"], arrays[f"means{i}"] = mixture.weights, mixture.means
            arrays[f"roots{i}"] = mixture.roots
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy types its flags into the keywords
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Proposal:
        """Return the proposal that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return cls(
                tuple(
                    (
                        tuple(str(name) for name in file[f"names{i}"]),
                        Mixture(file[f"weights{i}"], file[f"means{i}"], file[f"roots{i}"]),
                    )
                    for i in range(len(file.files) // 4)
                )
            )
