"""What a corner plot shows: samples of chains along common axes, ready to be drawn in any process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.axes import Axis, axis_for
from globalfit.chains.chain import Chain
from globalfit.chains.diagnostics import worst_ess
from globalfit.errors import ChainError

MOST = 200_000  # samples drawn per chain; more do not change the picture


@dataclass(frozen=True, eq=False)
class Cloud:
    """The samples of one chain.

    Attributes
    ----------
    label : str
        Of the legend.
    samples : tuple of (n,)
        By axis, placed on it.
    best : tuple of float
        The sample with the highest likelihood, placed likewise.
    independent : float
        Effective samples behind the picture.
    converged : bool
    """

    label: str
    samples: tuple[Array, ...]
    best: tuple[float, ...]
    independent: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Clouds:
    """Chains to be laid over each other.

    Attributes
    ----------
    axes : tuple of Axis
    ranges : tuple of (low, high)
        Of the axes.
    every : tuple of Cloud
    titles : tuple of str
        One an axis, or none.
    """

    axes: tuple[Axis, ...]
    ranges: tuple[tuple[float, float], ...]
    every: tuple[Cloud, ...]
    titles: tuple[str, ...] = ()


def gather(
    chains: Sequence[Chain],
    names: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    discard: int | None = None,
    thin: int | None = None,
    titles: bool = False,
    judged: bool = True,
) -> Clouds:
    """Return what the corner plot of some chains shows; see `globalfit.chains.corner.draw_corner`.

    Without `judged` no chain is judged, which takes time: it is to be stamped later, if it is not converged.
    """
    axes = [axis_for(chains[0], name) for name in _chosen(chains, names)]
    drawn = [[_samples(chain, axis, discard, thin) for axis in axes] for chain in chains]
    for i, axis in enumerate(axes):
        if axis.scale == "log" and min(samples[i].min() for samples in drawn) <= 0.0:
            axes[i] = replace(axis, scale="linear")  # another chain has no such prior
    ranges = [_range([samples[i] for samples in drawn], axes[i], chains[0]) for i in range(len(axes))]
    shown = list(labels) or [chain.path.stem for chain in chains]
    clouds = []
    for chain, samples, label in zip(chains, drawn, shown, strict=True):
        best = chain.best()
        place = tuple(float(axis.place(np.array([best[axis.name]]))[0]) for axis in axes)
        converged = chain.verdict.converged if judged else True
        clouds.append(Cloud(label, tuple(samples), place, _independent(chain, judged), converged))
    heads: tuple[str, ...] = ()
    if titles and chains[0].verdict.converged:  # an interval of anything else would be none
        heads = tuple(_median(chains[0], axis, discard, thin) for axis in axes)
    return Clouds(tuple(axes), tuple(ranges), tuple(clouds), heads)


def _chosen(chains: Sequence[Chain], names: Sequence[str]) -> tuple[str, ...]:
    for chain in chains:
        if not chain.named:
            raise ChainError(
                str(chain.path),
                f"is a file of emcee: its {len(chain.names)} parameters have no names",
                "give them, as in --names mass,coupling or Chain.open(path, names=...)",
            )
    if names:
        return tuple(names)
    common = tuple(name for name in chains[0].names if all(name in chain.names for chain in chains))
    if not common:
        raise ChainError(str(chains[-1].path), f"has no parameter in common with '{chains[0].path}'")
    return common


def _samples(chain: Chain, axis: Axis, discard: int | None, thin: int | None) -> Array:
    samples = chain.get(axis.name, discard=discard, thin=thin or chain.stride)
    samples = axis.place(samples[:: max(1, len(samples) // MOST)])
    if not np.isfinite(samples).all() or np.ptp(samples) == 0.0:
        what = "is constant" if np.isfinite(samples).all() else "is not finite"
        raise ChainError(str(chain.path), f"'{axis.name}' {what} in the samples", "leave it out")
    return samples


def _range(samples: Sequence[Array], axis: Axis, chain: Chain) -> tuple[float, float]:
    """Range that holds 99.9 % of each chain; up to the prior's edge where the samples reach it."""
    spans = [np.quantile(each, [0.0005, 0.9995]) for each in samples]
    low, high = float(min(s[0] for s in spans)), float(max(s[1] for s in spans))
    log = axis.scale == "log"
    if log:
        low, high = math.log(low), math.log(high)
    seen, margin = (low, high), 0.04 * (high - low)
    low, high = low - margin, high + margin
    row = chain.row(axis.name)
    edges = (row.get("low", math.nan), row.get("high", math.nan))
    if not axis.gap and all(math.isfinite(edge) for edge in edges):
        edge_low, edge_high = (math.log(edges[0]), math.log(edges[1])) if log else edges
        # Another chain may have a wider prior.
        low = max(low, edge_low) if edge_low <= seen[0] else low
        high = min(high, edge_high) if edge_high >= seen[1] else high
    return (math.exp(low), math.exp(high)) if log else (low, high)


def _independent(chain: Chain, judged: bool) -> float:
    """Effective samples behind the picture; a guess where the chain cannot tell."""
    ess = chain.verdict.worst_ess if judged else worst_ess(chain)
    return ess if math.isfinite(ess) else float(chain.walkers)


def _median(chain: Chain, axis: Axis, discard: int | None, thin: int | None) -> str:
    """Return the title of a column: median and 68 % interval."""
    samples = chain.get(axis.name, discard=discard, thin=thin or chain.stride)
    low, median, high = np.quantile(samples, [0.16, 0.5, 0.84])
    digits = max(0, 1 - math.floor(math.log10(min(median - low, high - median))))
    power = math.floor(math.log10(max(abs(low), abs(high))))
    unit, factor = ("", 1.0) if -2 <= power < 5 else (rf" \times 10^{{{power}}}", 10.0**power)
    digits = digits if factor == 1.0 else max(0, digits + power)
    numbers = [f"{x / factor:.{digits}f}" for x in (median, median - low, high - median)]
    return rf"{axis.label} = ${numbers[0]}_{{-{numbers[1]}}}^{{+{numbers[2]}}}{unit}$"
