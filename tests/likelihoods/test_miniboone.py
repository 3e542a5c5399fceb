"""The MiniBooNE likelihood against the 38 x 38 form, Table I, and an oscillation-like signal."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from globalfit.arrays import Array, Columns
from globalfit.coordinates import Coordinate
from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.likelihood import Likelihood
from globalfit.likelihoods.measurements import matrix, record, table
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.model import Point
from globalfit.parameters import Parameter, ParameterSpace, Prior, Quantity
from globalfit.physics.compiled_code import numba_is_installed
from globalfit.posterior import Posterior
from globalfit.priors.shapes import LogUniform
from globalfit.testing import check_likelihood

TABLE_1 = record("miniboone.toml", "miniboone-2020", "test")["published"]
NU, NUBAR = slice(0, 9), slice(11, 20)  # 200 < E_nu^QE < 1250 MeV

# Fluxes of the MiniBooNE flux release (Phys. Rev. D 79 (2009) 072002, arXiv:0806.1449), /cm^2/POT in bins of
# 200 MeV: nu_mu in neutrino, nubar_mu in antineutrino mode, up to 3 GeV.
FLUX_NU = np.array(
    [3.53, 7.47, 8.97, 8.9, 7.75, 5.99, 4.05, 2.36, 1.23, 0.604, 0.306, 0.171, 0.11, 0.083, 0.0681]
) * 1e-11  # fmt: skip
FLUX_NUBAR = np.array(
    [3.11, 5.71, 5.84, 5.0, 3.83, 2.62, 1.6, 0.842, 0.401, 0.179, 0.0765, 0.0325, 0.0138, 0.00598, 0.00269]
) * 1e-11  # fmt: skip
ENERGY = np.arange(100.0, 3000.0, 200.0)


@dataclass(frozen=True, eq=False)
class OscillationPoint(Point):
    """Two-neutrino appearance at 541 m, E_nu^QE taken as the energy."""

    @cached_property
    def signal_nu(self) -> Array:
        # 18.75e20 POT, 1.15e32 neutrons in 445 t, 20 % efficiency, about 1e-38 cm^2 above 1 GeV
        return self._events(FLUX_NU * 18.75e20 * 1.15e32 * 0.2 * 1.0e-38)

    @cached_property
    def signal_nubar(self) -> Array:
        return self._events(FLUX_NUBAR * 11.27e20 * 1.53e32 * 0.2 * 0.35e-38)

    def _events(self, full: Array) -> Array:
        edges = MiniBooNE().release.edges
        fine = np.linspace(edges[:-1], edges[1:], 41)[:, :, None]  # (41, 11, 1)
        rate = np.interp(fine, ENERGY, full * (1 - np.exp(-ENERGY / 600.0)) / 200.0)  # events a MeV
        phase = 1.267 * self.dm2 * 541.0 / fine
        average = np.trapezoid(rate * np.sin(phase) ** 2, fine, axis=0)
        return np.asarray((self.sin2_2theta * average).T)


@dataclass(frozen=True)
class Oscillation:
    """nu_mu -> nu_e appearance with two parameters."""

    name: str = "oscillation"
    reference: str = "two-neutrino formula"
    parameters: tuple[Parameter, ...] = (Parameter("sin2_2theta"), Parameter("dm2", "eV^2"))
    derived: tuple[Quantity, ...] = ()

    @property
    def ranges(self) -> Mapping[str, Prior]:
        return {"sin2_2theta": LogUniform(1e-4, 1.0), "dm2": LogUniform(0.02, 10.0)}

    @property
    def coordinates(self) -> Mapping[str, Mapping[str, Coordinate]]:
        return {}

    def point(self, columns: Columns) -> OscillationPoint:
        return OscillationPoint(columns, self.name)


def prediction(signal: Array) -> dict[str, Array]:
    signal = np.atleast_2d(signal)
    return {"signal_nu": signal[:, :11], "signal_nubar": signal[:, 11:]}


def brute_force(signal: Array, shift: Array | float = 0.0) -> float:
    """ln density of the 38 bins at one signal (22,), straight from the released files.

    `shift` (22,) is added to the observed electron-like events.
    """
    electron, muon = table("miniboone_2020_electron.csv"), table("miniboone_2020_muon.csv")
    modes = ("nu", signal[:11]), ("nubar", signal[11:])
    parts = [(s, electron[f"{mode}_background"], muon[f"{mode}_prediction"]) for mode, s in modes]
    everything = np.concatenate([np.concatenate(part) for part in parts])
    covariance60 = matrix("miniboone_2020_covariance.csv") * np.outer(everything, everything)
    collapse = np.zeros((38, 60))
    for row, column in ((0, 0), (19, 30)):
        collapse[row : row + 11, column : column + 11] = np.eye(11)
        collapse[row : row + 11, column + 11 : column + 22] = np.eye(11)
        collapse[row + 11 : row + 19, column + 22 : column + 30] = np.eye(8)
    statistical = np.concatenate([signal[:11], np.zeros(8), signal[11:], np.zeros(8)])
    covariance = collapse @ covariance60 @ collapse.T + np.diag(statistical)
    observed = np.concatenate(
        [np.concatenate([electron[f"{mode}_data"], muon[f"{mode}_data"]]) for mode, _ in modes]
    )
    observed[np.r_[0:11, 19:30]] += shift
    residual = observed - collapse @ everything
    scale = np.sqrt(np.diag(covariance))  # muon bins are 1e4 times larger: unscaled, the ninth digit is lost
    correlation, pull = covariance / np.outer(scale, scale), residual / scale
    ln_det = np.linalg.slogdet(correlation)[1] + 2.0 * np.log(scale).sum()
    return float(-0.5 * (pull @ np.linalg.solve(correlation, pull) + ln_det + 38.0 * np.log(2.0 * np.pi)))


def test_contract() -> None:
    likelihood = MiniBooNE()
    assert isinstance(likelihood, Likelihood)
    assert pickle.loads(pickle.dumps(likelihood)) == likelihood
    from_list = MiniBooNE(data_nu=[1.0] * 11)  # type: ignore[arg-type]
    assert hash(from_list) == hash(MiniBooNE(data_nu=(1.0,) * 11))


def test_zero_signal() -> None:
    got = MiniBooNE().log_likelihood(prediction(np.zeros(22)))
    assert got[0] == pytest.approx(brute_force(np.zeros(22)), abs=1e-9)
    assert got[0] == pytest.approx(-221.620, abs=5e-4)


def test_reduction_equals_the_38_bins() -> None:
    """Smooth spectra from nothing to ten times the excess, and random ones."""
    rng = np.random.default_rng(5)
    falling = np.tile(np.exp(-np.arange(11.0) / 3.0), 2) * np.repeat([150.0, 21.0], 11)
    smooth = np.linspace(0.0, 10.0, 21)[:, None] * falling
    signal = np.vstack([smooth, rng.random((100, 22)) * 60.0, rng.exponential(20.0, (50, 22))])
    got = MiniBooNE().log_likelihood(prediction(signal))
    np.testing.assert_allclose(got, [brute_force(each) for each in signal], rtol=0.0, atol=1e-9)


def test_replaced_data() -> None:
    shift = np.r_[np.full(11, 3.0), np.full(11, -2.0)]
    data = MiniBooNE().release.data + shift
    moved = MiniBooNE(data_nu=tuple(data[:11]), data_nubar=tuple(data[11:]))
    assert moved.published == ()
    for signal in (np.zeros(22), np.full(22, 7.0)):
        got = moved.log_likelihood(prediction(signal))[0]
        assert got == pytest.approx(brute_force(signal, shift), abs=1e-9)
    assert MiniBooNE().log_likelihood(prediction(np.zeros(22)))[0] == pytest.approx(-221.620, abs=5e-4)


def test_table_1_sums() -> None:
    """V1: data and unconstrained backgrounds in 200 < E_nu^QE < 1250 MeV."""
    release = MiniBooNE().release
    for part, mode in ((NU, "nu"), (NUBAR, "nubar")):
        assert release.data[part].sum() == TABLE_1[f"data_{mode}"]
        assert release.background[part].sum() == pytest.approx(TABLE_1[f"background_{mode}"], abs=0.1)


def test_table_1_errors_of_the_unconstrained_background() -> None:
    """V4: 49.7 is reproduced; 258.3 comes out as 256.2."""
    covariance = MiniBooNE().release.covariance_background()
    errors = [np.sqrt(covariance[part, part].sum()) for part in (NU, NUBAR)]
    assert errors[0] == pytest.approx(256.22, abs=0.01)
    assert errors[0] == pytest.approx(TABLE_1["error_background_nu"], abs=3.0)
    assert errors[1] == pytest.approx(TABLE_1["error_background_nubar"], abs=0.1)


def test_table_1_constrained_background() -> None:
    """V2, V3: 2309.4 +- 119.6 and 400.6 +- 28.5, and the excesses 560.6 and 77.4."""
    release = MiniBooNE().release
    background, covariance = release.constrained_background()
    for part, mode, off in ((NU, "nu", 0.5), (NUBAR, "nubar", 0.2)):
        total = background[part].sum()
        error = np.sqrt(covariance[part, part].sum())
        assert total == pytest.approx(TABLE_1[f"constrained_background_{mode}"], abs=off)
        assert error == pytest.approx(TABLE_1[f"error_constrained_background_{mode}"], abs=0.06)
        assert release.data[part].sum() - total == pytest.approx(TABLE_1[f"excess_{mode}"], abs=off)


def test_published_numbers_and_contract_on_a_model() -> None:
    rng = np.random.default_rng(3)
    columns = {name: prior.quantile(rng.random(64)) for name, prior in Oscillation().ranges.items()}
    findings = check_likelihood(MiniBooNE(), Oscillation(), columns=columns)
    assert [finding.message for finding in findings if not finding.passed] == []
    assert {"published", "batch", "finite"} <= {finding.check for finding in findings}


def test_oscillation_signal_up_to_ten_times_the_excess() -> None:
    """ln L along the amplitude of 3+1-like spectra: finite, one maximum, smooth."""
    model = Oscillation()
    for dm2 in (0.05, 0.3, 1.0, 5.0):
        unit = model.point({"sin2_2theta": np.ones(1), "dm2": np.full(1, dm2)})
        excess = MiniBooNE().predict(unit)["excess_nu"][0]
        amplitude = np.linspace(0.0, 5606.0, 4001) / excess
        point = model.point({"sin2_2theta": amplitude, "dm2": np.full(4001, dm2)})
        ln_l = MiniBooNE().log_likelihood(MiniBooNE().predict(point))
        assert np.isfinite(ln_l).all()
        slope = np.diff(ln_l)
        assert np.count_nonzero(np.diff(np.sign(slope))) == 1
        assert np.abs(np.diff(slope)).max() < 0.02  # steps of 1.4 events
        best = amplitude[np.argmax(ln_l)] * excess
        assert 20.0 < best < 700.0


def test_oscillation_fit_prefers_a_signal() -> None:
    """A two-parameter appearance fit, without nuclear effects and resolution, takes up the excess."""
    model = Oscillation()
    grid = np.meshgrid(np.geomspace(1e-3, 1.0, 60), np.geomspace(0.02, 10.0, 60))
    columns = {"sin2_2theta": grid[0].ravel(), "dm2": grid[1].ravel()}
    predicted = MiniBooNE().predict(model.point(columns))
    ln_l = MiniBooNE().log_likelihood(predicted)
    assert 2.0 * (ln_l.max() + 221.620307) > 25.0
    assert 300.0 < predicted["excess_nu"][np.argmax(ln_l)] < 600.0


def test_in_a_posterior() -> None:
    model = Oscillation()
    space = ParameterSpace([Parameter(name, "", "", prior) for name, prior in model.ranges.items()])
    posterior = Posterior(space, model, [MiniBooNE()])
    evaluation = posterior.evaluate(space.draw(32, np.random.default_rng(1)))
    assert np.isfinite(evaluation.log_posterior).all()
    assert posterior.observables == ("excess_nu", "excess_nubar")


def test_excess_counts_events_below_1250_mev() -> None:
    point = Oscillation().point({"sin2_2theta": np.array([0.1, 0.5]), "dm2": np.array([0.3, 2.0])})
    got = MiniBooNE().predict(point)
    np.testing.assert_allclose(got["excess_nu"], got["signal_nu"][:, :9].sum(axis=1), rtol=1e-14)
    np.testing.assert_allclose(got["excess_nubar"], got["signal_nubar"][:, :9].sum(axis=1), rtol=1e-14)


def test_indefinite_covariance_excludes_the_point_and_says_why() -> None:
    """A comb in antineutrino mode, found by minimising the lowest eigenvalue at 200 events a bin."""
    comb = np.zeros(22)
    comb[[0, 1, 4]] = 200.0, 200.0, 96.0
    comb[[11, 13, 15, 16, 17, 18]] = 200.0
    both = np.vstack([np.zeros(22), comb])
    with pytest.warns(RuntimeWarning, match="not positive definite"):
        got = MiniBooNE().log_likelihood(prediction(both))
    assert got[0] == pytest.approx(-221.620307, abs=1e-6)
    assert got[1] == -np.inf


def test_one_bin_of_any_size_is_finite() -> None:
    size = np.append(np.geomspace(1e-3, 1e12, 16), 1e200)
    for k in range(22):
        signal = np.zeros((size.size, 22))
        signal[:, k] = size
        assert np.isfinite(MiniBooNE().log_likelihood(prediction(signal))).all()


def test_an_infinite_signal_is_impossible() -> None:
    """How a model says that it has no prediction."""
    signal = np.ones((2, 22))
    signal[1, 4] = np.inf
    found = MiniBooNE().log_likelihood(prediction(signal))
    assert np.isfinite(found[0])
    assert found[1] == -np.inf


def test_combs_of_100_events_are_finite() -> None:
    signal = 100.0 * (np.random.default_rng(8).random((4000, 22)) < 0.5)
    assert np.isfinite(MiniBooNE().log_likelihood(prediction(signal))).all()


def test_nan_stays_nan_for_its_point_alone() -> None:
    signal = np.ones((3, 22))
    signal[1, 4] = np.nan
    got = MiniBooNE().log_likelihood(prediction(signal))
    assert np.isnan(got).tolist() == [False, True, False]


def test_batch_of_any_size() -> None:
    signal = np.random.default_rng(2).random((75, 22)) * 30.0
    together = MiniBooNE().log_likelihood(prediction(signal))
    one_by_one = [MiniBooNE().log_likelihood(prediction(each))[0] for each in signal]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-13)
    assert MiniBooNE().log_likelihood(prediction(np.zeros((0, 22)))).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"measurement": "miniboone-2002"},
            "miniboone: no measurement named 'miniboone-2002'; did you mean 'miniboone-2020'?",
        ),
        (
            {"data_nu": (1.0, 2.0)},
            "miniboone: 'data_nu' has 2 numbers; give 11, one for each bin of E_nu^QE",
        ),
        (
            {"data_nubar": (-1.0,) * 11},
            "miniboone: 'data_nubar' contains -1; give finite numbers, none negative",
        ),
        (
            {"data_nubar": (float("nan"),) * 11},
            "miniboone: 'data_nubar' contains nan; give finite numbers, none negative",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(GlobalfitError) as caught:
        MiniBooNE(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_bad_signals() -> None:
    with pytest.raises(
        LikelihoodError, match=r"^miniboone: 'signal_nu' has shape \(4, 10\); give \(n, 11\)$"
    ):
        MiniBooNE().log_likelihood({"signal_nu": np.zeros((4, 10)), "signal_nubar": np.zeros((4, 11))})
    negative = np.zeros((3, 22))
    negative[1, 13] = -2.5
    with pytest.raises(LikelihoodError, match=r"^miniboone: 'signal_nubar' = -2.5 in bin 2 of point 1; "):
        MiniBooNE().log_likelihood(prediction(negative))


def test_model_without_a_signal() -> None:
    class Empty(Oscillation):
        def point(self, columns: Columns) -> Point:  # type: ignore[override]
            return Point(columns, "empty")

    columns = {"sin2_2theta": np.ones(2), "dm2": np.ones(2)}
    (problem,) = [each for each in check_likelihood(MiniBooNE(), Empty(), columns=columns) if not each.passed]
    assert problem.message == "miniboone: needs 'signal_nu', 'signal_nubar', which model 'oscillation' lacks"


def test_compiled_code_is_numpy() -> None:
    """Small and large signals, and jagged ones whose covariance is not positive definite; any batch alike."""
    pytest.importorskip("numba")
    rng = np.random.default_rng(8)
    signal = rng.random((203, 22)) * np.exp(rng.uniform(-6.0, 5.0, (203, 1)))
    signal[::20] = 0.0
    signal[1::20] = 0.0
    signal[1::20, [[0], [1], [11], [13], [15], [16], [17], [18]]] = 200.0
    signal[1::20, 4] = 96.0
    signal[2, 3] = np.inf
    prediction = {"signal_nu": signal[:, :11], "signal_nubar": signal[:, 11:]}
    with pytest.warns(RuntimeWarning, match="not positive definite"):
        ours, compiled = (MiniBooNE(engine=each).log_likelihood(prediction) for each in ("numpy", "numba"))
    assert np.isneginf(ours).sum() > 3
    assert compiled == pytest.approx(ours, rel=1e-10)
    few = {name: events[7:20] for name, events in prediction.items()}
    assert np.array_equal(MiniBooNE(engine="numba").log_likelihood(few), compiled[7:20])


def test_engine_options(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GlobalfitError) as error:
        MiniBooNE(engine="numbra")
    assert str(error.value) == "miniboone: no engine 'numbra'; did you mean 'numba'?"
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_is_installed.cache_clear()
    try:
        with pytest.raises(GlobalfitError, match="miniboone: engine 'numba' is not installed; pip install"):
            MiniBooNE(engine="numba")
        none = dict.fromkeys(("signal_nu", "signal_nubar"), np.zeros((1, 11)))
        assert MiniBooNE().log_likelihood(none) == pytest.approx(-221.6203073)
    finally:
        numba_is_installed.cache_clear()
