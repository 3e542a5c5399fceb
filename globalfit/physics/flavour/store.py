"""The forms file: HDF5 with provenance and a hash of its numbers; what does not fit is refused."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import cast

import h5py
import numpy as np

from globalfit.errors import ModelError
from globalfit.physics.flavour.channels import Channel
from globalfit.physics.flavour.forms import ChannelForms, FlavourForms
from globalfit.physics.flavour.operators import OPERATORS, Kind
from globalfit.physics.wilson import Lepton

FORMAT = "globalfit flavour forms 1"
FLAVIO = "2.7.1"
#: sha256 of all central parameters of flavio 2.7.1 read with the 2022 PDG table; see build.environment.
PARAMETERS = "613221a2f4052470fe67607dfe40f4e93822dac3309e72b1f39f1cea74d6e56f"

_ARRAYS = ("q2", "weights", "rate", "error_q2", "error_weights", "modes")
_REBUILD = "build it with 'globalfit build flavour'"


def save_forms(path: Path, forms: FlavourForms) -> None:
    """Write `forms` to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, value in forms.provenance.items():
            file.attrs[key] = value
        file.attrs["format"] = FORMAT
        file.attrs["numbers_sha256"] = digest(forms)
        file.attrs["running"] = _running_text(forms)
        for name, each in forms.channels.items():
            made = file.create_group(f"channels/{name}")
            made.attrs["kind"], made.attrs["lepton"] = each.channel.kind, each.channel.lepton
            made.attrs["process"] = each.channel.process
            made.attrs["bin"], made.attrs["rule"] = each.channel.bin, each.channel.rule
            made.attrs["error_directions"] = each.error_directions
            for key in _ARRAYS:
                made.create_dataset(key, data=getattr(each, key), shuffle=True, compression="gzip")


@cache
def load_forms(path: Path) -> FlavourForms:
    """Read a forms file; kept in memory for the process.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another flavio, or of other input parameters.
    """
    where = path.name
    if not path.is_file():
        raise ModelError(where, "the file of flavour forms is missing", _REBUILD)
    try:
        with h5py.File(path, "r") as file:
            attributes = {str(key): value for key, value in file.attrs.items()}
            _check(where, attributes)
            forms = FlavourForms(
                {str(name): _read(str(name), file[f"channels/{name}"]) for name in file["channels"]},
                _running(json.loads(str(attributes.pop("running")))),
                {key: str(value) for key, value in attributes.items()},
            )
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(where, f"the file of flavour forms is damaged ({error})", _REBUILD) from None
    if digest(forms) != attributes["numbers_sha256"]:
        raise ModelError(where, "the numbers do not match their hash", _REBUILD)
    return forms


def digest(forms: FlavourForms) -> str:
    """Return the sha256 of all numbers of `forms`."""
    total = hashlib.sha256(_running_text(forms).encode())
    for name in sorted(forms.channels):
        total.update(name.encode())
        for key in _ARRAYS:
            total.update(np.ascontiguousarray(getattr(forms.channels[name], key)).tobytes())
    return total.hexdigest()


def _check(where: str, attributes: dict[str, object]) -> None:
    if attributes.get("format") != FORMAT:
        raise ModelError(where, "not a file of flavour forms of this version", _REBUILD)
    if attributes["flavio"] != FLAVIO:
        raise ModelError(where, f"built with flavio {attributes['flavio']}, not {FLAVIO}", _REBUILD)
    if attributes["parameters_sha256"] != PARAMETERS:
        raise ModelError(where, "built with other input parameters than flavio's own", _REBUILD)


def _read(name: str, made: h5py.Group) -> ChannelForms:
    low, high = (float(edge) for edge in made.attrs["bin"])
    panels, order = (int(count) for count in made.attrs["rule"])
    channel = Channel(
        name,
        cast(Kind, str(made.attrs["kind"])),
        cast(Lepton, str(made.attrs["lepton"])),
        str(made.attrs["process"]),
        (low, high),
        (panels, order),
    )
    arrays = {key: made[key][()] for key in _ARRAYS}
    return ChannelForms(
        channel, error_directions=tuple(int(i) for i in made.attrs["error_directions"]), **arrays
    )


def _running_text(forms: FlavourForms) -> str:
    return json.dumps(
        {
            f"{scale:g}": [[*target, *source] for target, sources in table.items() for source in sources]
            for scale, table in forms.running.items()
        }
    )


def _running(
    text: dict[str, list[tuple[Lepton, str, Lepton, str, float]]],
) -> dict[float, dict[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]]]:
    tables: dict[float, dict[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]]] = {}
    for scale, rows in text.items():
        table: dict[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]] = {}
        for lepton, operator, source, name, factor in rows:
            if operator not in OPERATORS or name not in OPERATORS:
                raise ValueError(f"unknown operator '{operator}'")
            table[lepton, operator] = (*table.get((lepton, operator), ()), (source, name, factor))
        tables[float(scale)] = table
    return tables
