"""The JSON schema of fit files, with the options of every installed plug-in."""

from __future__ import annotations

from typing import Any

from globalfit.registry import Kind, load, names
from globalfit.tables import FitTable, fields_of


def fit_schema() -> dict[str, Any]:
    """Return the JSON schema of a fit file, for editors that complete and check TOML."""
    schema = FitTable.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "globalfit fit file"
    fields = schema["properties"]
    fields["model"] = {
        "oneOf": _choices("model", "name"),
        "description": fields["model"].get("description", ""),
    }
    for key, kind in (("likelihoods", "likelihood"), ("constraints", "constraint")):
        fields[key] = {
            "type": "object",
            "properties": {name: _options(kind, name) for name in names(kind)},  # type: ignore[arg-type]
            "additionalProperties": {"type": "object", "required": ["class"]},
        }
    parameter = schema["$defs"]["ParameterTable"]["properties"]
    parameter["prior"] = {
        "oneOf": _choices("prior", "shape"),
        "description": parameter["prior"]["description"],
    }
    return schema


def _options(kind: Kind, name: str) -> dict[str, Any]:
    schema = fields_of(load(kind, name)).model_json_schema()
    schema.setdefault("properties", {})["class"] = {
        "type": "string",
        "description": "plug-in or file.py:Class",
    }
    return schema


def _choices(kind: Kind, tag: str) -> list[dict[str, Any]]:
    """One schema per plug-in, told apart by the value of `tag`."""
    found = []
    for name in names(kind):
        schema = fields_of(load(kind, name)).model_json_schema()
        schema.setdefault("properties", {})[tag] = {"const": name}
        schema["required"] = [tag, *schema.get("required", [])]
        found.append(schema)
    return found
