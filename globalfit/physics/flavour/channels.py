"""The decays whose forms are shipped, their q^2 nodes, and the observables made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_MU
from globalfit.physics.flavour.operators import Kind
from globalfit.physics.wilson import Lepton

M_BS = 5.36692  # GeV, flavio 2.7.1
M_B0 = 5.27966  # GeV, flavio 2.7.1


@dataclass(frozen=True)
class Channel:
    """One decay in one q^2 bin (GeV^2).

    `process` is flavio's spelling; `rule` the Gauss-Legendre rule of the rate (panels, nodes a panel). A
    leptonic decay has one node, the meson's mass squared.
    """

    name: str
    kind: Kind
    lepton: Lepton
    process: str
    bin: tuple[float, float]
    rule: tuple[int, int]

    def nodes(self, rule: tuple[int, int] | None = None) -> tuple[Array, Array]:
        """Return q^2 nodes and weights of the bin average (k,), for another `rule` if given."""
        if self.kind == "leptonic":
            return np.array([self.bin[0]]), np.ones(1)
        return quadrature(*self.bin, *(rule or self.rule))


@dataclass(frozen=True)
class Observable:
    """A bin-averaged rate per GeV^2 or a branching ratio, or with `denominator` the ratio of two of them."""

    name: str
    numerator: str
    denominator: str | None = None
    label: str = ""


def quadrature(low: float, high: float, panels: int, order: int) -> tuple[Array, Array]:
    """Return nodes and weights (panels * order,) of the average over q^2 in [low, high].

    The rule is uniform in eta with q^2 = 4 m_mu^2 cosh^2(eta/2), in which the muon threshold, the photon pole
    and the pole of a mediator just below threshold are all smooth: nodes crowd where the rate is steep.
    """
    threshold = 4e-6 * M_MU**2
    edges = np.linspace(
        2.0 * np.arccosh(np.sqrt(low / threshold)), 2.0 * np.arccosh(np.sqrt(high / threshold)), panels + 1
    )
    x, w = np.polynomial.legendre.leggauss(order)
    half = 0.5 * np.diff(edges)[:, None]
    eta = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
    q2 = threshold * np.cosh(0.5 * eta) ** 2
    return q2, (half * w).ravel() * 0.5 * threshold * np.sinh(eta) / (high - low)


def _semileptonic(
    name: str,
    kind: Kind,
    process: str,
    leptons: tuple[Lepton, ...],
    bin_: tuple[float, float],
    rule: tuple[int, int],
) -> tuple[Channel, ...]:
    text = f"{bin_[0]:g}_{bin_[1]:g}"
    return tuple(
        Channel(f"{name}_{lepton}{lepton}_{text}", kind, lepton, process, bin_, rule) for lepton in leptons
    )


CHANNELS: tuple[Channel, ...] = (
    *_semileptonic("bplus_kplus", "pseudoscalar", "B+->K", ("mu", "e"), (0.1, 1.1), (2, 8)),
    *_semileptonic("bplus_kplus", "pseudoscalar", "B+->K", ("mu", "e"), (1.1, 6.0), (1, 14)),
    *_semileptonic("bplus_kplus", "pseudoscalar", "B+->K", ("mu",), (15.0, 22.0), (1, 10)),
    *_semileptonic("b0_k0", "pseudoscalar", "B0->K", ("mu",), (15.0, 22.0), (1, 10)),
    *_semileptonic("b0_kstar0", "vector", "B0->K*", ("mu", "e"), (0.045, 1.1), (3, 8)),
    *_semileptonic("b0_kstar0", "vector", "B0->K*", ("mu", "e"), (0.1, 1.1), (2, 8)),
    *_semileptonic("b0_kstar0", "vector", "B0->K*", ("mu", "e"), (1.1, 6.0), (1, 14)),
    *_semileptonic("bplus_kstarplus", "vector", "B+->K*", ("mu",), (15.0, 19.0), (1, 12)),
    *_semileptonic("bs_phi", "vector", "Bs->phi", ("mu",), (1.0, 6.0), (1, 16)),
    *_semileptonic("lambdab_lambda", "baryon", "Lambdab->Lambda", ("mu",), (15.0, 20.0), (1, 14)),
    Channel("bs_mumu", "leptonic", "mu", "Bs->", (M_BS**2, M_BS**2), (1, 1)),
    Channel("b0_mumu", "leptonic", "mu", "B0->", (M_B0**2, M_B0**2), (1, 1)),
)

RATIOS: tuple[Observable, ...] = (
    Observable("r_k_0.1_1.1", "bplus_kplus_mumu_0.1_1.1", "bplus_kplus_ee_0.1_1.1", r"R_K[0.1, 1.1]"),
    Observable("r_k_1.1_6", "bplus_kplus_mumu_1.1_6", "bplus_kplus_ee_1.1_6", r"R_K[1.1, 6]"),
    Observable(
        "r_kstar_0.045_1.1", "b0_kstar0_mumu_0.045_1.1", "b0_kstar0_ee_0.045_1.1", r"R_{K^*}[0.045, 1.1]"
    ),
    Observable("r_kstar_0.1_1.1", "b0_kstar0_mumu_0.1_1.1", "b0_kstar0_ee_0.1_1.1", r"R_{K^*}[0.1, 1.1]"),
    Observable("r_kstar_1.1_6", "b0_kstar0_mumu_1.1_6", "b0_kstar0_ee_1.1_6", r"R_{K^*}[1.1, 6]"),
)
LEPTONIC: tuple[Observable, ...] = (
    Observable("br_bs_mumu", "bs_mumu", None, r"\mathcal{B}(B_s \to \mu\mu)"),
)
RATES: tuple[Observable, ...] = tuple(
    Observable("dbr_" + name, name, None, label)
    for name, label in (
        ("bplus_kstarplus_mumu_15_19", r"d\mathcal{B}(B^+ \to K^{*+}\mu\mu)/dq^2[15, 19]"),
        ("b0_k0_mumu_15_22", r"d\mathcal{B}(B^0 \to K^0\mu\mu)/dq^2[15, 22]"),
        ("bplus_kplus_mumu_15_22", r"d\mathcal{B}(B^+ \to K^+\mu\mu)/dq^2[15, 22]"),
        ("bs_phi_mumu_1_6", r"d\mathcal{B}(B_s \to \phi\mu\mu)/dq^2[1, 6]"),
        ("lambdab_lambda_mumu_15_20", r"d\mathcal{B}(\Lambda_b \to \Lambda\mu\mu)/dq^2[15, 20]"),
    )
)
#: Groups whose theory errors are kept correlated.
GROUPS: dict[str, tuple[Observable, ...]] = {"ratios": RATIOS, "leptonic": LEPTONIC, "rates": RATES}
