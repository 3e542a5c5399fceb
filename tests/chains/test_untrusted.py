"""Chain files from anywhere: what may lead out of the file, claims too much or cannot have been sampled."""

from __future__ import annotations

import shutil

import emcee
import h5py
import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.chains.summary import summarise
from globalfit.errors import ChainError


def replaced(file, name, **more):
    old = file[name]
    attrs, shape, kind = dict(old.attrs), old.shape, old.dtype
    del file[name]
    new = file.create_dataset(name, **({"shape": shape, "dtype": kind} | more))
    new.attrs.update(attrs)


def external_link(file, folder):
    del file["mcmc/chain"]
    file["mcmc/chain"] = h5py.ExternalLink(str(folder / "other.h5"), "data")


def soft_link_loop(file, folder):
    del file["mcmc/chain"]
    file["mcmc/chain"] = h5py.SoftLink("/mcmc/chain")


def second_name(file, folder):
    file["mcmc/again"] = file["mcmc"]


def external_storage(file, folder):
    (folder / "secret").write_bytes(bytes(120 * 32 * 3 * 8))
    replaced(file, "mcmc/chain", external=[(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)])


def virtual(file, folder):
    layout = h5py.VirtualLayout((120, 32, 3), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "data", (120, 32, 3))
    del file["mcmc/chain"]
    file.create_virtual_dataset("mcmc/chain", layout)


def references(file, folder):
    replaced(file, "mcmc/log_prob", dtype=h5py.ref_dtype)


def lengths(file, folder):
    replaced(file, "mcmc/accepted", dtype=h5py.vlen_dtype("f8"))


def bomb(file, folder):
    replaced(file, "mcmc/chain", shape=(10**9, 32, 3), chunks=(64, 32, 3))


def padded(file):
    """Make the file long enough for what it declares."""
    file["padding"] = np.zeros(1_000_000)


def block(file, folder):
    padded(file)
    replaced(file, "mcmc/chain", shape=(120, 32, 3), maxshape=(None, 32, 3), chunks=(4_000_000, 32, 3))


def wide(file, folder):
    padded(file)
    for name, shape in (("chain", (2, 10**7, 3)), ("log_prob", (2, 10**7)), ("accepted", (10**7,))):
        replaced(file, f"mcmc/{name}", shape=shape)
    replaced(file, "mcmc/blobs", shape=(2, 10**7))
    replaced(file, "mcmc/walker_ensemble", shape=(10**7,))
    file["mcmc"].attrs["iteration"], file["mcmc"].attrs["nwalkers"] = 2, 10**7


def beside(file, folder):
    padded(file)
    file.create_dataset("globalfit/more", shape=(40_000_000,), dtype="f8")


def no_likelihood(file, folder):
    replaced(file, "mcmc/blobs", dtype=[("lnprior", "f8"), ("d_delta_a_mu", "f8")])


def ensembles(file, folder):
    replaced(file, "mcmc/walker_ensemble", dtype="f8")


def few_ensembles(file, folder):
    replaced(file, "mcmc/walker_ensemble", shape=(31,))


def single_precision(file, folder):
    replaced(file, "mcmc/log_prob", dtype="f4")


def rank(file, folder):
    replaced(file, "mcmc/chain", shape=(120, 96))


def walkers(file, folder):
    file["mcmc"].attrs["nwalkers"] = 31


def shapes(file, folder):
    replaced(file, "mcmc/log_prob", shape=(119, 32))


def blobs(file, folder):
    replaced(file, "mcmc/blobs", shape=(120, 31))


def iteration(value):
    def change(file, folder):
        file["mcmc"].attrs["iteration"] = value

    return change


def sample(name, value):
    def change(file, folder):
        file[f"mcmc/{name}"][(7, 3, 0)[: file[f"mcmc/{name}"].ndim]] = value

    return change


def newer(file, folder):
    file["globalfit"].attrs["schema"] = 99


def missing(file, folder):
    del file["mcmc/accepted"]


CHANGES = [
    (external_link, r"'/mcmc/chain' is a link \(ExternalLink\) and may lead out of the file"),
    (soft_link_loop, r"'/mcmc/chain' is a link \(SoftLink\)"),
    (second_name, "'/mcmc/again' is a second name|'/mcmc' is a second name|is a second name of another"),
    (external_storage, "'/mcmc/chain' takes its data from other files"),
    (virtual, "'/mcmc/chain' takes its data from other files"),
    (references, "'/mcmc/log_prob' has the type object; only numbers and fixed texts"),
    (lengths, "'/mcmc/accepted' has the type object; only numbers and fixed texts"),
    (bomb, r"declares 768\d+ bytes in a file of \d+"),
    (single_precision, "'mcmc/log_prob' has the type float32, not float64"),
    (rank, r"'mcmc/chain' has the shape \(120, 96\); \(steps, walkers, parameters\)"),
    (walkers, "says nwalkers = 31 and holds 32"),
    (shapes, r"'mcmc/log_prob' has the shape \(119, 32\) beside \(120, 32, 3\)"),
    (blobs, r"'mcmc/blobs' has the shape \(120, 31\) beside \(120, 32, 3\)"),
    (iteration(-1), "says iteration = -1 and holds 120 steps"),
    (iteration(121), "says iteration = 121 and holds 120 steps"),
    (iteration(1.5), r"says iteration = .*1.5.*, which is no number of steps"),
    (iteration("many"), "says iteration = 'many', which is no number of steps"),
    (sample("chain", np.nan), "a number that is not finite at step 7, walker 3"),
    (sample("log_prob", np.inf), "a number that is not finite at step 7, walker 3"),
    (sample("chain", 4999.0), "a sample outside its prior at step 7, walker 3"),
    (missing, "is damaged: 'mcmc/accepted' is missing"),
    (newer, r"was written by a newer globalfit \(layout 99 of chain files\); upgrade globalfit"),
    (block, r"'/mcmc/chain' has blocks of 3072000000 bytes; 268435456 are accepted"),
    (wide, r"has steps of \d+ bytes; 268435456 are accepted"),
    (beside, r"declares \d+ bytes beside its samples; 268435456 are accepted"),
    (no_likelihood, "is damaged: the blobs lack 'll_muon-g2'"),
    (ensembles, "'mcmc/walker_ensemble' has the type float64"),
    (few_ensembles, r"'mcmc/walker_ensemble' has the shape \(31,\) beside \(120, 32, 3\)"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[m[:40] for _, m in CHANGES])
def test_what_no_run_wrote_is_refused(short, make_fit, tmp_path, change, message):
    path = tmp_path / "chain.h5"
    shutil.copy(short, path)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.ones((120, 32, 3))
    with h5py.File(path, "r+") as file:
        change(file, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ChainError, match=message) as caught:
        Chain.open(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_limit_of_what_is_put_into_memory(short):
    """The file may be longer: it is then read in pieces."""
    chain = Chain.open(short, max_bytes=30_000)
    assert (chain.steps, chain.acceptance) == (120, Chain.open(short).acceptance)
    for ask, size in ((lambda: chain.get("vev"), 30_720), (lambda: chain.values, 92_160)):
        with pytest.raises(ChainError, match=rf"takes {size} bytes of memory; 30000 .*thin.*max_bytes"):
            ask()
    assert chain.get("vev", thin=2, discard=0).shape == (60 * 32,)
    assert Chain.open(short, max_bytes=None).values.shape == (120, 32, 3)


def test_bit_flips_are_never_silent(short, tmp_path):
    """A flip in the samples is an error; elsewhere it changes no sample. Fixed seed."""
    whole, path = short.read_bytes(), tmp_path / "chain.h5"
    good = Chain.open(short)
    rng = np.random.default_rng(5)
    refused = 0
    for bit in rng.integers(8 * len(whole), size=150):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(damaged))
        try:
            chain = Chain.open(path)
        except ChainError:
            refused += 1
            continue
        assert (chain.values == good.values).all()
        assert (chain.log_prob == good.log_prob).all()
        assert chain.blobs.tobytes() == good.blobs.tobytes()
    assert refused > 75


def emcee_chain(path, blobs):
    def log_prob(x):
        total = -0.5 * float(x @ x)
        return (total, *blobs(x)) if blobs else total

    backend = emcee.backends.HDFBackend(path)
    kind = [("a", float), ("b", float)] if blobs else None
    sampler = emcee.EnsembleSampler(8, 2, log_prob, backend=backend, blobs_dtype=kind)
    np.random.seed(2)  # noqa: NPY002  (emcee draws from it)
    sampler.run_mcmc(np.random.default_rng(1).standard_normal((8, 2)), 30)
    return sampler


@pytest.mark.parametrize("blobs", [None, lambda x: (x[0] + x[1], x[0] - x[1])], ids=["plain", "blobs"])
def test_a_file_of_emcee_is_read(tmp_path, blobs):
    path = tmp_path / "emcee.h5"
    sampler = emcee_chain(path, blobs)
    before = path.read_bytes()
    chain = Chain.open(path, names=("mass", "coupling"))
    assert chain.names == ("mass", "coupling")
    assert (chain.get("coupling", discard=0, flat=False) == sampler.get_chain()[:, :, 1]).all()
    assert chain.best()["mass"] == sampler.get_chain(flat=True)[sampler.get_log_prob(flat=True).argmax()][0]
    found = summarise(chain)
    assert [row.name for row in found.rows] == ["mass", "coupling"]
    assert "it says nothing of what was fitted" in found.warnings[0]
    if blobs:
        assert (chain.get("a", discard=0, flat=False) == sampler.get_chain().sum(axis=2)).all()
    assert Chain.open(path).names == ("x0", "x1")
    with pytest.raises(ChainError, match="has 2 parameters; give 2 different names"):
        Chain.open(path, names=("mass",))
    assert path.read_bytes() == before


def test_names_are_not_for_our_own_chains(short):
    with pytest.raises(ChainError, match="has its own names: vev, m_aprime, m_phi"):
        Chain.open(short, names=("a", "b", "c"))
