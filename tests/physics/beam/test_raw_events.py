"""Raw events in experiments with a card, against an implementation of its own at the same couplings."""

from __future__ import annotations

from pathlib import Path

import pytest

from globalfit.errors import GlobalfitError
from globalfit.physics.beam.cards import read_card
from globalfit.physics.beam.prediction import LongLived
from globalfit.physics.beam.raw_events import raw_events

SHIPPED = Path(__file__).parents[3] / "likelihoods" / "data" / "experiments"
SCALAR = (LongLived("scalar", SHIPPED), 1.0, 49.0, 4.16e-9)
PSEUDOSCALAR = (LongLived("pseudoscalar", SHIPPED), 1.0, 85.0, 5.07e-8)


@pytest.mark.parametrize(
    ("name", "above", "point", "pions", "kaons", "tolerance"),
    [
        ("ccm", 10.0, SCALAR, 5.4, 0.0, 0.05),
        ("ccm", 10.0, PSEUDOSCALAR, 1.6, 0.0, 0.05),
        ("jsns2", 20.0, SCALAR, 24.0, 168.0, 0.15),
        ("jsns2", 20.0, PSEUDOSCALAR, 11.0, 2400.0, 0.15),
        # momenta and divergence of the beam are choices in both
        ("dune-nd", 30.0, SCALAR, 9.3e4, 0.0, 0.3),
        ("minerva", 800.0, PSEUDOSCALAR, 1140.0, 770.0, 0.3),
        ("charm-ii", 3000.0, PSEUDOSCALAR, 1960.0, 3650.0, 0.3),
    ],
)
def test_events_of_an_independent_implementation(name, above, point, pions, kaons, tolerance):
    made = raw_events(read_card(SHIPPED / f"{name}.toml"), *point, above=above, n=2**12)
    assert made.by_parent["pi+"].sum() == pytest.approx(pions, rel=tolerance)
    if kaons:
        assert made.by_parent["k+"].sum() == pytest.approx(kaons, rel=tolerance)
    assert made.total == pytest.approx(sum(v.sum() for v in made.by_parent.values()))
    assert 0.4 < made.coherent <= 1.0


def test_events_go_with_coupling_vertex_and_exposure():
    card = read_card(SHIPPED / "ccm.toml")
    one = raw_events(card, *SCALAR, n=2**10).total
    assert raw_events(card, *SCALAR[:3], 2 * SCALAR[3], n=2**10).total == pytest.approx(4 * one)
    single = LongLived("scalar", SHIPPED, vertex="single")
    assert raw_events(card, single, *SCALAR[1:], n=2**10).total == pytest.approx(one / 4)


def test_what_is_refused():
    card = read_card(SHIPPED / "ccm.toml")
    with pytest.raises(GlobalfitError, match=r"^ccm: no energies between 100 and 50 MeV; set above < below$"):
        raw_events(card, *SCALAR, above=100.0, below=50.0)
    with pytest.raises(GlobalfitError, match=r"^ccm: no exposure in mode 'dump'; known: 'nu'$"):
        raw_events(card, *SCALAR, mode="dump")
