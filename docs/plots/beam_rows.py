"""Write the tables of docs/physics/beam.md: the talk's rows beside ours, and other experiments.

Run from the top of a checkout: ``python docs/plots/beam_rows.py`` (a few minutes).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.models.portal import tables
from globalfit.physics.beam.cards import read_card
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.prediction import LongLived, events
from globalfit.physics.beam.raw_events import raw_events

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "likelihoods" / "data" / "experiments"
PAGE = ROOT / "docs" / "physics" / "beam.md"
EFFICIENCY = 0.053  # of MicroBooNE's search for single photons, flat


@dataclass(frozen=True)
class Row:
    """A scenario at fixed masses, in MeV, with the coupling of the talk in 1/MeV if it has one."""

    label: str
    setup: LongLived
    m_x: float
    m_mediator: float
    talk: float | None = None

    def signal(self, quantity: str) -> np.ndarray:
        """Events (bins,) at a coupling of 1/MeV."""
        masses = Masses(self.setup, np.array([self.m_x]), np.array([self.m_mediator]))
        return events(masses, quantity)[0]

    def best(self) -> tuple[float, float]:
        """Coupling in 1/MeV that fits MiniBooNE best, and the gain in -2 ln L over no signal."""
        nu, nubar = self.signal("signal_nu"), self.signal("signal_nubar")

        def minus(ln_events: float) -> float:
            scale = np.exp(ln_events) / nu[:9].sum()
            signal = {"signal_nu": scale * nu[None], "signal_nubar": scale * nubar[None]}
            return -2.0 * float(MiniBooNE().log_likelihood(signal)[0])

        found = minimize_scalar(minus, bounds=(np.log(20.0), np.log(1500.0)), method="bounded")
        return float(np.exp(0.5 * found.x) / nu[:9].sum() ** 0.5), minus(-30.0) - float(found.fun)


def row(kind: str, masses: tuple[float, float], talk: float | None = None, **options: str) -> Row:
    """Return a row; its label says what differs from the defaults."""
    setup = LongLived(kind, tables(), **options)  # type: ignore[arg-type]
    said = f"{setup.vertex}, {setup.nuclear_charge}" + (f", {setup.leg} leg" if kind == "vector" else "")
    return Row(said, setup, *masses, talk)


ROWS = (
    *(
        row("scalar", (1.0, 49.0), 2.2e-8, vertex=vertex, nuclear_charge=charge)
        for vertex in ("doubled", "single")
        for charge in ("Z", "A", "quark")
    ),
    row("scalar", (1.0, 200.0)),
    row("scalar", (10.0, 49.0)),
    row("scalar", (80.0, 100.0)),
    *(
        row("pseudoscalar", (1.0, 85.0), 5.9e-7, vertex=vertex, nuclear_charge=charge)
        for vertex in ("doubled", "single")
        for charge in ("Z", "A", "quark")
    ),
    row("pseudoscalar", (80.0, 100.0)),
    *(
        row("vector", masses, talk, leg=leg, nuclear_charge=charge)
        for masses, talk in (((5.0, 650.0), 9e-8), ((10.0, 550.0), 1.3e-8))
        for leg in ("lepton", "meson", "contact", "gauge-invariant")
        for charge in ("A", "Z")
    ),
)
SCENARIOS = {
    "S (1, 49)": row("scalar", (1.0, 49.0)),
    "P (1, 85)": row("pseudoscalar", (1.0, 85.0)),
    "X (5, 650), meson, A": row("vector", (5.0, 650.0), leg="meson", nuclear_charge="A"),
    "X (10, 550), contact, A": row("vector", (10.0, 550.0), leg="contact", nuclear_charge="A"),
}
#: Lowest energy in MeV counted in each experiment, and what an independent implementation has for S and P.
OTHERS = {
    "microboone": (100.0, "535-560", "460"),
    "sbnd": (100.0, "2.2e4 at 1e21", "2.0e4 at 1e21"),
    "icarus": (100.0, "1.8e3", "1.5e3"),
    "ccm": (10.0, "5.4", "1.6"),
    "jsns2": (20.0, "24 + 168", "11 + 2.4e3"),
    "dune-nd": (30.0, "9.3e4", "2.0e4"),
    "minerva": (800.0, "3900 + 65", "1140 + 770"),
    "charm-ii": (3000.0, "6320 + 360", "1960 + 3650"),
}


def number(value: float) -> str:
    """Return three digits."""
    return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-")


def rows() -> str:
    """Return the table of the talk's rows."""
    out = [
        "| X (m_x, mediator), MeV | convention | best fit, /MeV | the talk's | N at the talk's "
        "| N nu / nubar | gain | dump | LSND | MicroBooNE | cos > 0.9 |",
        "|" + "---|" * 11,
    ]
    microboone = read_card(EXPERIMENTS / "microboone.toml")
    before = ""
    for each in ROWS:
        coupling, gain = each.best()
        square = coupling**2
        nu, nubar = (square * each.signal(f"signal_{mode}")[:9].sum() for mode in ("nu", "nubar"))
        costheta = each.signal("signal_costheta")
        raw = raw_events(microboone, each.setup, each.m_x, each.m_mediator, coupling)
        name = f"{each.setup.process} ({each.m_x:g}, {each.m_mediator:g})"
        cells = (
            name if name != before else "",
            each.label,
            number(coupling),
            number(each.talk) if each.talk else "",
            number(nu * each.talk**2 / square) if each.talk else "",
            f"{nu:.0f} / {nubar:.0f}",
            f"{gain:.1f}",
            f"{square * each.signal('signal_dump')[0]:.1f}",
            f"{square * each.signal('signal_lsnd')[0]:.0f}",
            f"{EFFICIENCY * raw.total:.0f}",
            f"{costheta[-1] / costheta.sum():.2f}",
        )
        before = name
        out.append("| " + " | ".join(cells) + " |")
        print(out[-1], flush=True)
    return "\n".join(out)


def others() -> str:
    """Return the table of raw events in other experiments at MiniBooNE's best fits."""
    out = [
        "| experiment, photons above | " + " | ".join(SCENARIOS) + " | S, independent | P, independent |",
        "|" + "---|" * (len(SCENARIOS) + 3),
    ]
    best = {name: each.best()[0] for name, each in SCENARIOS.items()}
    for name, (above, s, p) in OTHERS.items():
        card = read_card(EXPERIMENTS / f"{name}.toml")
        cells = []
        for label, each in SCENARIOS.items():
            made = raw_events(card, each.setup, each.m_x, each.m_mediator, best[label], above=above)
            pions = sum(v.sum() for parent, v in made.by_parent.items() if parent.startswith("pi"))
            kaons = made.total - pions
            cells.append(number(pions) + (f" + {number(kaons)}" if len(card.parents) > 1 else ""))
        out.append("| " + " | ".join((f"{name}, {above:g} MeV", *cells, s, p)) + " |")
        print(out[-1], flush=True)
    return "\n".join(out)


def main() -> None:
    """Put both tables into the page."""
    made = {"rows": rows(), "others": others()}
    text = PAGE.read_text(encoding="utf-8")  # others may have edited it in the meantime
    for name, table in made.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        first = text.index(begin) + len(begin)
        text = text[:first] + table + text[text.index(end) :]
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
