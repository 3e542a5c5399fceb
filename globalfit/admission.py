"""What a likelihood has to show before a fit takes it: its members, and names that others can rely on."""

from __future__ import annotations

import re
from typing import Any

from globalfit import likelihood as contract
from globalfit.errors import FitError
from globalfit.registry import Kind

MEMBERS = ("name", "reference", "needs", "predict", "log_likelihood")
OTHERS: dict[Kind, tuple[str, ...]] = {
    "model": ("name", "reference", "parameters", "ranges", "derived", "coordinates", "point"),
    "prior": ("scale", "log_density", "quantile"),
    "constraint": ("name", "needs", "allows"),
}
PLUGIN_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
PARAMETER_NAME = r"[a-z][a-z0-9_]*"


def admit(likelihood: Any, installed: tuple[str, ...], where: str) -> None:
    """Refuse an object that a plug-in class made and that is no likelihood.

    Parameters
    ----------
    likelihood : object
        What the class made.
    installed : tuple of str
        Names it may not have: those of the installed plug-ins, if it comes from a loose file.
    where : str
        Where the fit names it.

    Raises
    ------
    FitError
        If a member is missing or has the wrong type, or a name is malformed or taken.
    """
    cls = type(likelihood).__name__
    try:
        problem, remedy = _flaw(likelihood, installed, f"class '{cls}'")
    except Exception as error:  # a property of the plug-in that fails
        raise FitError(
            where, f"class '{cls}' raised {type(error).__name__}: {error}", "see --debug"
        ) from error
    if problem:
        raise FitError(where, problem, remedy)


def require(plugin: Any, kind: Kind, where: str) -> None:
    """Refuse an object that lacks a member of a model, prior or constraint."""
    for member in OTHERS[kind]:
        if not hasattr(plugin, member):
            problem = f"class '{type(plugin).__name__}' has no '{member}'"
            raise FitError(where, problem, f"a {kind} has {', '.join(OTHERS[kind])}")


def _flaw(likelihood: Any, installed: tuple[str, ...], cls: str) -> tuple[str, str]:
    for member in MEMBERS:
        if not hasattr(likelihood, member):
            return f"{cls} has no '{member}'", "see 'globalfit new-likelihood' for what one looks like"
    name, needs = likelihood.name, likelihood.needs
    if not isinstance(name, str) or not re.fullmatch(PLUGIN_NAME, name):
        return f"the 'name' {name!r} of {cls} is not a plug-in name", "use lower case, digits and '-'"
    if name in installed:
        return f"{cls} has the name '{name}' of an installed likelihood", "give it a 'name' of its own"
    if not isinstance(needs, tuple) or not all(isinstance(each, str) for each in needs):
        return f"'needs' of {cls} is not a tuple of names", "a single one is written ('y_mu',)"
    for parameter in contract.nuisances(likelihood):
        if not re.fullmatch(PARAMETER_NAME, parameter.name):
            problem = f"the nuisance parameter '{parameter.name}' of {cls} is not a parameter name"
            return problem, "use lower case, digits and '_'"
    return "", ""
