"""Draw docs/physics/beam-signals.png and beam-parents.png: best-fit signals of the long-lived portals.

Run from the top of a checkout: ``python docs/plots/beam_signals.py`` (a minute).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from beam_rows import EXPERIMENTS, SCENARIOS, Row

from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.likelihoods.miniboone_shapes import MiniBooNECosTheta, MiniBooNEEvis
from globalfit.physics.beam.channels import PROCESSES
from globalfit.physics.beam.kernels import photon_kernel
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.prediction import events
from globalfit.physics.beam.prepared import PARTS
from globalfit.physics.beam.reference import Reference, centres, spectrum_of

FOLDER = Path(__file__).parents[1] / "physics"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
STYLES = ("-", "--", "-.", ":")
LSND_EDGES = np.linspace(20.0, 60.0, 11)
PARENTS = ("pi+", "pi-", "k+", "k-")
NAMES = {"pi+": r"$\pi^+$", "pi-": r"$\pi^-$", "k+": r"$K^+$", "k-": r"$K^-$"}


def dump_and_lsnd(reference: Reference, row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Spectra per unit coupling squared of the dump (9,) and of LSND (10,), from mesons to bins."""
    process = PROCESSES[row.setup.process]
    leg = process.legs.index(row.setup.key[1])
    weights = charge_weights(PARTS, *named_charges(row.setup.nuclear_charge))
    names = ("signal_dump", "signal_lsnd")
    kernels = {"miniboone": reference.kernels(process, row.m_x, row.m_mediator, names)["miniboone"]["enuqe"]}
    fine = replace(reference.detectors["lsnd"], evis=tuple(LSND_EDGES))
    kernels["lsnd"] = photon_kernel(
        process.scattering, fine, row.m_x, row.m_mediator,
        energies=centres("stopped-pion", row.m_x), observables=("evis",),
    )["evis"]  # fmt: skip
    found = {"miniboone": np.zeros(11), "lsnd": np.zeros(10)}
    for channel in row.setup.channels:
        if row.m_x >= channel.threshold:
            continue
        x = spectrum_of([process], channel, row.m_x)
        for (card, mode), h in reference.fluxes(x, channel, names).items():
            pot = reference.cards[card].exposure[mode]
            found[card] += pot * np.einsum("e,p,peb->b", h[0, leg], weights, kernels[card])
    return found["miniboone"][:9], found["lsnd"]


def signals(best: Mapping[str, float]) -> None:
    """Spectra of both modes, the dump and LSND; visible energy and angle."""
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.6), layout="constrained")
    release = MiniBooNE().release
    constrained, covariance = release.constrained_background()
    edges, width = release.edges, np.diff(release.edges)
    centre = 0.5 * (edges[1:] + edges[:-1])
    bars = {"fmt": "ko", "ms": 3.0, "lw": 0.9}
    for axis, first, title in ((axes[0, 0], 0, "neutrino mode"), (axes[0, 1], 11, "antineutrino mode")):
        part = slice(first, first + 11)
        error = np.sqrt(np.diag(covariance))[part]
        over = release.data[part] - constrained[part]
        axis.fill_between(
            np.repeat(edges, 2)[1:-1], np.repeat(-error / width, 2), np.repeat(error / width, 2),
            color="0.87", lw=0, label="constrained background",
        )  # fmt: skip
        axis.errorbar(
            centre[:10],
            (over / width)[:10],
            (np.sqrt(release.data[part]) / width)[:10],
            label="excess",
            **bars,
        )
        axis.set(xlim=(200, 1500), xlabel=r"$E_\nu^\mathrm{QE}$ [MeV]", title=title)
    axes[0, 0].set_ylabel("events / MeV")
    axes[1, 0].set_ylabel("events / bin")
    for axis, likelihood, label in (
        (axes[1, 0], MiniBooNEEvis(), r"$E_\mathrm{vis}$ [MeV], neutrino mode"),
        (axes[1, 1], MiniBooNECosTheta(), r"$\cos\theta$, neutrino mode"),
    ):
        table = likelihood.events
        over = table["data"] - table["background"]
        middle = 0.5 * (table["low"] + table["high"])
        axis.errorbar(middle, over, np.sqrt(np.maximum(table["data"], 1.0)), **bars)
        axis.set(xlabel=label, xlim=(table["low"][0], table["high"][-1]))
    reference = Reference(EXPERIMENTS, n=2**15)
    for (name, each), colour, style in zip(SCENARIOS.items(), COLOURS, STYLES, strict=True):
        look = {"color": colour, "ls": style, "lw": 1.3}
        square = best[name] ** 2
        for axis, quantity in ((axes[0, 0], "signal_nu"), (axes[0, 1], "signal_nubar")):
            axis.stairs(square * each.signal(quantity) / width, edges, **look)
        shapes = (
            (axes[1, 0], "signal_evis", MiniBooNEEvis()),
            (axes[1, 1], "signal_costheta", MiniBooNECosTheta()),
        )
        for axis, quantity, likelihood in shapes:
            table = likelihood.events
            axis.stairs(square * each.signal(quantity), np.append(table["low"], table["high"][-1]), **look)
        dump, lsnd = (square * spectrum for spectrum in dump_and_lsnd(reference, each))
        axes[0, 2].stairs(dump / width[:9], edges[:10], label=f"{name}: {dump.sum():.1f}", **look)
        axes[1, 2].stairs(lsnd, LSND_EDGES, label=f"{name}: {lsnd.sum():.0f}", **look)
    axes[0, 2].set(xlim=(200, 1250), xlabel=r"$E_\nu^\mathrm{QE}$ [MeV]", title="dump: 6 observed over 8.8")
    axes[1, 2].set(xlim=(20, 60), yscale="log", ylim=(1e-2, 1e3), xlabel="shower energy [MeV], LSND")
    axes[1, 1].set_xticks((-1.0, -0.5, 0.0, 0.5, 1.0))
    axes[0, 2].set_ylabel("events / MeV")
    axes[1, 2].set_ylabel("events / 4 MeV")
    for axis in (axes[0, 2], axes[1, 2]):
        axis.legend(frameon=False, fontsize=7)
    axes[0, 2].set_ylim(0.0, 1.7 * axes[0, 2].get_ylim()[1])
    axes[0, 1].legend(frameon=False, fontsize=8)
    for axis in axes.flat:
        axis.axhline(0.0, color="0.6", lw=0.6)
        axis.tick_params(which="both", direction="in", top=True, right=True)
        axis.title.set_fontsize(9)
    figure.savefig(FOLDER / "beam-signals.png", dpi=130)


def parents(best: Mapping[str, float]) -> None:
    """Events of each parent in E_nu^QE, both modes."""
    figure, axes = plt.subplots(2, len(SCENARIOS), figsize=(9.6, 4.4), sharex=True, layout="constrained")
    edges = MiniBooNE().release.edges
    for column, (name, each) in enumerate(SCENARIOS.items()):
        masses = Masses(each.setup, np.array([each.m_x]), np.array([each.m_mediator]))
        for i, mode in enumerate(("nu", "nubar")):
            below = np.zeros(11)
            for parent, colour in zip(PARENTS, COLOURS, strict=True):
                alone = {other: np.array([float(other == parent)]) for other in PARENTS}
                made = best[name] ** 2 * events(masses, f"signal_{mode}", alone)[0] / np.diff(edges)
                axes[i, column].stairs(
                    below + made, edges, baseline=below, fill=True, color=colour, label=NAMES[parent]
                )
                below = below + made
            axes[i, column].set(xlim=(200, 1500), ylim=(0, None))
            axes[i, column].tick_params(which="both", direction="in", top=True, right=True)
        axes[0, column].set_title(name, fontsize=9)
        axes[1, column].set_xlabel(r"$E_\nu^\mathrm{QE}$ [MeV]")
    axes[0, 0].set_ylabel("events / MeV, neutrino mode")
    axes[1, 0].set_ylabel("events / MeV, antineutrino mode")
    axes[0, 0].legend(frameon=False)
    figure.savefig(FOLDER / "beam-parents.png", dpi=130)


def main() -> None:
    """Write both figures."""
    plt.rcParams.update({"font.size": 8, "font.family": "serif", "mathtext.fontset": "cm"})
    best = {name: each.best()[0] for name, each in SCENARIOS.items()}
    signals(best)
    parents(best)


if __name__ == "__main__":
    main()
