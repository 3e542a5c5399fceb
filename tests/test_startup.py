"""What start-up must not import."""

from __future__ import annotations

import subprocess
import sys


def loaded(code):
    script = f"{code}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_command_line_imports_no_numerics():
    assert not loaded("import globalfit.cli") & {"numpy", "scipy", "emcee", "h5py", "pydantic", "matplotlib"}


def test_a_run_imports_no_plotting_nor_engines():
    code = "import globalfit.fitfile, globalfit.sampling.run, globalfit.chains.store"
    assert not loaded(code) & {"matplotlib", "corner", "pandas", "arviz", "dask", "flavio"}
