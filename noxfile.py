"""What is checked before a change goes in: ``nox`` runs the default sessions, ``nox -l`` lists all."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_external_run = True

PACKAGES = ("globalfit", "globalfit.likelihoods", "globalfit.priors", "globalfit.chains")


@nox.session
def tests(session: nox.Session) -> None:
    """Fast tests."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Heavy validation."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install("ruff>=0.12")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types. Only a strict editable install shows a type checker the folders beside the package."""
    session.install("-e", ".[dev]", "--config-settings", "editable_mode=strict")
    session.run("mypy", *(word for package in PACKAGES for word in ("-p", package)))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Speed, into benchmarks/results."""
    session.install(".[benchmark]")
    session.run("python", "benchmarks/startup.py")
    session.run("python", "benchmarks/posterior.py")
    session.run("python", "benchmarks/chain_store.py")


@nox.session
def samplers(session: nox.Session) -> None:
    """Samplers side by side, and runs that are wrong, into benchmarks/results; some ten minutes."""
    session.install(".[benchmark,evidence,numba]")
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    session.run("python", "benchmarks/samplers.py", *session.posargs, env=one)
    session.run("python", "benchmarks/wrong_runs.py", env=one)


@nox.session
def reliability(session: nox.Session) -> None:
    """Faults put upon real runs, into benchmarks/results."""
    session.install(".[dask]")
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    session.run("python", "benchmarks/reliability.py", *session.posargs, env=one)


@nox.session
def build(session: nox.Session) -> None:
    """Source distribution and wheel; the wheel has to install and run."""
    session.install("build>=1.2")
    folder = Path(session.create_tmp())
    for old in folder.glob("globalfit-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(folder))
    (wheel,) = folder.glob("*.whl")
    session.install(str(wheel))
    session.run("globalfit", "list")
