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
from globalfit.physics.beam.channels import (
    CHANNELS,
    HIGHEST_X,
    LOWEST_X,
    OBSERVABLES,
    PROCESSES,
    Channel,
)
from globalfit.physics.beam.interpolation import blend, stencil, tensor_stencil
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.prediction import PARTS, LongLived, Masses, events
from globalfit.physics.beam.reference import Reference, spectrum_of
from globalfit.physics.beam.tables import load_tables

DATA = Path(__file__).parents[3] / "likelihoods" / "data"
TABLES = DATA / "beam_tables.h5"


QUANTITIES = tuple(OBSERVABLES)
Exact = dict[tuple[str, str, str], Array]  # {(process, leg, quantity): events (parts, bins)} of one channel


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(DATA / "experiments")


def exact(
    reference: Reference, channel: Channel, m_x: float, m_mediator: float, names: tuple[str, ...]
) -> Exact:
    """Events of all processes from mesons to bins, without tables."""
    spectrum = spectrum_of(tuple(PROCESSES.values()), channel, m_x)
    fluxes = {key: h[0] for key, h in reference.fluxes(spectrum, channel, names).items()}
    found: Exact = {}
    place = 0
    for name, process in PROCESSES.items():
        if name != "pseudoscalar":  # scatters as the scalar does
            kernels = reference.kernels(process, m_x, m_mediator, names)
        for i, leg in enumerate(process.legs, start=place):
            own = {key: h[i] for key, h in fluxes.items()}
            for quantity, made in reference.fold(own, kernels, names).items():
                found[name, leg, quantity] = made
        place += len(process.legs)
    return found


def draw(n: int, seed: int) -> Array:
    """Masses (n, 2) of X and mediator, log-uniform over the tables; the last few close to the thresholds."""
    rng = np.random.default_rng(seed)
    low, high = 10.0, 1000.0  # of all processes
    m_x = np.exp(rng.uniform(np.log(LOWEST_X), np.log(HIGHEST_X), n))
    near = [c.threshold * factor for c in CHANNELS for factor in (0.985, 0.9975, 1.001)]
    near = sorted({each for each in near if each < HIGHEST_X})
    m_x[n - len(near) :] = near
    return np.column_stack((m_x, np.exp(rng.uniform(np.log(low), np.log(high), n))))


def differences(expected: Array, found: Array) -> tuple[float, float]:
    """Relative error of the total, and largest error of a bin over the largest bin."""
    largest = np.abs(found - expected).max() / expected.max()
    return abs(float(found.sum() / expected.sum()) - 1.0), float(largest)


def test_tables_against_the_reference_path(reference: Reference) -> None:
    """One parent, with the same mesons: what is between the two is the interpolation."""
    channel = CHANNELS[0]
    masses = draw(200, 1)
    masses = masses[masses[:, 0] < channel.threshold][:3]
    masses[0, 0], masses[1, 0] = 33.0, 31.0  # the threshold is at 33.91
    alone = {parent: np.full(3, float(parent == "pi+")) for parent in ("pi+", "pi-", "k+", "k-")}
    tables = {
        (name, leg): events(
            Masses(LongLived(name, TABLES, leg=leg or "lepton"), *masses.T), "signal_nu", alone
        )
        for name, process in PROCESSES.items()
        for leg in process.legs
    }
    charges = charge_weights(PARTS, *named_charges("Z"))
    for i, (m_x, m_mediator) in enumerate(masses.tolist()):
        for (name, leg, quantity), made in exact(reference, channel, m_x, m_mediator, ("signal_nu",)).items():
            at = f"{name} {leg} {quantity} at {m_x:.4g}, {m_mediator:.4g}"
            total, largest = differences(charges @ made, tables[name, leg][i])
            assert total < 5e-3, at
            assert largest < 2e-2, at


@pytest.mark.slow
def test_tables_at_200_points(reference: Reference) -> None:
    """All processes, legs and channels together, with both charge conventions; thresholds included."""
    masses = draw(200, 2)
    worst: dict[tuple[str, ...], Array] = {}
    setups = {
        (name, leg, leptons, charge): LongLived(name, TABLES, leg or "lepton", leptons, charge)
        for name, process in PROCESSES.items()
        for leg in process.legs
        for leptons in ("mu", "e+mu")
        for charge in ("Z", "A")
    }
    ours = {
        (key, quantity): events(Masses(setup, *masses.T), quantity)
        for key, setup in setups.items()
        for quantity in QUANTITIES
    }
    for i, (m_x, m_mediator) in enumerate(masses.tolist()):
        by_channel = {
            channel: exact(reference, channel, m_x, m_mediator, QUANTITIES)
            for channel in CHANNELS
            if m_x < channel.threshold
        }
        for key, setup in setups.items():
            charges = charge_weights(PARTS, *named_charges(setup.nuclear_charge))
            for quantity in QUANTITIES:
                parts = [
                    charges @ made[*setup.key, quantity]
                    for channel, made in by_channel.items()
                    if channel in setup.channels and (*setup.key, quantity) in made
                ]
                expected = np.sum(parts, axis=0) if parts else np.zeros(1)
                if expected.sum() <= 1e-8 * ours[key, quantity].max():
                    continue  # closed, or nothing that a detector could see
                found = differences(expected, ours[key, quantity][i])
                row = np.array([*found, m_x, m_mediator])
                worst.setdefault((*key, quantity), np.zeros((0, 4)))
                worst[*key, quantity] = np.vstack((worst[*key, quantity], row))
    for name, rows in worst.items():
        print(*name, "total", rows[np.argmax(rows[:, 0])], "bin", rows[np.argmax(rows[:, 1])])
    for name, rows in worst.items():
        assert rows[:, 0].max() <= 5e-3, (name, rows[np.argmax(rows[:, 0])])
        assert rows[:, 1].max() <= 2e-2, (name, rows[np.argmax(rows[:, 1])])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", OBSERVABLES)
def test_a_point_does_not_depend_on_its_batch(process: str, name: str) -> None:
    setup = LongLived(process, TABLES, leptons="e+mu")
    masses = draw(50, 3)
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


def test_flux_of_each_parent_is_a_factor() -> None:
    setup = LongLived("scalar", TABLES, leptons="e+mu")
    masses = Masses(setup, np.array([1.0, 20.0, 50.0]), np.array([49.0, 200.0, 100.0]))
    rng = np.random.default_rng(5)
    scales = {parent: rng.uniform(0.5, 1.5, 3) for parent in ("pi+", "pi-", "k+", "k-")}
    for quantity in OBSERVABLES:
        one_by_one = [
            events(masses, quantity, {each: np.full(3, float(each == parent)) for each in scales})
            for parent in scales
        ]
        assert np.sum(one_by_one, axis=0) == pytest.approx(events(masses, quantity), rel=2e-4)
        apart = sum(scales[parent][:, None] * each for parent, each in zip(scales, one_by_one, strict=True))
        assert events(masses, quantity, scales) == pytest.approx(apart, rel=1e-12)
        common = {"pi+": scales["pi+"], "pi-": scales["pi+"], "k+": scales["k+"], "k-": scales["k+"]}
        both = {**common, "pi-": scales["pi+"] * (1.0 + 1e-15)}  # the same, charges not added on the nodes
        assert events(masses, quantity, common) == pytest.approx(events(masses, quantity, both), rel=2e-4)


def test_branching_ratios_of_the_tables() -> None:
    """Values per squared coupling at 1, 5, 20 and 80 MeV, from an independent integration."""
    by_name = {f"{each.meson}_{each.lepton}": each for each in CHANNELS}
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
                del file["steps/scalar/-/signal_nu"]
            else:
                file["steps/scalar/-/signal_nu"][0, 0, 0, 0] += 1


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
    assert tables.provenance["mesons"] == "262144 a source, seed 1"
    assert TABLES.stat().st_size < 10e6
