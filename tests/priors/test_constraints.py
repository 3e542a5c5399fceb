"""Constraints read the point and return masks."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.errors import GlobalfitError
from globalfit.model import MissingParameterError, Point
from globalfit.priors.constraints import MassOrdering, Perturbativity


def point(**columns: list[float]) -> Point:
    return Point({name: np.array(values) for name, values in columns.items()})


def test_mass_ordering_counts_a_repeated_mass_twice() -> None:
    constraint = MassOrdering(lighter=("m_eta", "m_eta"), heavier=("m_aprime",))
    assert constraint.needs == ("m_eta", "m_aprime")
    allowed = constraint.allows(point(m_eta=[40.0, 50.0, 60.0, np.nan], m_aprime=[100.0] * 4))
    assert allowed.tolist() == [True, False, False, False]


def test_mass_ordering_adds_a_gap() -> None:
    constraint = MassOrdering(lighter=("m_eta", "delta_eta"), heavier=("m_phi",))
    allowed = constraint.allows(point(m_eta=[40.0, 40.0], delta_eta=[1.0, 5.0], m_phi=[42.0, 42.0]))
    assert allowed.tolist() == [True, False]


def test_mass_ordering_accepts_the_lists_of_a_fit_file_and_stays_hashable() -> None:
    constraint = MassOrdering(lighter=["m_eta"], heavier=["m_phi"])  # type: ignore[arg-type]
    assert hash(constraint) == hash(MassOrdering(("m_eta",), ("m_phi",)))


def test_perturbativity() -> None:
    constraint = Perturbativity(limit=1.0)
    ok = {"lambda_phi": [0.5] * 5, "gauge_coupling": [0.5] * 5, "y_mu": [0.1] * 5, "y_e": [0.1] * 5}
    spoiled = {name: list(values) for name, values in ok.items()}
    for i, name in enumerate(ok):
        spoiled[name][i] = -1.5
    assert constraint.allows(point(**ok)).all()
    assert constraint.allows(point(**spoiled)).tolist() == [False] * 4 + [True]
    assert constraint.needs == ("lambda_phi", "gauge_coupling", "y_mu", "y_e")
    assert Perturbativity().limit == pytest.approx(12.566370614359172)


def test_missing_parameter_is_named() -> None:
    with pytest.raises(MissingParameterError, match="'m_aprime' is not in the fit"):
        MassOrdering(("m_eta",), ("m_aprime",)).allows(point(m_eta=[1.0]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Perturbativity(limit=0.0),
        lambda: Perturbativity(limit=float("inf")),
        lambda: Perturbativity(couplings=()),
        lambda: MassOrdering(lighter=(), heavier=("m_eta",)),
        lambda: MassOrdering(lighter="m_eta", heavier=("m_phi",)),  # type: ignore[arg-type]
        lambda: MassOrdering(lighter=("m_eta", "m_phi"), heavier=("m_phi", "m_eta")),
    ],
)
def test_bad_input_is_one_line(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GlobalfitError) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)
