"""Detectors as the kernels see them: how many nuclei, which response, which observables.

`detector` reads them from an experiment's card: its composition and its table [response], which holds the
fields of `Response` and the bin edges of `Detector`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam.nuclei import Scatterer, scatterers
from globalfit.physics.beam.response import Response

OBSERVABLES = ("enuqe", "evis", "costheta")


@dataclass(frozen=True)
class Detector:
    """A target with a response and binned observables; an observable without edges does not exist.

    Parameters
    ----------
    name : str
    composition : mapping of str to float
        Number of nuclei by symbol, in the volume over which the flux is averaged and to which the
        efficiency refers.
    response : Response
    enuqe, evis, costheta : tuple of float
        Bin edges (MeV, MeV, none), increasing.
    window : (float, float) or None
        E_nu^QE range in MeV that events of `evis` and `costheta` must reconstruct to.

    Raises
    ------
    GlobalfitError
        If a nucleus is unknown, a number not positive, or edges do not increase.
    """

    name: str
    composition: Mapping[str, float]
    response: Response
    enuqe: tuple[float, ...] = ()
    evis: tuple[float, ...] = ()
    costheta: tuple[float, ...] = ()
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "composition", MappingProxyType(dict(self.composition)))
        scatterers(self.composition)
        for observable in OBSERVABLES:
            edges = getattr(self, observable)
            if len(edges) == 1 or np.any(np.diff(edges) <= 0.0):
                raise GlobalfitError(
                    self.name, f"edges of '{observable}' do not increase", "give two or more"
                )

    @property
    def parts(self) -> tuple[Scatterer, ...]:
        """The ways of scattering: the first axis of every kernel of this detector."""
        return scatterers(self.composition)


def detector(name: str, composition: Mapping[str, float], response: Mapping[str, Any]) -> Detector:
    """Return the detector of a card: `card.name`, `card.composition`, `card.response`.

    Raises
    ------
    GlobalfitError
        If a field is missing, unknown, of the wrong kind or out of range.
    """
    where = f"{name} [response]"
    numbers = [field.name for field in fields(Response) if field.name != "efficiency"]
    known = ("efficiency", *numbers, *OBSERVABLES, "window")
    for key in response:
        if key not in known:
            raise GlobalfitError(where, f"unknown field '{key}'", did_you_mean(key, known))
    if "efficiency" not in response:
        raise GlobalfitError(where, "'efficiency' is missing", "give [energy in MeV, efficiency] pairs")
    if not any(key in response for key in OBSERVABLES):
        raise GlobalfitError(where, "no observable has bin edges", "give 'enuqe', 'evis' or 'costheta'")
    arrays = {key: _floats(response[key], key, where) for key in (*OBSERVABLES, "window") if key in response}
    if "window" in arrays and len(arrays["window"]) != 2:
        raise GlobalfitError(where, "'window' is not a range", "give [low, high] in MeV")
    pairs = response["efficiency"]
    if not isinstance(pairs, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
        raise GlobalfitError(where, "'efficiency' is not a table", "give [energy in MeV, efficiency] pairs")
    table = tuple((e, value) for e, value in (_floats(pair, "efficiency", where) for pair in pairs))
    single = {key: _floats([response[key]], key, where)[0] for key in numbers if key in response}
    try:
        made = Response(efficiency=table, **single)
    except GlobalfitError as error:
        raise GlobalfitError(where, error.problem, error.remedy) from None
    window = arrays.pop("window", None)
    return Detector(
        name, composition, made, **arrays, window=None if window is None else (window[0], window[1])
    )


def _floats(values: Any, key: str, where: str) -> tuple[float, ...]:
    good = isinstance(values, list | tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
        for value in values
    )
    if not good:
        raise GlobalfitError(where, f"'{key}' is {values!r}", "give finite numbers")
    return tuple(float(value) for value in values)
