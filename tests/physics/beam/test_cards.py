"""Experiment cards: what ships can be read; every mistake is one line."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from globalfit.errors import GlobalfitError
from globalfit.physics.beam.cards import card, read_card
from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.grid import BINS
from globalfit.physics.beam.meson_decays import neutrino, three_body
from globalfit.physics.beam.sources import booster
from globalfit.physics.beam.spectrum import Line

SHIPPED = Path(__file__).parents[3] / "likelihoods" / "data" / "experiments"
GOOD = {
    "name": "here",
    "reference": "nowhere",
    "beam": {"kind": "stopped-pion", "per_proton": 0.079, "in_flight": 0.034},
    "volume": {"shape": "sphere", "centre": [0.0, 0.0, 30.0], "size": [2.7]},
    "composition": {"C": 3e30},
    "exposure": {"nu": 1.8e23},
}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_cards_can_be_read(path):
    assert read_card(path).name == path.stem


def test_card_gives_fluxes():
    lsnd = read_card(SHIPPED / "lsnd.toml")
    h = lsnd.flux("pi+", "nu", three_body("pi+", "mu", "vector", 5.0), n=2**10)
    assert h.shape == (6, 2, BINS)
    assert h[0].sum() > 0.0
    with pytest.raises(GlobalfitError, match=r"^lsnd: a stopped-pion source has no 'k\+'; use"):
        lsnd.source("k+", "nu")
    with pytest.raises(GlobalfitError, match=r"^lsnd: no exposure in mode 'dump'"):
        lsnd.source("pi+", "dump")
    with pytest.raises(GlobalfitError, match=r"^miniboone: no parent named 'rho'"):
        read_card(SHIPPED / "miniboone.toml").source("rho", "nu")


def test_kaons_at_rest_are_optional():
    jsns2 = read_card(SHIPPED / "jsns2.toml")
    assert jsns2.parents == ("pi+", "k+")
    kaons = jsns2.source("k+", "nu", 2**8)
    assert kaons.decays == pytest.approx(2.5e-3)
    assert not kaons.p.any()
    assert read_card(SHIPPED / "lsnd.toml").parents == ("pi+",)


def test_collinear_beam_has_the_neutrino_flux_of_its_card():
    dune = read_card(SHIPPED / "dune-nd.toml")
    pions = dune.source("pi+", "nu", 2**12)
    seen = flux(pions, dune.volume, Line(0.0, neutrino("pi+").energy, np.array(0.9999)))
    assert seen.sum() == pytest.approx(6e-8, rel=0.02)  # what is beyond the grid's 10 GeV is not in it
    assert np.average(pions.p) == pytest.approx(3000.0 / 0.43, rel=0.01)
    kaons = dune.source("k+", "nu", 2**12)
    assert kaons.decays == pytest.approx(0.08 * pions.decays)


MISTAKES = {
    "kaons": (
        ("beam.kaons_per_proton", -1.0),
        "card [beam]: 'kaons_per_proton' is -1.0; give a positive number",
    ),
    "other kind's number": (
        ("beam.spread", 0.5),
        "card [beam]: unknown field 'spread'; known: ",
    ),
    "missing": (("exposure", None), "card: 'exposure' is missing; add it"),
    "unknown field": (("distnace", 3.0), "card: unknown field 'distnace'; known: "),
    "not a table": (("beam", 3.0), "card: 'beam' is not a table; write beam = { ... }"),
    "beam": (("beam.kind", "boster"), "card [beam]: no beam of kind 'boster'; did you mean 'booster'?"),
    "beam number": (("beam.per_proton", None), "card [beam]: 'per_proton' is missing; add it"),
    "negative": (("exposure.nu", -1.0), "card [exposure]: 'nu' is -1.0; give a positive number"),
    "true is no number": (("exposure.nu", True), "card [exposure]: 'nu' is True; give a positive number"),
    "nan": (("composition.C", float("nan")), "card [composition]: 'C' is nan; give a positive number"),
    "nucleus": (
        ("composition.Agr", 1e29),
        "card [composition]: no nucleus named 'Agr'; did you mean 'Ar'?",
    ),
    "mode": (("exposure.nubra", 1e20), "card [exposure]: unknown field 'nubra'; did you mean 'nubar'?"),
    "empty": (("composition.C", None), "card [composition]: it is empty; give at least one entry"),
    "shape": (("volume.shape", "spehre"), "card [volume]: no shape named 'spehre'; did you mean 'sphere'?"),
    "centre": (("volume.centre", [1.0, 2.0]), "card [volume]: 'centre' is [1.0, 2.0]; give [x, y, z] in m"),
    "size": (
        ("volume.size", [1.0, 2.0]),
        "card [volume]: 'size' of a sphere is [1.0, 2.0]; give 1 length(s) in m",
    ),
    "length": (("volume.size", [-1.0]), "card [volume]: 'size' is [-1.0]; lengths are positive, in m"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_one_line(mistake):
    (place, value), message = MISTAKES[mistake]
    table = copy.deepcopy(GOOD)
    *outer, key = place.split(".")
    inner = table[outer[0]] if outer else table
    if value is None:
        del inner[key]
    else:
        inner[key] = value
    with pytest.raises(GlobalfitError) as error:
        card(table)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_unknown_names_and_masses():
    for call, message in (
        (lambda: three_body("pi0", "mu", "scalar", 1.0), "beam: no charged parent named 'pi0'; did you mean"),
        (lambda: three_body("pi+", "tau", "scalar", 1.0), "beam: no lepton named 'tau'; known: "),
        (
            lambda: three_body("pi+", "mu", "scaler", 1.0),
            "beam: no process named 'scaler'; did you mean 'scalar'?",
        ),
        (
            lambda: three_body("pi+", "mu", "vector", 0.0),
            "beam: the mass of X is 0.0 MeV; give a positive mass",
        ),
        (lambda: booster("rho", "nu"), "beam: no parent named 'rho'; known: "),
        (lambda: booster("pi+", "nubra"), "beam: no mode named 'nubra'; did you mean 'nubar'?"),
    ):
        with pytest.raises(GlobalfitError) as error:
            call()
        assert str(error.value).startswith(message)


def test_unreadable_files(tmp_path):
    with pytest.raises(GlobalfitError, match=r"the card cannot be read; check the path"):
        read_card(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(GlobalfitError, match=r"not valid TOML"):
        read_card(tmp_path / "bad.toml")
