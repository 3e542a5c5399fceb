"""The conformance test of a plug-in by name: what ``globalfit test-likelihood`` runs."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from globalfit import likelihood as contract
from globalfit.errors import GlobalfitError, PluginError
from globalfit.likelihood import Likelihood
from globalfit.model import Model, probe
from globalfit.one_point import as_batched
from globalfit.registry import load, load_file
from globalfit.testing import Finding, check_likelihood


def serving_model(cls: type[Any], likelihood: Likelihood) -> Model:
    """Return a model of class `cls` that has what `likelihood` needs.

    With its default options if they will do, otherwise with the first single choice of an option that does;
    the default model if none does.
    """
    default: Model = cls()
    extra: tuple[str, ...] = ()
    with contextlib.suppress(Exception):
        extra = tuple(parameter.name for parameter in contract.nuisances(likelihood))
    hints = get_type_hints(cls)
    choices = [
        {field.name: choice}
        for field in (dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ())
        if get_origin(hints[field.name]) is Literal
        for choice in get_args(hints[field.name])
    ]
    for options in ({}, *choices):
        with contextlib.suppress(Exception):  # what is wrong with the likelihood its test will tell
            model: Model = cls(**options)
            probe(model, tuple(likelihood.needs), extra)
            return model
    return default


def findings_for(name: str, model_name: str, points: int = 64, seed: int = 0) -> list[Finding]:
    """Test a likelihood on points of a model's natural ranges.

    Parameters
    ----------
    name : str
        A plug-in, or ``file.py:Class``.
    model_name : str
        The model that provides the points.
    points, seed : int
        How many points, and the seed they are drawn with.

    Raises
    ------
    PluginError
        If either plug-in cannot be loaded or needs options it has no default for.
    """
    cls = load_file(name, Path.cwd()) if ":" in name else load("likelihood", name)
    try:
        likelihood: Likelihood = cls()
        model = serving_model(load("model", model_name), likelihood)
    except GlobalfitError:
        raise
    except Exception as error:
        problem = f"cannot be made without options: {type(error).__name__}: {error}"
        raise PluginError(name, problem, "give its fields defaults") from error
    rng = np.random.default_rng(seed)
    columns = {key: prior.quantile(rng.random(points)) for key, prior in model.ranges.items()}
    with contextlib.suppress(Exception):  # what is wrong is found and told by the test itself
        for parameter in contract.nuisances(likelihood):
            if parameter.prior is not None:
                columns[parameter.name] = parameter.prior.quantile(rng.random(points))
        likelihood = as_batched(likelihood, model.point(columns))
    return check_likelihood(likelihood, model, columns=columns)
