"""Structure of a posterior, partial evaluation, the frozen proposal, and a start that is interrupted."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from globalfit.errors import SamplingError
from globalfit.fitfile import load_fit
from globalfit.priors.shapes import Uniform
from globalfit.sampling.blocks import blocks
from globalfit.sampling.ensemble import advance
from globalfit.sampling.mixture import Mixture
from globalfit.sampling.mixture_fit import fit_mixture
from globalfit.sampling.moves import component_moves
from globalfit.sampling.population import Population
from globalfit.sampling.proposal import Proposal
from globalfit.sampling.tempered import (
    first_population,
    first_state,
    frozen_proposal,
    next_population,
    tempered_population,
)
from globalfit.sampling.trial import revise
from globalfit.sampling.tries import Source

FITS = Path(__file__).parents[2] / "fits"


@pytest.fixture(scope="module")
def today():
    return load_fit(FITS / "today.toml").posterior


def modes(x):
    """Three modes of weight 1/2, 3/10, 1/5 and width 0.3 on the diagonal of the first two coordinates."""
    terms = [
        np.log(weight) - 0.5 * np.sum((x[:, :2] - place) ** 2, axis=1) / 0.09
        for weight, place in ((0.5, -6.0), (0.3, 0.0), (0.2, 6.0))
    ]
    return np.logaddexp.reduce(terms, axis=0) - np.log(2 * np.pi * 0.09)


def shares(x):
    return [np.mean(x < -3), np.mean(np.abs(x) < 3), np.mean(x > 3)]


def test_components_of_the_seven_likelihoods(today):
    names, found = today.space.names, blocks(today)
    dark, flavour = ({names[i] for i in each.parameters} for each in found.components)
    assert flavour == {"c10_universal", "c_muon", "c_scalar", "c_pseudoscalar"}
    assert dark == set(names) - flavour
    light = {names[i] for i in found.components[0].light}
    assert light == {"portal_coupling", "dump_flux_ratio", "dump_background"}
    likelihoods = list(today.likelihoods)
    relic = found.touches[:, likelihoods.index("relic-density")]
    assert {names[i] for i in np.flatnonzero(relic)} == {"vev", "m_aprime", "m_phi", "m_eta"}
    assert [likelihoods[k] for k in found.levels[-1]] == ["relic-density"]


def test_partial_evaluation_is_the_posterior(today):
    rng = np.random.default_rng(1)
    a, b = today.space.draw(6, rng), today.space.draw(6, rng)
    structure, before = blocks(today), today.walk(a)
    moved = rng.random(a.shape) < 0.3
    theta = np.where(moved, b, a)
    np.testing.assert_allclose(
        revise(today, structure, theta, before, moved), today.walk(theta), rtol=1e-9, atol=1e-12
    )


def test_mixture_is_normalised_and_draws_what_it_says():
    random = np.random.RandomState(2)
    x = np.vstack([random.standard_normal((400, 2)) * [0.3, 1.0], random.standard_normal((400, 2)) + 5.0])
    mixture = fit_mixture(x, 4, np.random.default_rng(0))
    u = np.linspace(-60.0, 65.0, 801)
    grid = np.array(np.meshgrid(u, u, indexing="ij")).reshape(2, -1).T
    density = np.exp(mixture.log_density(grid)).reshape(len(u), len(u))
    assert integrate.simpson(integrate.simpson(density, x=u), x=u) == pytest.approx(1.0, abs=2e-3)
    drawn = mixture.draw(20_000, random)
    inside = (grid[:, 0] < 2.5).reshape(density.shape) * density
    expected = integrate.simpson(integrate.simpson(inside, x=u), x=u)
    assert np.mean(drawn[:, 0] < 2.5) == pytest.approx(expected, abs=0.015)


def test_an_interrupted_start_goes_on_as_if_nothing_had_been(toy):
    posterior = toy.posterior([Uniform(-10.0, 10.0)] * 2, modes)
    whole = tempered_population(posterior, 3, ensemble=1, particles=400)
    now = first_population(posterior, 3, 1, particles=400)
    while not now.finished:
        now = next_population(posterior, Population.from_bytes(now.to_bytes()), 3, 1)
    assert now.to_bytes() == whole.to_bytes()
    assert now.left == 0.0
    assert 0.5 < now.unique <= 1.0
    assert pickle.loads(pickle.dumps(now)).to_bytes() == now.to_bytes()


def test_the_frozen_proposal_exchanges_modes_and_keeps_their_weights(toy):
    posterior = toy.posterior([Uniform(-10.0, 10.0)] * 2, modes)
    population = tempered_population(posterior, 5, particles=1000)
    proposal = Proposal.from_bytes(frozen_proposal(posterior, population).to_bytes())
    assert proposal.to_bytes() == frozen_proposal(posterior, population).to_bytes()
    state = first_state(posterior, population, 64, 5, 0)
    state.coords[:] = state.coords[0]  # all in one place: only the moves can put the weights right
    state.coords[:] += 0.01 * np.random.default_rng(0).standard_normal(state.coords.shape)
    rows = posterior.walk(state.coords)
    state.log_prob[:], state.blobs[:] = rows[:, 0], rows[:, 1:]
    moves = component_moves(posterior, proposal)
    block, after = advance(posterior, state, 400, seconds=1e9, moves=moves)
    assert shares(block.values[50:, :, 0]) == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    np.testing.assert_allclose(after.log_prob, posterior(after.coords), rtol=1e-9)
    cut, state_cut = [], state
    for steps in (1, 7, 32):
        piece, state_cut = advance(posterior, state_cut, steps, seconds=1e9, moves=moves)
        cut.append(piece.coords)
    np.testing.assert_array_equal(np.concatenate(cut), block.coords[:40])


def test_a_proposal_of_another_fit_is_refused(toy):
    posterior = toy.posterior([Uniform(-1.0, 1.0)], lambda x: x[:, 0])
    other = Proposal(((("y",), Source(Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))))),))
    with pytest.raises(SamplingError, match="proposes 'y' together, which the fit does not"):
        component_moves(posterior, other)
