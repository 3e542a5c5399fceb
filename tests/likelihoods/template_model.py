"""A small real model for the beam likelihoods: spectra of fixed shape, with dump and LSND events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array, Columns
from globalfit.coordinates import Coordinate
from globalfit.model import Point
from globalfit.parameters import Parameter, Prior, Quantity
from globalfit.physics.meson_limits import br_lepton_nu_aprime
from globalfit.priors.shapes import LogUniform

SHAPE_NU = np.exp(-np.arange(11.0) / 2.5)
SHAPE_COS = np.linspace(0.2, 1.8, 20)
SHAPE_EVIS = np.exp(-np.arange(23.0) / 5.0)
F = 14_142.0  # MeV


@dataclass(frozen=True, eq=False)
class TemplatePoint(Point):
    """`events` of neutrino mode, their `ratio` to antineutrino mode, share from `neutral` mesons."""

    @cached_property
    def signal_nu(self) -> Array:
        return self.events[:, None] * SHAPE_NU / SHAPE_NU.sum()

    @cached_property
    def signal_nubar(self) -> Array:
        return self.signal_nu / self.ratio[:, None]

    @cached_property
    def signal_costheta(self) -> Array:
        return self.events[:, None] * SHAPE_COS / SHAPE_COS.sum()

    @cached_property
    def signal_evis(self) -> Array:
        return self.events[:, None] * SHAPE_EVIS / SHAPE_EVIS.sum()

    @cached_property
    def signal_dump_charged(self) -> Array:
        # protons on target, and a flux 34 times smaller
        return (1.0 - self.neutral) * self.events * 1.86 / 18.75 / 34.0

    @cached_property
    def signal_dump_neutral(self) -> Array:
        return self.neutral * self.events * 1.86 / 18.75 * 1.11  # no horn: 1/0.90 a proton

    @cached_property
    def signal_lsnd(self) -> Array:
        return 0.33 * self.events

    @cached_property
    def m_x(self) -> Array:
        return self.mass

    @cached_property
    def br_k_mu_nu_x(self) -> Array:
        return br_lepton_nu_aprime("k", "mu", self.mass, np.full(self.n, F), 1.0, -1.0)

    @cached_property
    def br_pi_e_nu_x(self) -> Array:
        return br_lepton_nu_aprime("pi", "e", self.mass, np.full(self.n, F), 0.0, -2.0)

    @cached_property
    def br_pi_mu_nu_x(self) -> Array:
        return br_lepton_nu_aprime("pi", "mu", self.mass, np.full(self.n, F), 1.0, -2.0)


@dataclass(frozen=True)
class Template:
    """Four parameters."""

    name: str = "template"
    reference: str = "made for tests"
    parameters: tuple[Parameter, ...] = (
        Parameter("events"),
        Parameter("ratio"),
        Parameter("neutral"),
        Parameter("mass", "MeV"),
    )
    derived: tuple[Quantity, ...] = ()

    @property
    def ranges(self) -> Mapping[str, Prior]:
        return {
            "events": LogUniform(1.0, 2000.0),
            "ratio": LogUniform(2.0, 20.0),
            "neutral": LogUniform(1e-3, 1.0),
            "mass": LogUniform(1.0, 400.0),
        }

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        return {}

    def point(self, columns: Columns) -> TemplatePoint:
        return TemplatePoint(columns, self.name)
