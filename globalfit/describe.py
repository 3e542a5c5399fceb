"""What plug-ins say of themselves, in plain types: the content of ``globalfit list`` and ``show``."""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

from globalfit import likelihood as contract
from globalfit.registry import GROUPS, Kind, load, names, origin


def plugin_rows() -> list[dict[str, str]]:
    """Return kind, name, what it is and where it comes from, for every installed plug-in."""
    rows = []
    for kind in GROUPS:
        for name in names(kind):
            try:
                what = first_line(load(kind, name))
            except Exception as error:  # one broken plug-in must not hide the others
                what = f"cannot be loaded: {error}"
            rows.append({"kind": kind, "name": name, "what": what, "from": origin(kind, name)})
    return rows


def first_line(cls: type[Any]) -> str:
    """Return the first line of a class's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def describe_plugin(kind: Kind, name: str) -> dict[str, Any]:
    """Return what a plug-in says of itself: doc, options with defaults, parameters, measurements."""
    cls = load(kind, name)
    options = {}
    if dataclasses.is_dataclass(cls):
        hints = get_type_hints(cls)
        for field in dataclasses.fields(cls):
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            default = (
                field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            )
            options[field.name] = {
                "type": _type(hints[field.name]),
                "default": "(required)" if required else _value(default),
            }
    found: dict[str, Any] = {"kind": kind, "name": name, "from": origin(kind, name), "options": options}
    found["doc"] = _doc(cls)
    if kind in ("prior", "constraint"):
        return found
    plugin = cls()
    found["reference"] = str(plugin.reference)
    if kind == "likelihood":
        found["needs"] = list(plugin.needs)
        found["parameters"] = [_parameter(each) for each in contract.nuisances(plugin)]
        found["measurements"] = [_measurement(cls, *each) for each in getattr(cls, "vintages", {}).items()]
    else:
        found["parameters"] = [
            _parameter(each) | {"range": prior_text(plugin.ranges[each.name])} for each in plugin.parameters
        ]
        found["derived"] = [each.name for each in plugin.derived]
        found["coordinates"] = {key: sorted(value) for key, value in plugin.coordinates.items()}
        found["notes"] = list(getattr(plugin, "notes", {}).values())
    return found


def _doc(cls: type[Any]) -> str:
    """Return a class's docstring without what it raises; options a base class explains are added."""
    doc = (inspect.getdoc(cls) or "").partition("\nRaises\n------")[0].rstrip()
    for base in cls.__mro__[1:-1]:
        _, heading, options = (inspect.getdoc(base) or "").partition("\nParameters\n----------")
        if heading and heading not in doc:
            return f"{doc}\n{heading}{options}".partition("\nRaises\n------")[0].rstrip()
    return doc


def _parameter(parameter: Any) -> dict[str, str]:
    default = "" if parameter.prior is None else prior_text(parameter.prior)
    return {"name": parameter.name, "unit": parameter.unit, "default": default}


def _measurement(cls: type[Any], name: str, date: datetime.date) -> dict[str, Any]:
    """Return a measurement's name, date and citation, and its value and error if the class tells them."""
    plugin = cls(measurement=name)
    found: dict[str, Any] = {"name": name, "used_from": date.isoformat(), "reference": str(plugin.reference)}
    for key, member in (("value", "observed"), ("error", "error_observed")):
        if isinstance(told := getattr(plugin, member, None), int | float):
            found[key] = float(told)
    return found


def prior_text(prior: Any) -> str:
    """Return a prior as ``log-uniform 5 .. 200``, or its shape with its fields."""
    shape = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(prior).__name__).lower()
    if not dataclasses.is_dataclass(prior):
        return shape
    fields = {field.name: getattr(prior, field.name) for field in dataclasses.fields(prior)}
    if list(fields) == ["value"]:
        return _value(fields["value"])
    if list(fields) == ["low", "high"]:
        return f"{shape} {_value(fields['low'])} .. {_value(fields['high'])}"
    return f"{shape} " + ", ".join(f"{k} = {_value(v)}" for k, v in fields.items() if v is not None)


def _type(hint: Any) -> str:
    """Return a field's type in the reader's terms: the words to choose from, or the type's name."""
    if get_origin(hint) is Literal:
        return " or ".join(repr(each) for each in get_args(hint))
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "")


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
