"""``[sampler]`` checked against the parameters of the fit."""

from __future__ import annotations

import numpy as np

from globalfit.errors import did_you_mean
from globalfit.parameters import ParameterSpace
from globalfit.problems import Problems
from globalfit.tables import SamplerTable


def check_settings(settings: SamplerTable, space: ParameterSpace, problems: Problems) -> None:
    """Add what is wrong with the number of walkers and the start to `problems`."""
    place = problems.at("sampler")
    if settings.walkers % 2:
        problems.refuse(place, f"'walkers' = {settings.walkers} is odd", "give an even number")
    elif settings.walkers < 2 * space.dim:
        problem = f"'walkers' = {settings.walkers} is too few for {space.dim} sampled parameters"
        problems.refuse(place, problem, f"give at least {2 * space.dim}")
    if settings.start == "point":
        _check_point(settings, space, problems)
    elif settings.point:
        problems.refuse(place, f"'point' is given, but start = '{settings.start}'", "set start = 'point'")


def _check_point(settings: SamplerTable, space: ParameterSpace, problems: Problems) -> None:
    place = problems.at("sampler", "point")
    for name in settings.point:
        if name not in space.names:
            problems.refuse(place, f"'{name}' is not sampled", did_you_mean(name, space.names))
    missing = [f"'{name}'" for name in space.names if name not in settings.point]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        problems.refuse(place, f"{', '.join(missing)} {verb} missing", "name every sampled parameter")
    for name, prior in zip(space.names, space.priors, strict=True):
        value = settings.point.get(name)
        if value is not None and not prior.log_density(np.array([value]))[0] > -np.inf:
            problems.refuse(place, f"'{name}' = {value:g} is outside its prior", "move it inside")
