from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from globalfit.sampling.stopping import LENGTH, assess, autocorrelation_times, burn_in


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


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.97])
def test_autocorrelation_time_of_a_known_process(rho):
    tau = (1 + rho) / (1 - rho)
    found = autocorrelation_times(ar1(rho, int(400 * tau) + 3000, 64, seed=2)[:, :, None])[0]
    assert found == pytest.approx(tau, rel=0.05)


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
    assert len(found.reasons) == 1
    assert found.reasons[0].endswith(f"; {LENGTH} are needed")
    assert "kept steps are" in found.reasons[0]


def test_a_stuck_walker():
    samples = chain()
    samples[:, 5] = samples[0, 5]
    found = assess(samples, NAMES)
    assert found.reasons[0] == "1 of 64 walkers never moved; run longer, or reparametrise"
    assert np.isnan(found.worst_tau)
    assert np.isnan(found.worst_ess)
    assert any("autocorrelation time of 'a' cannot be estimated" in reason for reason in found.reasons)


def test_a_drift():
    samples = chain()
    samples[:, :, 1] += np.linspace(0.0, 0.5, 2000)[:, None]
    found = assess(samples, NAMES)
    assert found.reasons == ("'b' still drifts: the halves of the chain differ; run longer",)


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
