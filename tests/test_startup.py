"""What start-up must not import, and that nothing is lost by it."""

from __future__ import annotations

import subprocess
import sys


def loaded(code):
    script = f"{code}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_command_line_imports_no_numerics():
    assert not loaded("import globalfit.cli") & {"numpy", "scipy", "emcee", "h5py", "pydantic", "matplotlib"}


def test_a_run_imports_nothing_heavy():
    code = "import globalfit.fitfile, globalfit.sampling.run, globalfit.chains.store"
    assert not loaded(code) & {"scipy.stats", "matplotlib", "corner", "pandas", "arviz", "dask", "flavio"}


def test_kde_move_of_emcee_still_works():
    code = """
import globalfit.sampling.run, emcee, numpy, sys
assert "scipy.stats" not in sys.modules
start = numpy.random.default_rng(1).normal(size=(16, 2))
sampler = emcee.EnsembleSampler(16, 2, lambda x: -0.5 * x @ x, moves=emcee.moves.KDEMove())
sampler.run_mcmc(start, 5)
assert sampler.acceptance_fraction.mean() > 0.1
"""
    assert "scipy.stats" in loaded(code)
