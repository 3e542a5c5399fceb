"""The variants of a model class that one choice of one option gives."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from globalfit.model import Model


def variants(cls: type[Any]) -> Iterator[tuple[dict[str, Any], Model]]:
    """Yield options and model: the default first, then every single choice of an option with choices."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    hints = get_type_hints(cls)
    choices = [
        {field.name: choice}
        for field in fields
        if get_origin(hints[field.name]) is Literal
        for choice in get_args(hints[field.name])
    ]
    for options in ({}, *choices):
        with contextlib.suppress(Exception):  # a choice that needs another one with it
            yield options, cls(**options)


def option_that_adds(model: Model, parameter: str) -> str:
    """Return ``name = 'choice'`` of an option with which the model has a parameter, or an empty string."""
    for options, variant in variants(type(model)):
        if any(each.name == parameter for each in variant.parameters):
            return ", ".join(f"{name} = '{choice}'" for name, choice in options.items())
    return ""
