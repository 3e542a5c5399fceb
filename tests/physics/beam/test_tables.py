"""Shipped beam tables against the reference path; batches, thresholds, couplings; files that are refused."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
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
from globalfit.physics.beam.interpolation import blend, neighbours, stencil
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.prediction import LongLived, events
from globalfit.physics.beam.prepared import PARTS
from globalfit.physics.beam.reference import Reference, spectrum_of
from globalfit.physics.beam.tables import load_tables

DATA = Path(__file__).parents[3] / "likelihoods" / "data"
TABLES = DATA / "beam_tables.h5"


QUANTITIES = tuple(OBSERVABLES)
Name = tuple[str, str, str, str, str]  # process, leg, leptons, charges, quantity
Kernels = dict[str, list[dict[str, dict[str, Array]]]]  # {process: [{card: {observable: kernel}}]}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(DATA / "experiments")


def exact(
    reference: Reference, channel: Channel, m_x: float, kernels: Kernels, names: tuple[str, ...]
) -> dict[tuple[str, str, str], list[Array]]:
    """Events (parts, bins) of all processes for some kernels, from mesons to bins, without tables."""
    spectrum = spectrum_of(tuple(PROCESSES.values()), channel, m_x)
    fluxes = {key: h[0] for key, h in reference.fluxes(spectrum, channel, names).items()}
    legs = [(name, leg) for name, process in PROCESSES.items() for leg in process.legs]
    found: dict[tuple[str, str, str], list[Array]] = {}
    for i, (name, leg) in enumerate(legs):
        own = {key: h[i] for key, h in fluxes.items()}
        for each in kernels[name]:
            for quantity, made in reference.fold(own, each, names).items():
                found.setdefault((name, leg, quantity), []).append(made)
    return found


def kernels_at(
    reference: Reference, m_x: float, mediators: Mapping[str, Array], names: tuple[str, ...]
) -> Kernels:
    """Kernels of each process at its mediators; a pseudoscalar scatters as a scalar does."""
    found = {
        name: [reference.kernels(PROCESSES[name], m_x, m, names) for m in mediators[name].tolist()]
        for name in ("scalar", "vector")
    }
    return {**found, "pseudoscalar": found["scalar"]}


def draw(n: int, seed: int) -> Array:
    """Masses (n, 2) of X and mediator, log-uniform over the tables; the last few close to the thresholds."""
    rng = np.random.default_rng(seed)
    m_x = np.exp(rng.uniform(np.log(LOWEST_X), np.log(HIGHEST_X), n))
    near = near_thresholds()
    m_x[n - len(near) :] = near
    return np.column_stack((m_x, np.exp(rng.uniform(np.log(10.0), np.log(1000.0), n))))


def near_thresholds() -> list[float]:
    """Masses of X on both sides of the thresholds of all channels."""
    near = {c.threshold * factor for c in CHANNELS for factor in (0.985, 0.9975, 1.001)}
    return sorted(each for each in near if each < HIGHEST_X)


def draw_many(n: int, seed: int) -> list[tuple[float, dict[str, Array]]]:
    """Return n // 4 masses of X, the thresholds among them, each with four mediators over each table."""
    rng = np.random.default_rng(seed)
    near = near_thresholds()
    m_x = np.exp(rng.uniform(np.log(LOWEST_X), np.log(HIGHEST_X), n // 4 - len(near)))
    found = []
    for m in rng.permutation(np.concatenate((m_x, near))).tolist():
        u = rng.uniform(size=4)
        ends = {name: (process.mediators[0], process.mediators[-1]) for name, process in PROCESSES.items()}
        found.append((m, {name: low * (high / low) ** u for name, (low, high) in ends.items()}))
    return found


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
        mediators = {name: np.array([m_mediator]) for name in PROCESSES}
        kernels = kernels_at(reference, m_x, mediators, ("signal_nu",))
        made = exact(reference, channel, m_x, kernels, ("signal_nu",))
        for (name, leg, quantity), (parts,) in made.items():
            at = f"{name} {leg} {quantity} at {m_x:.4g}, {m_mediator:.4g}"
            total, largest = differences(charges @ parts, tables[name, leg][i])
            assert total < 5e-3, at
            assert largest < 2e-2, at


SETUPS = {
    (name, leg, leptons, charge): LongLived(name, TABLES, leg or "lepton", leptons, charge)
    for name, process in PROCESSES.items()
    for leg in process.legs
    for leptons in ("mu", "e+mu")
    for charge in ("Z", "A")
}


def errors_at(reference: Reference, m_x: float, mediators: Mapping[str, Array]) -> dict[Name, list[Array]]:
    """Errors of the total and of the worst bin, events over the most at any m_x, m_x and m_mediator."""
    channels = [channel for channel in CHANNELS if m_x < channel.threshold]
    kernels = kernels_at(reference, m_x, mediators, QUANTITIES)
    by_channel = {each: exact(reference, each, m_x, kernels, QUANTITIES) for each in channels}
    found: dict[Name, list[Array]] = {}
    for key, setup in SETUPS.items():
        charges = charge_weights(PARTS, *named_charges(setup.nuclear_charge))
        at = mediators[setup.process]
        for quantity in QUANTITIES:
            made = events(Masses(setup, np.full(at.size, m_x), at), quantity)
            for i, m_mediator in enumerate(at.tolist()):
                parts = [
                    charges @ each[*setup.key, quantity][i]
                    for channel, each in by_channel.items()
                    if channel in setup.channels and (*setup.key, quantity) in each
                ]
                expected = np.sum(parts, axis=0) if parts else np.zeros(1)
                grid = np.geomspace(LOWEST_X, HIGHEST_X, 60)
                most = events(Masses(setup, grid, np.full(60, m_mediator)), quantity).sum(axis=1).max()
                share = float(expected.sum() / most)
                if share > 1e-8:  # otherwise closed, or nothing that a detector could see
                    row = np.array([*differences(expected, made[i]), share, m_x, m_mediator])
                    found.setdefault((*key, quantity), []).append(row)
    return found


@pytest.mark.slow
def test_tables_at_200_points(reference: Reference) -> None:
    """All processes, legs and channels together, with both charge conventions; thresholds included."""
    rows: dict[Name, list[Array]] = {}
    for m_x, mediators in draw_many(200, 2):
        for name, some in errors_at(reference, m_x, mediators).items():
            rows.setdefault(name, []).extend(some)
    for name, some in rows.items():
        each = np.array(some)
        print(*name, "95 %", np.quantile(each[:, :2], 0.95, axis=0), "total", each[np.argmax(each[:, 0])])
        print(" " * 20, "bin", each[np.argmax(each[:, 1])])
    for name, some in rows.items():
        for total, worst, share, m_x, m_mediator in some:
            at = (*name, total, worst, share, m_x, m_mediator)
            assert total <= 5e-3, at
            assert worst <= 2e-2, at


@pytest.mark.slow
@pytest.mark.parametrize("m_x", [1.0, 20.0, 150.0])
def test_noise_of_the_mesons(m_x: float) -> None:
    """Events of all sources together, from two samples: 0.3 % of noise in each; docs/physics/beam.md."""
    names = ("signal_nu", "signal_nubar", "signal_dump", "signal_lsnd")
    process, charges = PROCESSES["scalar"], charge_weights(PARTS, *named_charges("Z"))
    found: list[dict[str, float]] = []
    for seed in (1, 2):
        drawn = Reference(DATA / "experiments", seed=seed)
        kernels, total = drawn.kernels(process, m_x, 49.0, names), dict.fromkeys(names, 0.0)
        for channel in CHANNELS:
            if channel.lepton == "mu" and m_x < channel.threshold:
                spectrum = spectrum_of((process,), channel, m_x)
                fluxes = {key: h[0, 0] for key, h in drawn.fluxes(spectrum, channel, names).items()}
                for name, parts in drawn.fold(fluxes, kernels, names).items():
                    total[name] += float((charges @ parts).sum())
        found.append({name: made for name, made in total.items() if made > 0.0})
    first, second = found
    assert first.keys() == second.keys()
    for name, made in first.items():
        assert made == pytest.approx(second[name], rel=0.003 * np.sqrt(2.0)), name


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
    found = blend(table, *neighbours(stencil(first, x), stencil(second, y)))[:, 0]
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
    assert tables.provenance["mesons"] == "524288 a source, seed 1"
    assert TABLES.stat().st_size < 8e6
