"""Speed of the flavour forms on one core, and the ratio to direct flavio in the same run.

python benchmarks/flavour.py [--points N] [--no-flavio]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from globalfit.arrays import Array
from globalfit.likelihoods.flavour_measurements import shipped_forms
from globalfit.physics import wilson
from globalfit.physics.flavour.channels import GROUPS
from globalfit.physics.flavour.observables import observables
from globalfit.physics.wilson import Lepton, WilsonCoefficients

LOAD = """
import resource, time
import numpy as np
import h5py
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
from globalfit.arrays import Array
from globalfit.likelihoods.flavour_measurements import shipped_forms, standard_model
from globalfit.physics.flavour.channels import GROUPS
from globalfit.physics.flavour.observables import observables
for members in GROUPS.values():
    observables(shipped_forms(), standard_model(), members)
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""

FLAVIO = (
    ("<Rmue>(B+->Kll)", 0.1, 1.1),
    ("<Rmue>(B+->Kll)", 1.1, 6.0),
    ("<Rmue>(B0->K*ll)", 0.045, 1.1),
    ("<Rmue>(B0->K*ll)", 0.1, 1.1),
    ("<Rmue>(B0->K*ll)", 1.1, 6.0),
    ("BR(Bs->mumu)",),
    ("<dBR/dq2>(B+->K*mumu)", 15.0, 19.0),
    ("<dBR/dq2>(B0->Kmumu)", 15.0, 22.0),
    ("<dBR/dq2>(B+->Kmumu)", 15.0, 22.0),
    ("<dBR/dq2>(Bs->phimumu)", 1.0, 6.0),
    ("<dBR/dq2>(Lambdab->Lambdamumu)", 15.0, 20.0),
)


def contact_points(n: int) -> WilsonCoefficients:
    sizes = np.array([6.0, 4.0, 2.0, 0.05, 0.05])
    return wilson.contact(*(sizes[:, None] * np.random.default_rng(1).uniform(-1, 1, (5, n))))


def mediator_points(n: int, electrons: bool) -> WilsonCoefficients:
    rng = np.random.default_rng(2)
    m = np.exp(rng.uniform(np.log(5.0), np.log(200.0), n))
    g = m / 14142.0
    vector: dict[Lepton, Array] = {"mu": 0.5 * g}
    axial: dict[Lepton, Array] = {"mu": 0.5 * g}
    if electrons:
        vector["e"], axial["e"] = np.full(n, 3e-5), np.zeros(n)
    aprime = wilson.aprime_exchange(
        m, 1e-6 * m, rng.normal(0, 1e-9, n), rng.normal(0, 1e-9, n), vector, axial
    )
    phi = wilson.phi_exchange(
        np.full(n, 80.0), np.full(n, 1e-6), rng.normal(0, 1e-8, n), {"mu": np.full(n, 7e-3)}
    )
    return wilson.mediator(rng.normal(0, 1e-4, n), aprime, phi)


def best(work: Callable[[], object], repeats: int = 7) -> float:
    """Return the least CPU time of several runs: what it takes on a core of its own."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def everything(made: WilsonCoefficients, errors: bool = True) -> None:
    for members in GROUPS.values():
        observables(shipped_forms(), made, members, 0.01, errors)


def flavio_seconds() -> float:
    """Time of one point: 11 observables, central values alone."""
    from globalfit.build.environment import open_flavio

    flavio = open_flavio()
    start = {"C9_bsmumu": -0.3, "C10_bsmumu": 0.4}
    for observable, *bin_ in FLAVIO:  # fill caches
        flavio.predict(observable, flavio.coefficients(start), flavio.central, *bin_)
    times = []
    for k in range(3):
        begin = time.process_time()
        for observable, *bin_ in FLAVIO:
            made = flavio.coefficients({**start, "C9_bsee": 0.1 * (k + 1)})
            flavio.predict(observable, made, flavio.central, *bin_)
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--no-flavio", action="store_true", help="leave out direct flavio")
    chosen = parser.parse_args()
    n = chosen.points
    loaded = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, loaded.stdout.split())
    print(f"load and first point: {seconds:.3f} s, {megabytes:.0f} MB above numpy and h5py")
    rows = {
        "contact, with theory covariance": (n, contact_points(n), True),
        "contact, central values": (n, contact_points(n), False),
        "mediator, with theory covariance": (n // 5, mediator_points(n // 5, False), True),
        "mediator, electrons too": (n // 5, mediator_points(n // 5, True), True),
    }
    speed = {}
    for name, (count, made, errors) in rows.items():
        speed[name] = count / best(partial(everything, made, errors))
        print(f"{name}: {speed[name]:.3g} points/s")
    single = contact_points(1)
    print(f"contact, one point a call: {1e6 * best(lambda: everything(single), 50):.0f} us")
    if chosen.no_flavio:
        return
    direct = flavio_seconds()
    print(f"flavio, the same 11 observables, central values: {1.0 / direct:.3g} points/s")
    for name, value in speed.items():
        print(f"{name}: {value * direct:.3g} times flavio")


if __name__ == "__main__":
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if any(
        os.environ.get(name) != value for name, value in threads.items()
    ):  # numpy reads them when imported
        sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, **threads}))
    main()
