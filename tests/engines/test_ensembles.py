"""Several ensembles in one chain: seeds, layout, interruptions at different steps, parts and merging."""

from __future__ import annotations

import json
import re

import emcee
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains import Chain
from globalfit.chains.merge import merge
from globalfit.chains.store import open_store
from globalfit.cli import app
from globalfit.errors import ChainError, FitErrors, SamplingError
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_layout(whole):
    with h5py.File(whole) as file:
        assert file["mcmc/chain"].shape == (90, 24, 2)
        assert file["mcmc/walker_ensemble"][()].tolist() == [0] * 8 + [1] * 8 + [2] * 8
        assert sorted(file["globalfit/ensembles"]) == ["0", "1", "2"]
        states = [file[f"globalfit/ensembles/{k}/rng_state"][()] for k in range(3)]
        assert len({each.tobytes() for each in states}) == 3
    backend = emcee.backends.HDFBackend(whole, read_only=True)
    assert (backend.get_chain() == Chain.open(whole).values).all()
    assert json.loads(command("info", whole, "--json").stdout)["ensembles"] == [0, 1, 2]


def test_each_ensemble_is_that_of_its_own_stream(whole, make_fit):
    """Side by side stand the chains that the plain loop makes of each stream alone."""
    fit, chain = make_fit(), Chain.open(whole)
    for k in range(3):
        state = start(fit.posterior, 8, 1, ensemble=k)
        block, _ = advance(fit.posterior, state, 90, seconds=1e9)
        part = slice(8 * k, 8 * k + 8)
        assert chain.values[:, part].tobytes() == block.values.tobytes()
        assert chain.log_prob[:, part].tobytes() == block.log_prob.tobytes()
        assert (chain.accepted[part] == block.accepted).all()


def test_the_first_ensemble_is_the_only_one_of_a_fit_of_one(whole, make_fit, tmp_path):
    one = make_fit(ensembles=1).run(tmp_path / "one.h5", steps=90)
    assert one.values.tobytes() == Chain.open(whole).values[:, :8].tobytes()


def test_the_number_can_be_given(whole, make_fit, tmp_path, tree):
    make_fit(ensembles=1).run(tmp_path / "out.h5", steps=90, ensembles=3)
    found, expected = tree(tmp_path / "out.h5"), tree(whole)
    assert found["mcmc/chain"] == expected["mcmc/chain"]
    assert found["globalfit@fingerprint"] == expected["globalfit@fingerprint"]


def test_a_fit_of_one_ensemble_has_the_fingerprint_it_always_had(make_fit):
    fit = make_fit(ensembles=1)
    former = {name: value for name, value in fit.resolved["sampler"].items() if name != "ensembles"}
    from globalfit.identity import fingerprint

    assert fingerprint(fit.resolved | {"sampler": former}) == fit.fingerprint
    assert make_fit(ensembles=2).fingerprint != fit.fingerprint


def test_a_tempered_start_has_four_by_default(make_fit):
    from globalfit.tables import SamplerTable

    assert SamplerTable(start="prior").ensembles == 1
    assert SamplerTable().ensembles == 4
    assert SamplerTable(start="tempered", ensembles=2).ensembles == 2


@pytest.fixture
def uneven(tmp_path, make_fit):
    """A chain whose run died with its ensembles at different steps."""
    fit, path = make_fit(), tmp_path / "out.h5"
    with open_store(path, fit) as store:
        states = {}
        for k in (1, 0, 2):
            states[k] = start(fit.posterior, 8, 1, ensemble=k)
            store.begin(states[k], 1, k)
        for k, steps in ((0, 20), (2, 7), (0, 13), (1, 30), (2, 18)):
            block, states[k] = advance(fit.posterior, states[k], steps, seconds=1e9)
            store.append(block, states[k], k)
        store._publish(complete=False)
    return path


def test_what_is_published_has_the_common_length(uneven, whole):
    live, expected = Chain.open(uneven), Chain.open(whole)
    assert live.steps == 25
    assert live.values.tobytes() == expected.values[:25].tobytes()
    assert live.blobs.tobytes() == expected.blobs[:25].tobytes()
    moved = [np.any(live.values[1:, i] != live.values[:-1, i], axis=1).sum() for i in range(24)]
    assert np.all((live.accepted - moved >= 0) & (live.accepted - moved <= 1))  # and the first step
    found = json.loads(command("info", uneven, "--json").stdout)["journal"]
    assert found["ensembles"] == {"0": 33, "1": 30, "2": 25}
    assert found["steps"] == 25


def test_uneven_ensembles_go_on_to_the_same_chain(uneven, whole, make_fit, tree):
    assert make_fit().run(uneven, steps=90).steps == 90
    assert tree(uneven) == tree(whole)


def test_a_total_that_some_have_passed_is_that_of_the_longest(uneven, whole, make_fit):
    chain = make_fit().run(uneven, steps=28)
    assert chain.steps == 33
    assert chain.values.tobytes() == Chain.open(whole).values[:33].tobytes()


def test_an_ensemble_that_had_not_begun_is_begun(tmp_path, whole, make_fit, tree):
    fit, path = make_fit(), tmp_path / "out.h5"
    with open_store(path, fit) as store:
        store.begin(start(fit.posterior, 8, 1, ensemble=1), 1, 1)
    assert not path.exists()
    make_fit().run(path, steps=90)
    assert tree(path) == tree(whole)


def test_repair_keeps_what_uneven_ensembles_hold(uneven, whole, make_fit, tree):
    new = uneven.with_name("new.h5")
    assert command("repair", uneven, "-o", new).exit_code == 0
    assert Chain.open(new).steps == 25
    make_fit().run(new, steps=90)
    assert tree(new) == tree(whole)


def test_where_a_run_to_a_target_ends_does_not_depend_on_interruptions(tmp_path, make_fit, tree, monkeypatch):
    monkeypatch.setattr("globalfit.sampling.diagnosis.LENGTH", 4)  # autocorrelation times that are enough
    fit = make_fit(ensembles=2)
    whole = fit.run(tmp_path / "whole.h5", target_ess=60)
    assert whole.run["segments"][-1]["reason"] == "converged"
    path = tmp_path / "cut.h5"
    with open_store(path, fit) as store:
        for k, steps in ((0, 250), (1, 200)):
            state = start(fit.posterior, 8, 1, ensemble=k)
            store.begin(state, 1, k)
            store.append(*advance(fit.posterior, state, steps, seconds=1e9), k)
    fit.run(path, target_ess=60)
    assert tree(path) == tree(tmp_path / "whole.h5")


# Parts and merging


@pytest.fixture(scope="module")
def parts(make_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / f"part{k}.h5" for k in range(3)]
    for k, path in enumerate(paths):
        make_fit().run(path, steps=90, only_ensemble=k)
    return paths


def test_a_part_has_the_bits_of_its_ensemble(parts, whole):
    part, expected = Chain.open(parts[2]), Chain.open(whole)
    assert part.values.tobytes() == expected.values[:, 16:].tobytes()
    with h5py.File(parts[2]) as file:
        assert file["mcmc/walker_ensemble"][()].tolist() == [2] * 8
        assert list(file["globalfit/ensembles"]) == ["2"]


def test_a_part_can_be_continued(tmp_path, parts, make_fit, tree):
    path = tmp_path / "part.h5"
    for steps in (17, 90):
        make_fit().run(path, steps=steps, only_ensemble=1)
    assert tree(path) == tree(parts[1])


def test_merged_parts_are_the_whole_and_go_on(tmp_path, parts, whole, make_fit, tree):
    out = tmp_path / "out.h5"
    done = command("merge", parts[2], parts[0], parts[1], "-o", out, "--json")
    assert json.loads(done.stdout) == {"file": str(out), "steps": 90, "ensembles": [0, 1, 2]}
    assert tree(out) == tree(whole)
    make_fit().run(out, steps=95)
    straight = make_fit().run(tmp_path / "straight.h5", steps=95)
    assert Chain.open(out).values.tobytes() == straight.values.tobytes()


def test_parts_of_different_lengths_are_cut(tmp_path, parts, whole, make_fit):
    short = tmp_path / "short.h5"
    make_fit().run(short, steps=41, only_ensemble=1)
    notices = []
    found = merge([parts[0], short], tmp_path / "out.h5", notice=notices.append)
    assert (found.steps, found.ensembles) == (41, (0, 1))
    assert "part0.h5: cut from 90 to 41 steps, the length of the shortest" in notices[0]
    assert notices[1] == "of the fit's 3 ensembles 2 are missing"
    chain, expected = Chain.open(tmp_path / "out.h5"), Chain.open(whole)
    assert chain.values.tobytes() == expected.values[:41, :16].tobytes()
    exact = make_fit().run(tmp_path / "exact.h5", steps=41)
    assert (chain.accepted == exact.accepted[:16]).all()
    with pytest.raises(ChainError, match=r"holds ensembles 0 to 1, and ensembles 0 to 2 is wanted"):
        make_fit().run(tmp_path / "out.h5", steps=50)


# Bad input: one line each, nothing written


def emcee_file(path):
    sampler = emcee.EnsembleSampler(4, 1, lambda x: -0.5 * x @ x, backend=emcee.backends.HDFBackend(path))
    sampler.run_mcmc(np.random.default_rng(1).standard_normal((4, 1)), 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p, f, t: [p[0], p[0]], "holds ensemble 0, and so does"),
        (lambda p, f, t: [p[0]], "1 file is given; give two or more"),
        (lambda p, f, t: [p[0], t / "none.h5"], "none.h5: is not a file"),
        (lambda p, f, t: [p[0], t / "emcee.h5"], "emcee.h5: is not a globalfit chain"),
        (lambda p, f, t: [p[0], t / "text.h5"], "text.h5: cannot be opened as a chain"),
        (
            lambda p, f, t: [p[0], f(seed=2).run(t / "seed.h5", steps=3, only_ensemble=1).path],
            r"is the chain of another fit than .* \(sampler.seed: 1 -> 2\)",
        ),
        (
            lambda p, f, t: [p[0], f(ensembles=2).run(t / "two.h5", steps=3, only_ensemble=1).path],
            r"sampler.ensembles: 3 -> 2",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused(tmp_path, parts, make_fit, make, message):
    emcee_file(tmp_path / "emcee.h5")
    (tmp_path / "text.h5").write_text("text")
    done = command("merge", *make(parts, make_fit, tmp_path), "-o", tmp_path / "out.h5")
    assert re.search(message, str(done.exception))
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "out.h5").exists()


def test_an_unfinished_or_existing_file_is_not_merged(tmp_path, parts, uneven):
    with pytest.raises(ChainError, match="is not finished: its journal stands beside it"):
        merge([parts[0], uneven], tmp_path / "new.h5")
    with pytest.raises(ChainError, match=r"part2.h5: exists; choose another -o"):
        merge(parts[:2], parts[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only_ensemble": 3}, "there is no ensemble 3; they are numbered 0 to 2"),
        ({"only_ensemble": -1}, "there is no ensemble -1; they are numbered 0 to 2"),
        ({"ensembles": 1, "only_ensemble": 1}, "there is no ensemble 1; there is only ensemble 0; set"),
        ({"ensembles": 0}, "0 is no number of ensembles; give one from 1 to 1000"),
        ({"ensembles": 1001}, "1001 is no number of ensembles"),
        ({"engine": "mpi"}, "there is no engine 'mpi'; known: 'dask', 'processes', 'serial'"),
        ({"engine": "processses"}, "did you mean 'processes'"),
        ({"workers": 0}, "0 is no number of workers; give 1 or more"),
        ({"workers": -2, "engine": "processes"}, "-2 is no number of workers"),
        ({"workers": 2, "engine": "serial"}, "the engine 'serial' has none; use --engine processes"),
        ({"scheduler": "tcp://x:1", "engine": "serial"}, "the engine 'serial' has none; use --engine dask"),
        ({"scheduler": "tcp://x:1", "workers": 2}, "the scheduler has its own workers; leave it out"),
    ],
)
def test_words_that_make_no_sense_are_refused(tmp_path, make_fit, options, message):
    with pytest.raises(SamplingError, match=message):
        make_fit().run(tmp_path / "out.h5", steps=3, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ensembles = 0", "'ensembles' = 0 is too small"),
        ("ensembles = -4", "'ensembles' = -4 is too small"),
        ("ensembles = 2.0", "'ensembles' = 2.0 is not a whole number"),
        ("ensembles = 5000", "'ensembles' = 5000 is too large"),
        ("walkers = 9", "'walkers' = 9 is odd; give an even number"),
    ],
)
def test_the_fit_file_is_refused(make_fit, line, message, text):
    text = text.replace("ensembles = {ensembles}", line)
    if "walkers" in line:
        text = text.replace("walkers = 8\n", "")
    with pytest.raises(FitErrors, match=re.escape(message)):
        make_fit(text=text)


def test_one_of_many_needs_a_seed(tmp_path, make_fit, text):
    fit = make_fit(text=text.replace("seed = {seed}", ""))
    with pytest.raises(SamplingError, match="the fit has no seed, and every job would draw its own"):
        fit.run(tmp_path / "out.h5", steps=3, only_ensemble=0)


def test_a_part_is_not_the_whole(parts, make_fit):
    with pytest.raises(ChainError, match=r"holds ensemble 1, and ensembles 0 to 2 is wanted"):
        make_fit().run(parts[1], steps=100)
    with pytest.raises(ChainError, match=r"holds ensemble 1, and ensemble 0 is wanted"):
        make_fit().run(parts[1], steps=100, only_ensemble=0)


# Versions of packages


@pytest.mark.parametrize("finished", [True, False])
def test_other_packages_are_refused_unless_accepted(tmp_path, make_fit, whole, monkeypatch, finished):
    fit, path = make_fit(), tmp_path / "out.h5"
    now = {"globalfit": "0.0.1", "numpy": "1.0", "scipy": "1.0", "emcee": "3.0", "data": "0"}
    with monkeypatch.context() as patch:
        patch.setattr("globalfit.chains.header.versions", lambda: now)
        if not finished:
            patch.setattr("globalfit.chains.store.Store.finish", lambda self, reason: None)
        fit.run(path, steps=40)
    before = path.read_bytes()
    with pytest.raises(ChainError) as caught:
        fit.run(path, steps=60)
    message = str(caught.value)
    for name, version in now.items():
        assert re.search(rf"{name} {re.escape(version)}, now \w", message)
    assert "--accept-versions" in message
    assert "\n" not in message
    assert path.read_bytes() == before
    notices = []
    fit.run(path, steps=60, accept_version_change=True, notice=notices.append)
    assert "was made with globalfit 0.0.1, now" in notices[0]
    segments = Chain.open(path).run["segments"]
    accepted = [each for each in segments if each["reason"] == "other versions accepted"]
    assert [each["versions"]["numpy"] for each in accepted] == [np.__version__]
    assert fit.run(path, steps=90).steps == 90  # what was accepted once is not asked again
    assert Chain.open(path).values.tobytes() == Chain.open(whole).values.tobytes()
