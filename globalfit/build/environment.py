"""flavio, imported late, with its central parameters checked."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from globalfit.errors import ModelError
from globalfit.physics.flavour.channels import Channel
from globalfit.physics.flavour.operators import OPERATORS
from globalfit.physics.flavour.store import FLAVIO, PARAMETERS

SCALE = 4.8  # GeV: flavio's renormalisation scale of all channels; coefficients set here do not run


@dataclass(frozen=True)
class Flavio:
    """The imported package with its central parameters."""

    package: Any
    central: dict[str, float]
    versions: dict[str, str]

    def coefficients(self, values: Mapping[str, complex], scale: float = SCALE) -> Any:
        """Return flavio's WilsonCoefficients with `values` {WCxf name: value} set at `scale`."""
        made = self.package.WilsonCoefficients()
        made.set_initial(dict(values), scale)
        return made

    def predict(self, name: str, coefficients: Any, parameters: dict[str, float], *arguments: float) -> float:
        """Return flavio's prediction of the observable `name`."""
        return float(self.package.Observable[name].prediction_par(parameters, coefficients, *arguments))

    def rate(self, channel: Channel, q2: float, coefficients: Any, parameters: dict[str, float]) -> float:
        """Return dBR/dq^2 of `channel` at `q2` in GeV^-2, or its branching ratio if it is leptonic."""
        pair = channel.lepton * 2
        if channel.kind == "leptonic":
            return self.predict(f"BR({channel.process}{pair})", coefficients, parameters)
        return self.predict(f"dBR/dq2({channel.process}{pair})", coefficients, parameters, q2)


def wcxf_names(channel: Channel) -> tuple[str, ...]:
    """Return the WCxf names of `OPERATORS` for the transition and lepton of `channel`."""
    transition = "bd" if channel.process.startswith("B0->") and channel.kind == "leptonic" else "bs"
    pair = transition + channel.lepton * 2
    return tuple(f"{op}_{transition if op.startswith('C7') else pair}" for op in OPERATORS)


def open_flavio() -> Flavio:
    """Import flavio (5-8 s) and check its version and input parameters.

    Raises
    ------
    ModelError
        If flavio cannot be imported or is not the one the forms belong to.
    """
    try:
        import flavio
    except Exception as error:  # with particle >= 1 the import of flavio fails on a missing data file
        raise ModelError(
            "flavio", f"cannot be imported ({error})", "install flavio==2.7.1 with 'particle>=0.26,<1'"
        ) from None
    versions = {name: importlib.metadata.version(name) for name in ("flavio", "wilson", "particle")}
    central = {name: float(value) for name, value in flavio.default_parameters.get_central_all().items()}
    if versions["flavio"] != FLAVIO:
        raise ModelError("flavio", f"version {versions['flavio']} is installed", f"install flavio=={FLAVIO}")
    if parameters_hash(central) != PARAMETERS:
        raise ModelError(
            "flavio", "its central parameters are not those of the release", "undo changes of its parameters"
        )
    return Flavio(flavio, central, versions)


def parameters_hash(central: dict[str, float]) -> str:
    """Return the sha256 of the sorted central parameters."""
    return hashlib.sha256(
        json.dumps({name: repr(central[name]) for name in sorted(central)}).encode()
    ).hexdigest()
