"""From the dark sector to its abundance: channels, thermal average, Boltzmann equation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.errors import GlobalfitError
from globalfit.physics.compiled_code import Engine, is_compiled
from globalfit.physics.freeze_out.annihilation import Channel
from globalfit.physics.freeze_out.boltzmann import (
    X_END,
    Relic,
    Steps,
    effective_k2,
    solve,
    steps,
)
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.dark_sector import DarkSector
from globalfit.physics.freeze_out.degrees_of_freedom import T_MAX, T_MIN
from globalfit.physics.freeze_out.nodes import Nodes, nodes
from globalfit.physics.freeze_out.thermal_average import thermal_average
from globalfit.physics.freeze_out.windows import windowed

X_CHECKED: Final = 8.0  # g*(T) has to be known from here on; earlier its last value stands


@lru_cache(maxsize=8)
def grid(x_end: float = X_END) -> tuple[Steps, Nodes]:
    """Return the steps of the Boltzmann equation up to `x_end` and the nodes of the thermal average."""
    found = steps(x_end=x_end)
    return found, nodes(tuple(found.x.tolist()))


def relic(dark: DarkSector, x_end: float = X_END, engine: Engine = "numpy") -> Relic:
    """Return the abundance of the dark fermions by freeze-out, of all points at once.

    `engine` "numba" is compiled code, the same to 1e-8; what it does not know (the axial current) is left to
    numpy. "auto" takes it where numba is installed.

    Raises
    ------
    GlobalfitError
        If a mass is not positive, the gap is negative, a width is not a number, or freeze-out happens where
        g*(T) is not known.
    """
    check(dark, x_end)
    if is_compiled(engine):
        from globalfit.physics.freeze_out import compiled  # imports numba

        if compiled.supports(dark):
            return compiled.compiled(dark, x_end)
    return windowed(dark.m_eta, dark.delta_eta, channels(dark), x_end)


def relic_of(
    m: Array, delta: Array, open_channels: Sequence[Channel], boltzmann_steps: Steps, average_nodes: Nodes
) -> Relic:
    """Return the abundance of two Majorana fermions of masses m and m + delta (n,) through given channels.

    Every channel at every temperature of every step: what `relic` is compared with.
    """
    kappa = effective_k2(delta / m, boltzmann_steps.x)
    # Omega h^2 ends at the relativistic yield however small this is
    sigma_v = np.maximum(thermal_average(m, kappa, open_channels, average_nodes), 1e-60)
    return Relic.of(m, sigma_v, solve(m, kappa, sigma_v, boltzmann_steps), boltzmann_steps)


def check(dark: DarkSector, x_end: float = X_END) -> None:
    """Refuse points that have no abundance: see `relic`."""
    for name in ("m_eta", "m_aprime", "m_phi"):
        mass = getattr(dark, name)
        _refuse(
            ~((mass > 0.0) & np.isfinite(mass)), mass, name, "is not a positive mass", "give a mass in MeV"
        )
    gap = dark.delta_eta
    _refuse(~((gap >= 0.0) & np.isfinite(gap)), gap, "delta_eta", "is negative", "eta_1 is the lighter state")
    for name in ("width_aprime", "width_phi"):
        width = getattr(dark, name)
        bad = ~((width >= 0.0) & np.isfinite(width))
        _refuse(bad, width, name, "is not a width", "check the masses it is computed from")
    hot, cold = dark.m_eta / X_CHECKED > T_MAX, dark.m_eta / x_end < T_MIN
    reason = f"freezes out where g*(T) is not known, outside {T_MIN:g} to {T_MAX:g} MeV"
    remedy = f"keep it within {T_MIN * x_end:g} to {T_MAX * X_CHECKED:g} MeV"
    _refuse(hot | cold, dark.m_eta, "m_eta", reason, remedy)


def _refuse(bad: Mask, values: Array, name: str, problem: str, remedy: str) -> None:
    if bad.any():
        raise GlobalfitError("relic density", f"{name} = {values[bad][0]:.6g} MeV {problem}", remedy)
