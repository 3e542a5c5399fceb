"""Shipped beam tables against the reference path; batches, thresholds, couplings; files that are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, ModelError
from globalfit.physics.beam import prediction
from globalfit.physics.beam.channels import CHANNELS, HIGHEST_X, LOWEST_X, OBSERVABLES, PROCESSES
from globalfit.physics.beam.interpolation import blend, stencil, tensor_stencil
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.prediction import PARTS, LongLived, Masses, events
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.reference import Reference
from globalfit.physics.beam.tables import load_tables

DATA = Path(__file__).parents[3] / "likelihoods" / "data"
TABLES = DATA / "beam_tables.h5"


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(DATA / "experiments")


def exact(
    reference: Reference, setup: LongLived, m_x: float, m_mediator: float, names: tuple[str, ...]
) -> dict[str, Array]:
    """Events (bins,) from mesons to bins, without tables."""
    process = PROCESSES[setup.process]
    leg = process.legs.index(setup.key[1])
    weights = VERTICES[setup.vertex] * charge_weights(PARTS, *named_charges(setup.nuclear_charge))
    kernels = reference.kernels(process, m_x, m_mediator, names)
    total = {name: np.zeros(OBSERVABLES[name].bins) for name in names}
    for channel in setup.channels:
        if m_x < channel.threshold:
            made = reference.fold(reference.fluxes(process, channel, m_x, names), kernels, names)
            for name in names:
                total[name] += weights @ made[name][leg]
    return total


def compare(
    reference: Reference, setup: LongLived, masses: Array, names: tuple[str, ...], most: float = 5e-3
) -> None:
    ours = {name: events(Masses(setup, *masses.T), name) for name in names}
    for i, (m_x, m_mediator) in enumerate(masses.tolist()):
        for name, expected in exact(reference, setup, m_x, m_mediator, names).items():
            at = f"{name} at m_x = {m_x:.6g}, mediator {m_mediator:.6g} MeV"
            found = ours[name][i]
            within = 0.04 if name == "signal_lsnd" else most
            assert found.sum() == pytest.approx(expected.sum(), rel=within), at
            assert np.abs(found - expected).max() <= 0.02 * expected.max() or name == "signal_lsnd", at


def draw(setup: LongLived, n: int, seed: int, highest: float = 0.97 * HIGHEST_X) -> Array:
    """Masses (n, 2), log-uniform over the tables; the last few close to the thresholds of the channels."""
    rng = np.random.default_rng(seed)
    low, high = setup.mediators
    m_x = np.exp(rng.uniform(np.log(LOWEST_X), np.log(highest), n))
    near = [c.threshold * factor for c in setup.channels for factor in (0.985, 1.001)]
    near = [each for each in near if each < highest]
    m_x[n - len(near) :] = near
    return np.column_stack((m_x, np.exp(rng.uniform(np.log(low), np.log(high), n))))


def test_tables_against_the_reference_path(reference: Reference) -> None:
    setup = LongLived("scalar", TABLES)
    compare(reference, setup, draw(setup, 10, 1), ("signal_nu",))


@pytest.mark.slow
@pytest.mark.parametrize(
    "setup",
    [
        LongLived("scalar", TABLES),
        LongLived("scalar", TABLES, leptons="e+mu", nuclear_charge="A"),
        LongLived("pseudoscalar", TABLES, vertex="single"),
        LongLived("vector", TABLES, leg="meson", nuclear_charge="A"),
        LongLived("vector", TABLES, leg="contact", nuclear_charge="quark"),
    ],
    ids=lambda setup: f"{setup.process}-{setup.leptons}-{setup.nuclear_charge}-{setup.leg}",
)
def test_tables_at_200_points(setup: LongLived, reference: Reference) -> None:
    names = ("signal_nu", "signal_nubar", "signal_evis", "signal_dump", "signal_lsnd")
    compare(reference, setup, draw(setup, 200, 2), names)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", OBSERVABLES)
def test_a_point_does_not_depend_on_its_batch(process: str, name: str) -> None:
    setup = LongLived(process, TABLES, leptons="e+mu")
    masses = draw(setup, 50, 3)
    together = events(Masses(setup, *masses.T), name)
    alone = np.concatenate([events(Masses(setup, *row[:, None]), name) for row in masses])
    np.testing.assert_allclose(alone, together, rtol=1e-11)
    assert np.all(together >= 0.0)
    assert together.shape == (50, OBSERVABLES[name].bins)


def test_outside_the_tables_events_are_infinite() -> None:
    setup = LongLived("scalar", TABLES)
    m_x = np.array([1.0, 0.4, 350.0, 1.0, 1.0])
    m_mediator = np.array([49.0, 49.0, 49.0, 0.9, 1001.0])
    found = events(Masses(setup, m_x, m_mediator), "signal_nu")
    assert np.isfinite(found[0]).all()
    assert np.isinf(found[1:]).all()


def test_conventions_are_factors() -> None:
    masses = (np.array([1.0, 20.0]), np.array([49.0, 200.0]))

    def total(**options: str) -> Array:
        return events(Masses(LongLived("scalar", TABLES, **options), *masses), "signal_nu").sum(axis=1)  # type: ignore[arg-type]

    assert total(vertex="single") == pytest.approx(0.25 * total(), rel=1e-9)
    assert np.all(total(nuclear_charge="A") > 2.0 * total())
    assert np.all(total(nuclear_charge="A") < 4.0 * total())  # four times for carbon, hydrogen unchanged
    assert total(leptons="e+mu") == pytest.approx(total() + total(leptons="e"), rel=1e-12)


def test_branching_ratios_of_the_tables() -> None:
    """Values per squared coupling at 1, 5, 20 and 80 MeV, from an independent integration."""
    by_name = {channel.name: channel for channel in CHANNELS}
    m = np.array([1.0, 5.0, 20.0])
    scalar = LongLived("scalar", TABLES)
    found = prediction.branching_ratio(scalar, by_name["pi_mu"], m)
    assert found == pytest.approx([4.813e-2, 1.486e-2, 5.022e-4], rel=5e-3)
    found = prediction.branching_ratio(scalar, by_name["k_mu"], np.array([1.0, 20.0, 80.0]))
    assert found == pytest.approx([9.225e-2, 4.314e-2, 1.719e-2], rel=5e-3)
    assert not prediction.branching_ratio(scalar, by_name["pi_e"], m).any()  # leptons = "mu"
    assert prediction.branching_ratio(scalar, by_name["pi_mu"], np.array([33.95]))[0] == 0.0
    vector = LongLived("vector", TABLES, leptons="e+mu")
    for channel, expected in (("pi_mu", 8.281e-4), ("pi_e", 0.1633), ("k_mu", 3.078), ("k_e", 3.324)):
        found = prediction.branching_ratio(vector, by_name[channel], np.array([17.0]))
        assert found[0] == pytest.approx(expected, rel=5e-3), channel


def test_interpolation_is_exact_for_cubics() -> None:
    rng = np.random.default_rng(4)
    first, second = np.sort(rng.uniform(0, 5, 7)), np.sort(rng.uniform(-2, 2, 6))
    x, y = rng.uniform(0.5, 4.5, 30), rng.uniform(-1.8, 1.8, 30)

    def cubic(a: Array, b: Array) -> Array:
        return (1 + a - 0.3 * a**3) * (2 - b + b**2 + 0.1 * b**3)

    table = cubic(first[:, None], second[None, :]).reshape(-1, 1)
    found = blend(table, *tensor_stencil(stencil(first, x), stencil(second, y), 6))[:, 0]
    assert found == pytest.approx(cubic(x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"process": "tensor"}, "beam: no process 'tensor'; known: "),
        ({"process": "vector", "leg": "mesons"}, "beam: no leg 'mesons'; did you mean 'meson'?"),
        ({"process": "scalar", "leptons": "tau"}, "beam: no leptons 'tau'"),
        ({"process": "scalar", "vertex": "double"}, "beam: no vertex 'double'; did you mean 'doubled'?"),
        ({"process": "scalar", "nuclear_charge": "B"}, "nuclear_charge: no option 'B'"),
    ],
)
def test_unknown_conventions_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(GlobalfitError) as error:
        LongLived(path=TABLES, **options)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def spoil(path: Path, how: str) -> None:
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "no hdf5":
        path.write_text("events")
    else:
        with h5py.File(path, "r+") as file:
            if how == "foreign":
                file.attrs["format"] = "globalfit flavour forms 1"
            elif how == "stale":
                file.attrs["grid_sha256"] = "0" * 64
            elif how == "lacks a table":
                del file["logs/scalar/-/pi_mu/signal_nu"]
            else:
                file["logs/scalar/-/pi_mu/signal_nu"][0, 0, 0, 0] += 1.0


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", "tables.h5: the file of beam tables is damaged"),
        ("no hdf5", "tables.h5: the file of beam tables is damaged"),
        ("foreign", "tables.h5: not a file of beam tables of this version"),
        ("stale", "tables.h5: stale: built for other masses, channels or observables"),
        ("lacks a table", "tables.h5: the file of beam tables is damaged"),
        ("changed", "tables.h5: the numbers do not match their hash"),
    ],
)
def test_files_that_are_refused(how: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tables.h5"
    shutil.copy(TABLES, path)
    spoil(path, how)
    with pytest.raises(ModelError) as error:
        load_tables(path)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("build it with 'globalfit build beam'")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.h5: the file of beam tables is missing; build it with"):
        load_tables(tmp_path / "none.h5")


def test_provenance_and_size() -> None:
    tables = load_tables(TABLES)
    assert tables.provenance["mesons"] == "131072 a source, seed 1"
    assert TABLES.stat().st_size < 25e6
