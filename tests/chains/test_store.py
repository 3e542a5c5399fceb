from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import emcee
import h5py
import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.chains.header import LIKELIHOOD_COLUMNS, PARAMETER_COLUMNS, SCHEMA
from globalfit.chains.store import open_store
from globalfit.chains.tables import read_table, read_text
from globalfit.errors import ChainError
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start

ROOT = Path(__file__).parents[2]


def tree(path):
    """Every dataset of a file, and the attributes, but for the times of day."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]
        found.update({f"{name}@{k}": v for k, v in item.attrs.items() if k not in ("created", "finished")})

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_layout(short):
    with h5py.File(short) as file:
        mcmc, group = file["mcmc"], file["globalfit"]
        assert dict(mcmc.attrs) == {
            "version": emcee.__version__, "nwalkers": 32, "ndim": 3, "has_blobs": True, "iteration": 120,
        }  # fmt: skip
        assert mcmc["chain"].shape == (120, 32, 3)
        assert mcmc["log_prob"].shape == mcmc["blobs"].shape == (120, 32)
        assert mcmc["accepted"].shape == mcmc["walker_ensemble"].shape == (32,)
        assert not any(name.startswith("random_state") for name in mcmc)
        assert mcmc["chain"].chunks[0] == 64
        assert group.attrs["schema"] == SCHEMA
        assert re.fullmatch("[0-9a-f]{64}", group.attrs["fingerprint"])
        assert bool(group.attrs["complete"])
        state = group["ensembles/0"]
        assert state["rng_state"].shape == (624,)
        assert state["coords"].shape == (32, 3)
        assert state.attrs["step"] == 120

        def no_pickles(name, item):
            if isinstance(item, h5py.Dataset):
                kinds = [item.dtype[i] for i in range(len(item.dtype))] or [item.dtype]
                for kind in kinds:
                    info = h5py.check_string_dtype(kind)
                    assert h5py.check_vlen_dtype(kind) is None, name
                    assert info is None or info.length is not None, name
                    assert kind.kind in "fiuSb", name

        file.visititems(no_pickles)


def test_stock_emcee_opens_it(short):
    backend = emcee.backends.HDFBackend(short, read_only=True)
    chain = Chain.open(short)
    assert (backend.get_chain() == chain.values).all()
    assert (backend.get_log_prob() == chain.log_prob).all()
    assert backend.get_blobs().dtype.names == chain.blobs.dtype.names
    assert (backend.get_blobs()["lnprior"] == chain.blobs["lnprior"]).all()
    assert backend.get_autocorr_time(tol=0).shape == (3,)
    assert backend.accepted.sum() == chain.accepted.sum() > 0


def test_values_are_physical_and_densities_add_up(short, make_fit):
    fit, chain = make_fit(), Chain.open(short)
    values = chain.values.reshape(-1, 3)
    for i, (low, high) in enumerate([(5e3, 2e4), (5.0, 200.0), (50.0, 150.0)]):
        assert low <= values[:, i].min() < values[:, i].max() <= high
    lnprior = fit.posterior.space.log_density(values)
    assert chain.blobs["lnprior"].ravel() == pytest.approx(lnprior, abs=1e-9)
    total = chain.blobs["lnprior"] + chain.blobs["ll_muon-g2"]
    assert chain.log_prob == pytest.approx(total, abs=1e-12)
    theta = fit.posterior.space.walker(values)
    evaluation = fit.posterior.evaluate(theta)
    assert chain.blobs["ll_muon-g2"].ravel() == pytest.approx(evaluation.log_likelihoods["muon-g2"], rel=1e-7)


def test_derived_columns_are_those_of_the_model(short, make_fit):
    fit, chain = make_fit(), Chain.open(short)
    values = dict(zip(chain.names, chain.values.reshape(-1, 3).T, strict=True))
    columns = {name: np.full(120 * 32, value) for name, value in fit.posterior.space.fixed.items()} | values
    point = fit.posterior.model.point(columns)
    names = [quantity.name for quantity in fit.posterior.derived]
    assert len(names) > 5
    for name in names:
        assert chain.blobs[f"d_{name}"].ravel() == pytest.approx(getattr(point, name), rel=1e-12), name
    prediction = fit.posterior.likelihoods["muon-g2"].predict(point)["delta_a_mu"]
    assert chain.blobs["d_delta_a_mu"].ravel() == pytest.approx(prediction, rel=1e-9)
    assert [row["name"] for row in chain.derived] == ["delta_a_mu", *names]


def test_header(short, make_fit):
    fit = make_fit()
    with h5py.File(short) as file:
        group = file["globalfit"]
        parameters = {row["name"]: row for row in read_table(group, "parameters")}
        assert tuple(parameters["vev"]) == PARAMETER_COLUMNS
        m_phi = parameters["m_phi"]
        assert (m_phi["unit"], m_phi["role"], m_phi["scale"]) == ("MeV", "sampled", "log")
        assert (m_phi["low"], m_phi["high"]) == (50.0, 150.0)
        assert json.loads(m_phi["prior"])["low"] == 50.0
        assert (parameters["epsilon"]["role"], parameters["epsilon"]["value"]) == ("default", 0.0)
        (likelihood,) = read_table(group, "likelihoods")
        assert tuple(likelihood) == LIKELIHOOD_COLUMNS
        assert (likelihood["name"], likelihood["measurement"]) == ("muon-g2", "fnal-2025-wp2025")
        assert "2506.03069" in likelihood["reference"]
        assert read_text(group, "config") == fit.text
        assert json.loads(read_text(group, "config_resolved")) == fit.resolved
        assert set(json.loads(read_text(group, "environment"))) >= {
            "python",
            "numpy",
            "emcee",
            "h5py",
            "hdf5",
        }
        run = json.loads(read_text(group, "run"))
        assert run["seed"] == 1
        assert [(s["start"], s["stop"], s["reason"]) for s in run["segments"]] == [(0, 120, "steps")]
        assert group.attrs["fingerprint"] == fit.fingerprint


@pytest.mark.parametrize("ridge", [True, False])
def test_going_on_is_bit_exact(tmp_path, make_fit, ridge):
    whole, halves, odd = (tmp_path / f"{name}.h5" for name in ("whole", "halves", "odd"))
    make_fit(ridge=ridge).run(whole, steps=120)
    for steps in (60, 120):
        make_fit(ridge=ridge).run(halves, steps=steps)
    for steps in (1, 13, 64, 101):
        make_fit(ridge=ridge).run(odd, steps=steps)
    make_fit(ridge=ridge).run(odd, steps_more=19)
    reference = tree(whole)
    assert reference["mcmc/chain"].shape == (120, 32, 3)
    for path in (halves, odd):
        found = tree(path)
        assert found.keys() == reference.keys()
        for name, expected in reference.items():
            if name != "globalfit/run":  # lists the segments
                assert np.asarray(found[name]).tobytes() == np.asarray(expected).tobytes(), name
    segments = Chain.open(odd).run["segments"]
    assert [each["stop"] for each in segments] == [1, 13, 64, 101, 120]


def test_blocks_of_any_length_are_read_back_as_they_were_written(tmp_path, make_fit):
    """A file is written and read in pieces of 1024 steps, whatever the lengths of the blocks that came."""
    fit = make_fit(ridge=False)
    first = start(fit.posterior, fit.sampler.walkers, 1)
    found = []
    for lengths in ((1025, 127), (64,) * 18, (1, 700, 100, 351)):
        path = tmp_path / f"{len(lengths)}.h5"
        with open_store(path, fit) as store:
            store.begin(first, 1, 0)
            for steps in lengths:
                block, state = advance(fit.posterior, store.states[0], steps, seconds=1e9)
                store.append(block, state, 0)
            store.finish("steps")
        found.append(tree(path)["mcmc/chain"])
    assert found[0].shape == (1152, 32, 3)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_asking_for_what_is_there_changes_nothing(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=20)
    before = path.read_bytes()
    notices = []
    assert make_fit().run(path, steps=15, notice=notices.append).steps == 20
    assert notices == [f"continuing {path} after 20 steps"]
    assert path.read_bytes() == before


def test_another_fit_is_refused_with_the_differing_keys(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=5)
    before = path.read_bytes()
    with pytest.raises(ChainError) as caught:
        make_fit(low=6000.0, seed=2).run(path, steps=10)
    message = str(caught.value)
    assert "is the chain of another fit (" in message
    assert "parameters.vev.prior.low: 5000.0 -> 6000.0" in message
    assert "sampler.seed: 1 -> 2" in message
    assert "m_phi" not in message
    assert message.endswith("undo the change, choose another -o, or --fresh to move it aside")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5"]


def test_fresh_moves_the_old_chain_aside(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=5)
    before = path.read_bytes()
    notices = []
    make_fit(seed=2).run(path, steps=4, fresh=True, notice=notices.append)
    assert notices == [f"moved the old chain to {tmp_path / 'out.1.h5'}"]
    assert (tmp_path / "out.1.h5").read_bytes() == before
    assert Chain.open(path).steps == 4
    make_fit(seed=2).run(path, steps=3, fresh=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.1.h5", "out.2.h5", "out.h5"]


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def text_file(path):
    path.write_text("not a chain\n")


def empty_file(path):
    path.touch()


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["data"] = np.ones(3)


def emcee_file(path):
    sampler = emcee.EnsembleSampler(4, 1, lambda x: -0.5 * x @ x, backend=emcee.backends.HDFBackend(path))
    sampler.run_mcmc(np.random.default_rng(1).standard_normal((4, 1)), 3)


def hollow(path):
    with h5py.File(path, "w") as file:
        file.create_group("mcmc").attrs["iteration"] = 3
        file.create_group("globalfit")


def test_a_file_of_emcee_is_not_continued(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    emcee_file(path)
    before = path.read_bytes()
    with pytest.raises(ChainError, match="is not a globalfit chain; choose another -o"):
        make_fit().run(path, steps=3)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["out.h5"]


@pytest.mark.parametrize("make", [text_file, empty_file, other_hdf5, hollow])
def test_files_that_are_no_chains_are_refused_and_left_alone(tmp_path, make_fit, make):
    path = tmp_path / "out.h5"
    make(path)
    before = path.read_bytes()
    for act in (lambda: make_fit().run(path, steps=3), lambda: Chain.open(path)):
        with pytest.raises(ChainError) as caught:
            act()
        message = str(caught.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        assert re.search("is not a globalfit chain|cannot be opened as a chain|is damaged", message)
        assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path, short, make_fit, share):
    path = tmp_path / "cut.h5"
    whole = short.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ChainError, match=r"cannot be opened as a chain|is damaged"):
        Chain.open(path)
    with pytest.raises(ChainError, match=r"cannot be opened as a chain|is damaged"):
        open_store(path, make_fit())


def test_a_chain_without_steps_says_so(tmp_path, make_fit):
    from globalfit.sampling.start import start

    fit, path = make_fit(), tmp_path / "out.h5"
    with open_store(path, fit) as store:
        store.begin(start(fit.posterior, 32, 1), 1)
    with pytest.raises(ChainError, match="holds no step yet; continue it with 'globalfit run'"):
        Chain.open(path)
    assert fit.run(path, steps=2).steps == 2
    assert names(tmp_path) == ["out.h5"]


def test_places_that_cannot_be_written(tmp_path, make_fit):
    with pytest.raises(ChainError, match=r"the folder '.*nowhere' does not exist; create it, or choose"):
        open_store(tmp_path / "nowhere" / "out.h5", make_fit())
    with pytest.raises(ChainError, match="is a directory; name a file with -o"):
        open_store(tmp_path, make_fit())
    (tmp_path / "link.h5").symlink_to("elsewhere.h5")  # publishing would put a file in its place
    with pytest.raises(ChainError, match=r"is a symbolic link; name the file it leads to, '.*elsewhere.h5'"):
        open_store(tmp_path / "link.h5", make_fit())
    assert (tmp_path / "link.h5").is_symlink()
    with pytest.raises(ChainError, match="is not a file; name a chain"):
        Chain.open(tmp_path / "out.h5")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path, make_fit):
    tmp_path.chmod(0o555)
    with pytest.raises(ChainError, match="cannot be written to; choose another -o"):
        open_store(tmp_path / "out.h5", make_fit())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no new files, whoever asks")
def test_a_folder_that_takes_no_files_is_one_line(make_fit):
    with pytest.raises(ChainError, match=r"^/proc/out.h5: .*cannot be written"):
        make_fit().run("/proc/out.h5", steps=2)


HOLD = """
import h5py, sys
with h5py.File(sys.argv[1]) as file:  # with a lock, as anybody would
    print("open", flush=True)
    sys.stdin.readline()
    print(file["mcmc"].attrs["iteration"], file["mcmc/chain"][()].sum().hex(), flush=True)
"""


def test_a_reader_that_holds_the_file_disturbs_nobody(tmp_path, make_fit):
    """It goes on reading what it opened, while the run publishes over it."""
    path = tmp_path / "out.h5"
    before = make_fit().run(path, steps=5)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    assert make_fit().run(path, steps=10).steps == 10
    seen, _ = holder.communicate("\n", timeout=10)
    assert seen == f"5 {before.values.sum().hex()}\n"


def test_a_chain_can_be_read_while_it_grows(tmp_path, make_fit):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=2)
    seen = []
    script = (
        "import sys, time\nfrom globalfit.chains import Chain\nend = time.monotonic() + 3\n"
        "while time.monotonic() < end:\n    print(Chain.open(sys.argv[1]).steps, flush=True)\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert reader.stdout is not None
    seen.append(int(reader.stdout.readline()))
    rest = []
    collect = threading.Thread(target=lambda: rest.extend(reader.communicate()))
    collect.start()
    while reader.poll() is None:
        make_fit().run(path, steps_more=64)
    collect.join()
    seen += [int(line) for line in rest[0].split()]
    assert rest[1] == ""
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


@pytest.fixture
def going(tmp_path, make_fit):
    """A store in the middle of a run, closed as by the end of the process."""
    from globalfit.sampling.ensemble import advance
    from globalfit.sampling.start import start

    fit, path = make_fit(), tmp_path / "out.h5"
    with open_store(path, fit) as store:
        state = start(fit.posterior, 32, 1)
        store.begin(state, 1)
        for _ in range(3):
            block, state = advance(fit.posterior, state, 10)
            store.append(block, state)
    return path


@pytest.fixture(scope="module")
def reference(make_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "out.h5"
    make_fit().run(path, steps=40)
    return tree(path)


def ends_as(path, reference):
    """The chain at `path`, finished, is bit for bit the one that was never disturbed."""
    found = tree(path)
    assert found.keys() == reference.keys()
    for name, expected in reference.items():
        if name != "globalfit/run":
            assert np.asarray(found[name]).tobytes() == np.asarray(expected).tobytes(), name
    assert names(path.parent) == [path.name]


def test_while_a_run_goes_on_there_are_two_files(going, make_fit, reference):
    assert names(going.parent) == ["out.h5", "out.journal"]
    live = Chain.open(going)
    assert 10 <= live.steps <= 30
    assert not live.attributes["complete"]
    assert emcee.backends.HDFBackend(going, read_only=True).get_chain().shape == (live.steps, 32, 3)
    notices = []
    chain = make_fit().run(going, steps=40, notice=notices.append)
    assert notices == [f"continuing {going} after 30 steps"]
    assert [(s["stop"], s["reason"]) for s in chain.run["segments"]] == [(30, "killed"), (40, "steps")]
    assert chain.attributes["complete"]
    ends_as(going, reference)


def test_a_missing_view_is_rebuilt_from_the_journal(going, make_fit, reference):
    going.unlink()
    with pytest.raises(
        ChainError, match=r"is missing, but its journal is there; 'globalfit run' rebuilds it"
    ):
        Chain.open(going)
    make_fit().run(going, steps=40)
    ends_as(going, reference)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_view_is_moved_aside_and_rebuilt(going, make_fit, reference, share):
    whole = going.read_bytes()
    going.write_bytes(whole[: int(share * len(whole))])
    notices = []
    make_fit().run(going, steps=40, notice=notices.append)
    assert "moved aside and rebuilt from the journal" in notices[0]
    aside = going.with_name("out.damaged-1.h5")
    assert len(aside.read_bytes()) == int(share * len(whole))
    aside.unlink()
    ends_as(going, reference)


def test_a_view_ahead_of_its_journal_is_kept_aside(going, make_fit, tmp_path, reference):
    make_fit().run(tmp_path / "other.h5", steps=35)
    (tmp_path / "other.h5").replace(going)
    notices = []
    make_fit().run(going, steps=40, notice=notices.append)
    assert "holds steps its journal lacks; moved to" in notices[0]
    assert Chain.open(going.with_name("out.ahead-1.h5")).steps == 35
    going.with_name("out.ahead-1.h5").unlink()
    ends_as(going, reference)


@pytest.mark.parametrize("make", [other_hdf5, emcee_file])
def test_a_foreign_file_in_place_of_the_view_is_not_touched(going, make_fit, make):
    going.unlink()
    make(going)
    before = going.read_bytes()
    with pytest.raises(ChainError, match="is not a globalfit chain"):
        make_fit().run(going, steps=40)
    assert going.read_bytes() == before


def test_the_journal_of_another_fit_is_refused(going, make_fit):
    before = {each: (going.parent / each).read_bytes() for each in names(going.parent)}
    with pytest.raises(ChainError, match=r"is the chain of another fit \(sampler.seed: 1 -> 2\)"):
        make_fit(seed=2).run(going, steps=40)
    assert before == {each: (going.parent / each).read_bytes() for each in names(going.parent)}
    make_fit(seed=2).run(going, steps=3, fresh=True)
    assert names(going.parent) == ["out.1.h5", "out.1.journal", "out.h5"]
    assert make_fit().run(going.with_name("out.1.h5"), steps=31).steps == 31


def test_a_torn_journal_is_cut_and_says_so(going, make_fit, reference):
    journal = going.with_name("out.journal")
    journal.write_bytes(journal.read_bytes()[:-100])
    going.unlink()
    notices = []
    make_fit().run(going, steps=40, notice=notices.append)
    assert re.search(r"out.journal: cut \d+ bytes of a step that was never stored", notices[0])
    assert notices[1] == f"continuing {going} after 20 steps"
    ends_as(going, reference)


def test_a_journal_damaged_in_the_middle_stops(going, make_fit):
    journal = going.with_name("out.journal")
    damaged = bytearray(journal.read_bytes())
    damaged[-len(damaged) // 3] ^= 8
    journal.write_bytes(bytes(damaged))
    with pytest.raises(
        ChainError, match=r"out.journal: is damaged at record \d .*'globalfit repair .*out.journal'"
    ):
        make_fit().run(going, steps=40)
    assert journal.read_bytes() == bytes(damaged)


def test_a_finished_chain_is_extended_from_its_file_alone(tmp_path, make_fit, reference, monkeypatch):
    """And while it is extended, the finished chain stays, whatever happens to what is published over it."""
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=17)
    first = path.read_bytes()

    def stop(self, reason):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("globalfit.chains.store.Store.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            make_fit().run(path, steps=29)
    assert names(tmp_path) == ["out.base.h5", "out.h5", "out.journal"]
    assert (tmp_path / "out.base.h5").read_bytes() == first
    path.write_bytes(b"damaged")
    make_fit().run(path, steps=40)
    (tmp_path / "out.damaged-1.h5").unlink()
    ends_as(path, reference)
    assert [each["reason"] for each in Chain.open(path).run["segments"]] == ["steps", "killed", "steps"]


def test_a_journal_whose_base_is_gone_says_so(tmp_path, make_fit, monkeypatch):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=17)
    monkeypatch.setattr("globalfit.chains.store.Store.finish", lambda self, reason: None)
    make_fit().run(path, steps=29)
    (tmp_path / "out.base.h5").unlink()
    path.unlink()
    with pytest.raises(
        ChainError, match=r"extends a chain of 17 steps that is gone; bring back 'out.base.h5'"
    ):
        make_fit().run(path, steps=40)


@pytest.mark.parametrize("sync", ["step", "second", "none"])
def test_every_sync_gives_the_same_chain(tmp_path, make_fit, reference, sync):
    make_fit().run(tmp_path / "out.h5", steps=40, sync=sync)
    ends_as(tmp_path / "out.h5", reference)


def test_a_final_file_that_reads_back_wrong_does_not_replace_the_journal(going, make_fit, monkeypatch):
    from globalfit.chains import snapshot

    fill = snapshot._fill

    def wrong(file, content, complete):
        fill(file, content, complete)
        file["mcmc/log_prob"][7, 3] += 1.0

    view = going.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "_fill", wrong)
        patch.setattr("globalfit.chains.opening._view_is_right", lambda path, found: True)
        with pytest.raises(
            ChainError, match="what was read back is not what was written; the journal is kept"
        ):
            make_fit().run(going, steps=30)
    assert going.read_bytes() == view
    assert names(going.parent) == ["out.h5", "out.journal"]
    assert make_fit().run(going, steps=30).steps == 30


def test_a_journal_that_cannot_be_removed_does_not_hide_that_the_chain_is_finished(
    going, make_fit, monkeypatch
):
    def fails(folder):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("globalfit.chains.journal.sync_folder", fails)
        with pytest.raises(
            ChainError, match=r"out.journal: cannot be removed: .*'.*out.h5' is finished and whole"
        ):
            make_fit().run(going, steps=40)
    assert Chain.open(going).attributes["complete"]
    assert make_fit().run(going, steps=40).steps == 40
