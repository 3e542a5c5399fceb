from __future__ import annotations

import emcee
import numpy as np
import pytest
from scipy.signal import lfilter

from globalfit.sampling import stopping
from globalfit.sampling.autocorrelation import autocorrelation_times
from globalfit.sampling.census import count_modes
from globalfit.sampling.diagnosis import LENGTH, burn_in
from globalfit.sampling.stopping import ENSEMBLES


def ar1(rho, steps, walkers, seed):
    """Stationary AR(1) processes (steps, walkers) of unit variance: tau = (1 + rho)/(1 - rho)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((steps, walkers)) * np.sqrt(1 - rho**2)
    noise[0] = rng.standard_normal(walkers)
    return lfilter([1.0], [1.0, -rho], noise, axis=0)


def chain(rho=0.8, steps=2000, walkers=64, seed=1, quantities=3):
    parts = [ar1(rho, steps, walkers, seed + i) for i in range(quantities - 1)]
    log_posterior = -0.5 * sum(part**2 for part in parts)
    return np.dstack([*parts, log_posterior])


NAMES = ("a", "b", "ln posterior")


def assess(samples, names, **more):
    """The verdict of one ensemble on its own, as if one were enough."""
    return stopping.assess(samples, names, **({"least": 1} | more))


def four(**options):
    """A chain of four ensembles side by side, and the ensemble of each walker."""
    parts = [chain(walkers=32, seed=100 * k, **options) for k in range(4)]
    return np.concatenate(parts, axis=1), np.repeat(np.arange(4), 32)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.97])
def test_autocorrelation_time_of_a_known_process(rho):
    tau = (1 + rho) / (1 - rho)
    found = autocorrelation_times(ar1(rho, int(400 * tau) + 3000, 64, seed=2)[:, :, None])[0]
    assert found == pytest.approx(tau, rel=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_autocorrelation_time_to_two_percent(rho):
    """3e6 draws: the statistical error is 1 % at most; what is left of the bias by the mean 0.6 %."""
    tau = (1 + rho) / (1 - rho)
    found = autocorrelation_times(ar1(rho, int(2000 * tau), 128, seed=5)[:, :, None])[0]
    assert found == pytest.approx(tau, rel=0.02)


def test_autocorrelation_time_is_emcees():
    samples = chain(rho=0.9, steps=700)
    expected = emcee.autocorr.integrated_time(samples, c=5, tol=0, quiet=True)
    assert autocorrelation_times(samples) == pytest.approx(expected, rel=1e-10)


def test_a_good_chain_is_converged():
    found = assess(chain(), NAMES)
    assert found.converged
    assert found.reasons == ()
    kept = 2000 - found.discard
    for name in ("a", "b"):
        assert found.tau[name] == pytest.approx(9.0, rel=0.1)
        assert found.ess[name] == pytest.approx(kept * 64 / found.tau[name])
    assert found.worst_tau == max(found.tau.values())
    assert found.worst_ess == min(found.ess.values())
    assert 10 * 9.0 * 0.9 < found.discard < 300


def test_effective_samples_give_the_error_of_the_mean():
    """Over 300 chains the mean scatters as the effective samples say."""
    z = []
    for seed in range(300):
        samples = ar1(0.8, 600, 8, seed=1000 + seed)
        tau = autocorrelation_times(samples[:, :, None])[0]
        z.append(samples.mean() / (samples.std() * np.sqrt(tau / samples.size)))
    assert np.std(z) == pytest.approx(1.0, abs=4 / np.sqrt(600))


def test_too_short():
    found = assess(chain(rho=0.95, steps=800), NAMES)
    (reason,) = [each for each in found.reasons if "kept steps are" in each]
    assert f"{LENGTH} are needed; run longer" in reason
    slow = max(found.quantities, key=lambda each: each.tau)
    assert slow.saturated
    assert slow.tau_text == f">= {slow.tau:.1f}"
    assert f"(>= {slow.tau:.1f}) of '{slow.name}'" in reason
    assert found.reasons != found.lasting
    assert not found.finished


def test_a_stuck_walker():
    samples = chain()
    samples[:, 5] = samples[0, 5]
    found = assess(samples, NAMES)
    assert found.reasons[0] == (
        "1 of 64 walkers never moved (walker 5 of ensemble 0); run longer, or reparametrise"
    )
    assert np.isnan(found.worst_tau)
    assert np.isnan(found.worst_ess)
    assert any("autocorrelation time of 'a' is nan" in reason for reason in found.reasons)
    assert {each.tau_text for each in found.quantities} == {"nan"}


def test_a_walker_that_is_stuck_in_one_parameter_is_named():
    samples = chain()
    samples[:, 7, 1] = samples[0, 7, 1]
    found = assess(samples, NAMES)
    assert found.reasons[0] == (
        "the autocorrelation time of 'b' is nan: walker 7 of ensemble 0 never moved in it; "
        "run longer, or reparametrise"
    )
    assert np.isnan(found.tau["b"])
    assert np.isfinite(found.tau["a"])


def test_a_drift():
    samples = chain()
    samples[:, :, 1] += np.linspace(0.0, 0.5, 2000)[:, None]
    found = assess(samples, NAMES)
    assert "'b' still drifts: the halves of the chain differ; run longer" in found.reasons
    assert any(reason.startswith("R-hat is 1.0") and "for 'b'" in reason for reason in found.reasons)
    assert not any("'a'" in reason for reason in found.reasons)


def test_a_chain_of_three_steps_has_no_verdict():
    found = assess(chain(steps=3), NAMES)
    assert not found.converged
    assert np.isnan(found.worst_tau)


def test_a_flat_ln_posterior_is_no_obstacle():
    samples = chain()
    samples[:, :, 2] = -3.0
    found = assess(samples, NAMES)
    assert found.converged
    assert found.tau["ln posterior"] == 1.0


def test_burn_in_waits_for_the_last_walker():
    samples = chain()
    before = burn_in(samples)
    samples[:700, 3, :] += [30.0, 0.0, -450.0]  # one walker arrives at step 700
    assert before < 300
    assert 700 <= burn_in(samples) <= 720
    samples[:, 3, 2] = -1000.0  # one that never does: half the chain goes
    assert burn_in(samples) == 1000


def test_discard_can_be_given():
    assert assess(chain(), NAMES, discard=123).discard == 123


def test_four_ensembles_that_agree_are_converged():
    samples, ensemble = four()
    found = stopping.assess(samples, NAMES, ensemble=ensemble)
    assert found.converged, found.reasons
    assert (found.ensembles, found.walkers) == (4, 128)
    for each in found.quantities:
        assert each.rhat < 1.005
        assert each.bulk == pytest.approx(found.ess[each.name], rel=0.3)
        assert each.tail > 400


@pytest.mark.parametrize(("ensembles", "seen"), [(1, "one ensemble cannot see a mode it missed"),
                                                 (3, "3 ensembles may all have missed a mode")])  # fmt: skip
def test_fewer_ensembles_are_never_converged(ensembles, seen):
    samples, ensemble = four()
    keep = ensemble < ensembles
    found = stopping.assess(samples[:, keep], NAMES, ensemble=ensemble[keep])
    assert found.reasons == found.lasting == (f"{seen}; run with ensembles = {ENSEMBLES}",)
    assert found.finished  # more steps would not help
    assert not found.converged


def test_ensembles_apart_have_a_large_rhat():
    """The walkers of each ensemble agree among themselves; the ensembles do not."""
    samples, ensemble = four()
    samples[:, ensemble == 2, 0] += 1.0
    found = stopping.assess(samples, NAMES, ensemble=ensemble)
    assert found.tau["a"] < 12
    (reason,) = found.reasons
    assert reason.startswith("R-hat is 1.09")
    assert reason.endswith("for 'a', below 1.01 is needed; run longer, and if it stays start anew")
    assert assess(samples, NAMES).reasons == ()  # as one ensemble it looks fine


def test_a_start_in_a_ball_is_seen():
    """Four ensembles from one small ball agree on whatever mode it lay in."""
    samples, ensemble = four()
    grown = np.minimum(1.0, 0.05 + np.arange(2000) / 100.0)[:, None, None]
    samples[:, :, :2] = 3.0 + (samples[:, :, :2] - 3.0) * grown
    found = stopping.assess(samples, NAMES, ensemble=ensemble, discard=200)
    (reason,) = found.lasting
    assert reason.startswith("the census cannot tell: the walkers of ensemble")
    assert reason.endswith('blind to other modes; run with start = "tempered"')
    assert found.reasons == found.lasting


def test_ln_z_has_to_agree():
    samples, ensemble = four()
    good = stopping.assess(samples, NAMES, ensemble=ensemble, evidence=(-12.0, -12.2, -11.9, -12.1))
    assert good.converged
    bad = stopping.assess(samples, NAMES, ensemble=ensemble, evidence=(-12.0, -13.2, -11.9, -12.1))
    assert bad.reasons == (
        "ln Z scatters by 0.61 between the tempered starts, 0.3 is allowed; "
        "start anew with more particles (sampler.particles)",
    )


def test_the_census_has_to_agree():
    samples, ensemble = four()
    for masses, fine in (((0.30, 0.32, 0.31, 0.34), True), ((0.2, 0.9, 0.5, 0.4), False)):
        inside = np.zeros((4, 2000, 32), dtype=int)  # walkers that stay where they are
        for k, mass in enumerate(masses):
            inside[k, :, : round(32 * mass)] = 1
            inside[k] ^= np.random.default_rng(k).random((2000, 32)) < 0.2  # some come and go
        census = count_modes("sign of c", inside, ("c < 0", "c > 0"))
        found = stopping.assess(samples, NAMES, ensemble=ensemble, census=[census])
        assert found.converged is fine
        if not fine:
            (reason,) = found.lasting
            assert "in the ensembles, a spread of 0.05 is allowed" in reason
            assert reason.startswith("the mass of 'c ")


def test_derived_quantities_are_judged_too():
    """A width that is zero below its threshold; a constant; one with infinities; a slow one."""
    samples, ensemble = four()
    width = np.where(np.arange(128) % 64, np.exp(samples[:, :, 0]), 0.0)
    infinite = np.where(samples[:, :, 0] > 1.0, np.inf, samples[:, :, 0])
    slow = np.repeat(ar1(0.999, 2000, 4, seed=9), 32, axis=1)
    others = {"width": width, "same": np.full_like(width, 3.0), "length": infinite, "slow": slow}
    found = stopping.assess(samples, NAMES, ensemble=ensemble, others=others.items())
    assert found.constant == ("same",)
    judged = {each.name: each for each in found.quantities}
    assert judged["width"].tau == pytest.approx(9.0, rel=0.3)
    assert judged["length"].tau == pytest.approx(9.0, rel=0.3)
    assert any("'slow'" in reason for reason in found.reasons)
    assert not any("'length'" in reason or "'same'" in reason for reason in found.reasons)
    assert set(found.tau) == set(NAMES)
