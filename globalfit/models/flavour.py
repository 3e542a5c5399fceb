"""The b -> s l l sector of a model: its parameters and Wilson coefficients, by the option ``flavour``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from globalfit.errors import ModelError
from globalfit.model import Point
from globalfit.parameters import Parameter, Prior
from globalfit.physics import wilson
from globalfit.physics.wilson import WilsonCoefficients
from globalfit.priors.shapes import Fixed, SignedLogUniform, Uniform

Flavour: TypeAlias = Literal["none", "contact", "mediator"]

CONTACT = (
    Parameter("c10_universal", "", r"C_{10}^U"),
    Parameter("c_muon", "", r"C_{9,10}^{\mu}"),
    Parameter("c_muon_primed", "", r"C_{9,10}^{\prime\mu}", Fixed(0.0)),
    Parameter("c_scalar", "GeV^-1", "C_S-C_S'"),
    Parameter("c_pseudoscalar", "GeV^-1", "C_P-C_P'"),
)
MEDIATOR = (
    Parameter("theta_sb", "", r"\theta_{sb}"),
    Parameter("g_sb_left", "", "g_{sb}^L"),
    Parameter("g_sb_right", "", "g_{sb}^R", Fixed(0.0)),
    Parameter("y_sb", "", "y_{sb}"),
)
PARAMETERS: Mapping[Flavour, tuple[Parameter, ...]] = {
    "none": (),
    "contact": CONTACT,
    "mediator": MEDIATOR,
}

# Couplings of on-shell size are far smaller than contact ones of order one: docs/physics/flavour.md.
RANGES: dict[str, Prior] = {
    "c10_universal": Uniform(-6.0, 6.0),
    "c_muon": Uniform(-6.0, 6.0),
    "c_muon_primed": Uniform(-6.0, 6.0),
    "c_scalar": Uniform(-0.05, 0.05),
    "c_pseudoscalar": Uniform(-0.05, 0.05),
    "theta_sb": SignedLogUniform(1e-6, 1e-3),
    "g_sb_left": SignedLogUniform(1e-12, 1e-6),
    "g_sb_right": SignedLogUniform(1e-12, 1e-6),
    "y_sb": SignedLogUniform(1e-10, 1e-5),
}

NOTES: Mapping[Flavour, Mapping[str, str]] = {
    "none": {},
    "contact": {
        "c_muon": "flavour = 'contact' takes the Wilson coefficients as free constants: a light A' does not "
        "give them (its C_P and B -> K A' exclude C_{9,10} of order one; docs/physics/flavour.md)"
    },
    "mediator": {},
}


def wilson_coefficients(point: Point, flavour: Flavour) -> WilsonCoefficients:
    """Return the b -> s l l coefficients of n points.

    Raises
    ------
    ModelError
        If the model has no flavour sector.
    """
    if flavour == "none":
        problem = "has no b -> s l l sector with flavour = 'none'"
        raise ModelError(point.model_name, problem, "set flavour = 'contact' or 'mediator' in [model]")
    return _COEFFICIENTS[flavour](point)


def _contact(point: Point) -> WilsonCoefficients:
    return wilson.contact(
        point.c10_universal, point.c_muon, point.c_muon_primed, point.c_scalar, point.c_pseudoscalar
    )


def _mediator(point: Point) -> WilsonCoefficients:
    aprime = wilson.aprime_exchange(
        point.m_aprime,
        point.width_aprime,
        point.g_sb_left,
        point.g_sb_right,
        {"mu": point.g_mu_vector, "e": point.g_e_vector},
        {"mu": point.g_mu_axial, "e": point.g_e_axial},
    )
    phi = wilson.phi_exchange(point.m_phi, point.width_phi, point.y_sb, {"mu": point.y_mu, "e": point.y_e})
    return wilson.mediator(point.theta_sb, aprime, phi)


_COEFFICIENTS: Mapping[Flavour, Callable[[Point], WilsonCoefficients]] = {
    "contact": _contact,
    "mediator": _mediator,
}
