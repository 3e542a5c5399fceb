"""The ready-made fits load, and every likelihood of theirs is possible somewhere under its prior."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from globalfit.checking import check_fit
from globalfit.fitfile import load_fit

FITS = Path(__file__).parent.parent / "fits"
SEVEN = {
    "muon-g2", "relic-density", "lepton-universality", "bs-to-mumu", "miniboone", "miniboone-dump", "lsnd"
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(FITS.rglob("*.toml")), ids=lambda path: path.stem)
def test_a_ready_made_fit_can_be_sampled(path: Path) -> None:
    found = check_fit(load_fit(path))
    assert not found.failures
    assert not found.unread
    assert found.allowed == 1.0


@pytest.mark.parametrize("path", sorted(FITS.rglob("*.toml")), ids=lambda path: path.stem)
def test_all_that_a_chain_of_it_keeps_is_finite_or_a_length(path: Path) -> None:
    posterior = load_fit(path).posterior
    rows = posterior.walk(posterior.space.draw(8, np.random.default_rng(1)))
    names = ("ln posterior", *posterior.blob_names, *posterior.space.names)
    assert rows.shape == (8, len(names))
    assert {name for name, row in zip(names, rows.T, strict=True) if not np.isfinite(row).all()} <= {
        "ctau_aprime", "ctau_phi", "ctau_zprime"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["deck-2022", "today"])
def test_the_global_fits_have_all_seven_likelihoods(name: str) -> None:
    fit = load_fit(FITS / f"{name}.toml")
    assert set(fit.posterior.likelihoods) == SEVEN
    free = set(fit.posterior.space.names) - {"dump_flux_ratio", "dump_background"}
    assert len(free) == (8 if name == "deck-2022" else 9)


def test_the_global_fits_differ_only_in_the_data_and_three_numbers() -> None:
    def said(name: str) -> list[str]:
        text = re.sub(r"\s*#.*", "", (FITS / f"{name}.toml").read_text(encoding="utf-8"))
        return [line for line in text.splitlines() if line]

    old, new = said("deck-2022"), said("today")
    assert set(old) ^ set(new) == {
        "data = { as_of = 2022-10-15 }",
        "fixed = 10_000.0",
        'prior = { shape = "log-uniform", low = 5_000.0, high = 20_000.0 }',
        "two_loop = 0.0",
        "two_loop = 1.0",
    }
