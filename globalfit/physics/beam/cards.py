"""Experiment cards: a beam, a detector volume, its nuclei and the exposure, declared in a small TOML file.

name = "miniboone"
reference = "..."
beam = { kind = "booster" }     # or one of the kinds below, with numbers of their own
volume = { shape = "sphere", centre = [0, 0, 541], size = [6.106] }  # m, in the frame of the beam
composition = { C = 3.46e31, H = 6.92e31 }   # nuclei in the volume
[exposure]                                   # protons on target
nu = 1.875e21
[response]                                   # optional, read by the detector's side

Kinds of beam, `BEAMS`: "booster"; "stopped-pion" with pi+ at rest per proton, the share that decays in
flight and, if there are kaons, K+ at rest per proton; "collinear" for high-energy beams: pi+ along the axis,
ln p normal with width `spread`, whose neutrinos have the mean energy (MeV) and the flux (per cm^2 per proton)
given, and `kaons` K+ decays per pi+ decay at the same momenta.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.geometry import SIZES, Volume
from globalfit.physics.beam.grid import MODES
from globalfit.physics.beam.mesons import MESONS, MesonSample, concatenate
from globalfit.physics.beam.nuclei import ISOTOPES
from globalfit.physics.beam.sources import booster, collinear, stopped, stopped_pions_800mev
from globalfit.physics.beam.spectrum import Line, Spectrum

FIELDS = ("name", "reference", "beam", "volume", "composition", "exposure")
#: Numbers of each kind of beam, and those that may be left out.
BEAMS = {
    "booster": ((), ()),
    "stopped-pion": (("per_proton", "in_flight"), ("kaons_per_proton",)),
    "collinear": (("neutrino_energy", "neutrino_flux", "spread", "kaons"), ()),
}


@dataclass(frozen=True)
class Card:
    """One experiment: beam, volume, nuclei, protons on target by mode; `response` as declared."""

    name: str
    reference: str
    beam: str
    beam_numbers: Mapping[str, float]
    volume: Volume
    composition: Mapping[str, float]
    exposure: Mapping[str, float]
    response: Mapping[str, Any]

    def source(self, parent: str, mode: str, n: int = 2**17, seed: int = 1) -> MesonSample:
        """Return the decays of a parent per proton on target (`sources`).

        Raises
        ------
        GlobalfitError
            If the experiment never ran in this mode, or its beam makes no such parent.
        """
        if mode not in self.exposure:
            raise GlobalfitError(
                self.name, f"no exposure in mode '{mode}'", did_you_mean(mode, self.exposure)
            )
        if parent not in MESONS:
            raise GlobalfitError(self.name, f"no parent named '{parent}'", did_you_mean(parent, MESONS))
        if self.beam == "booster":
            return booster(parent, mode, n, seed)
        if parent not in self.parents:
            known = ", ".join(f"'{each}'" for each in self.parents)
            raise GlobalfitError(self.name, f"a {self.beam} source has no '{parent}'", f"use {known}")
        numbers = self.beam_numbers
        if self.beam == "collinear":
            return collinear(parent, self.volume, numbers, n, seed)
        if parent == "k+":
            return stopped("k+", numbers["kaons_per_proton"], (0.0, 0.0, 0.0), min(n, 2**14), seed)
        parts = stopped_pions_800mev(
            n, seed, per_proton=numbers["per_proton"], in_flight=numbers["in_flight"]
        )
        return concatenate(list(parts.values()))

    @property
    def parents(self) -> tuple[str, ...]:
        """Charged mesons of the beam."""
        if self.beam == "booster":
            return ("pi+", "pi-", "k+", "k-")
        kaons = self.beam == "collinear" or "kaons_per_proton" in self.beam_numbers
        return ("pi+", "k+") if kaons else ("pi+",)

    def flux(self, parent: str, mode: str, spectrum: Line | Spectrum, n: int = 2**17, seed: int = 1) -> Array:
        """Return the flux H (..., 89) per proton on target of a decay product in the volume (`flux.flux`)."""
        return flux(self.source(parent, mode, n, seed), self.volume, spectrum)


def read_card(path: Path) -> Card:
    """Return the card of a TOML file.

    Raises
    ------
    GlobalfitError
        If the file cannot be read, a field is missing, unknown, or not a positive number, or a nucleus is
        unknown.
    """
    try:
        with path.open("rb") as file:
            return card(tomllib.load(file), str(path))
    except OSError as error:
        raise GlobalfitError(str(path), "the card cannot be read", "check the path") from error
    except tomllib.TOMLDecodeError as error:
        raise GlobalfitError(str(path), f"not valid TOML: {error}", "correct the line") from error


def card(table: Mapping[str, Any], where: str = "card") -> Card:
    """Return the card of a parsed table; errors as in `read_card`."""
    _known(table, (*FIELDS, "response"), where)
    for field in FIELDS:
        if field not in table:
            raise GlobalfitError(where, f"'{field}' is missing", "add it")
    for field in FIELDS[2:]:
        if not isinstance(table[field], Mapping):
            raise GlobalfitError(where, f"'{field}' is not a table", f"write {field} = {{ ... }}")
    beam = table["beam"]
    kind = beam.get("kind")
    if kind not in BEAMS:
        raise GlobalfitError(f"{where} [beam]", f"no beam of kind '{kind}'", did_you_mean(str(kind), BEAMS))
    required, optional = BEAMS[kind]
    _known(beam, ("kind", *required, *optional), f"{where} [beam]")
    wanted = (*required, *(key for key in optional if key in beam))
    numbers = {key: _positive(beam, key, f"{where} [beam]") for key in wanted}
    exposure = {mode: _positive(table["exposure"], mode, f"{where} [exposure]") for mode in table["exposure"]}
    _known(exposure, MODES, f"{where} [exposure]")
    nuclei = table["composition"]
    for symbol in nuclei:
        if symbol not in ISOTOPES:
            problem = f"no nucleus named '{symbol}'"
            raise GlobalfitError(f"{where} [composition]", problem, did_you_mean(symbol, ISOTOPES))
    composition = {symbol: _positive(nuclei, symbol, f"{where} [composition]") for symbol in nuclei}
    for field, content in (("exposure", exposure), ("composition", composition)):
        if not content:
            raise GlobalfitError(f"{where} [{field}]", "it is empty", "give at least one entry")
    return Card(
        str(table["name"]),
        str(table["reference"]),
        kind,
        numbers,
        _volume(table["volume"], f"{where} [volume]"),
        composition,
        exposure,
        dict(table.get("response", {})),
    )


def _volume(table: Mapping[str, Any], where: str) -> Volume:
    _known(table, ("shape", "centre", "size"), where)
    shape = table.get("shape")
    if shape not in SIZES:
        raise GlobalfitError(where, f"no shape named '{shape}'", did_you_mean(str(shape), SIZES))
    centre, size = table.get("centre"), table.get("size", [])
    if not isinstance(centre, list) or len(centre) != 3 or not all(map(_finite, centre)):
        raise GlobalfitError(where, f"'centre' is {centre!r}", "give [x, y, z] in m")
    if not isinstance(size, list) or len(size) != SIZES[shape]:
        raise GlobalfitError(where, f"'size' of a {shape} is {size!r}", f"give {SIZES[shape]} length(s) in m")
    if not all(_finite(length) and length > 0.0 for length in size):
        raise GlobalfitError(where, f"'size' is {size!r}", "lengths are positive, in m")
    x, y, z = (float(value) for value in centre)
    return Volume(shape, (x, y, z), tuple(float(length) for length in size))


def _known(table: Iterable[str], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in set(known):
            raise GlobalfitError(where, f"unknown field '{key}'", did_you_mean(key, known))


def _positive(table: Mapping[str, Any], key: str, where: str) -> float:
    if key not in table:
        raise GlobalfitError(where, f"'{key}' is missing", "add it")
    value = table[key]
    if not _finite(value) or value <= 0.0:
        raise GlobalfitError(where, f"'{key}' is {value!r}", "give a positive number")
    return float(value)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
