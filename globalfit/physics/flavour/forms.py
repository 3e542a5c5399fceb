"""Quadratic forms of rates in the Wilson coefficients, and what is folded out of them for fast evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.errors import ModelError, did_you_mean
from globalfit.physics.flavour.channels import Channel
from globalfit.physics.flavour.operators import Kind, directions, subset, symmetric
from globalfit.physics.wilson import Lepton

# Typical sizes of the coefficients, for deciding which eigenvalues of a form are rounding noise.
_TYPICAL = {"C7": 0.3, "C9": 4.0, "C10": 4.0, "CS": 0.1, "CP": 0.1}


@dataclass(frozen=True, eq=False)
class ChannelForms:
    """The rate of one channel at q^2 nodes as a form of x = (1, Re y, Im y), y the directions of its kind.

    Parameters
    ----------
    channel : Channel
    q2, weights : ndarray (k,)
        Nodes in GeV^2 and weights of the bin average.
    rate : ndarray (k, p (p + 1) / 2)
        Monomial coefficients of dBR/dq^2 in GeV^-2 (of the branching ratio where leptonic), p = 1 + 2 d.
    error_q2, error_weights : ndarray (ke,)
        Coarser nodes for the theory error.
    modes : ndarray (r, ke, m)
        Independent unit-variance modes of the theory error: monomial coefficients of the shift of the rate as
        a form of (1, Re y) without C7; leptons without scalars leave those out too.
    error_directions : tuple of int
        Which directions the modes know.
    """

    channel: Channel
    q2: Array
    weights: Array
    rate: Array
    error_q2: Array
    error_weights: Array
    modes: Array
    error_directions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FlavourForms:
    """All channels of one build, with the running to 4.8 GeV.

    Parameters
    ----------
    channels : mapping of str to ChannelForms
    running : mapping of float to mapping
        ``running[scale][lepton, operator]`` is a tuple of (lepton at `scale`, operator at `scale`, factor).
    provenance : mapping of str to str
        Versions, hash of the parameters, build command.
    """

    channels: Mapping[str, ChannelForms]
    running: Mapping[float, Mapping[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]]]
    provenance: Mapping[str, str]

    def channel(self, name: str) -> ChannelForms:
        """Return the forms of one channel.

        Raises
        ------
        ModelError
            If the file has no such decay or bin.
        """
        try:
            return self.channels[name]
        except KeyError:
            raise ModelError(
                "flavour forms", f"no decay and bin '{name}'", did_you_mean(name, self.channels)
            ) from None


@dataclass(frozen=True, eq=False)
class Group:
    """Channels of one kind and lepton, which share their monomials, for a set of active directions."""

    names: tuple[str, ...]
    active: tuple[int, ...]  # directions that are not identically zero
    constant: Array  # (channels, monomials of the active variables): bin averages
    q2: Array  # (k,) nodes of all channels after each other
    starts: NDArray[np.intp]  # where each channel's nodes start
    factor: Array  # (k, rank, p): sum_r (factor x)^2 is the weighted rate at a node
    rows: tuple[slice, ...]  # of each channel's modes in `error_constant`
    error_flat: tuple[Array, ...]  # per channel (modes, monomials of (1, Re y) * nodes)
    error_constant: Array  # (all modes, monomials of the active variables), summed over nodes


@lru_cache(maxsize=256)
def group(forms: FlavourForms, names: tuple[str, ...], active: tuple[int, ...], imaginary: bool) -> Group:
    """Fold the forms of `names` (one kind, one lepton) to the variables of the `active` directions."""
    members = [forms.channel(name) for name in names]
    kind = members[0].channel.kind
    d = len(directions(kind))
    keep = [0, *(1 + i for i in active), *((1 + d + i for i in active) if imaginary else ())]
    columns = subset(1 + 2 * d, keep)
    typical = np.array([1.0, *(2 * [_TYPICAL[op[0][0].rstrip("p")] for op in directions(kind)])])[keep]
    blocks = [
        _factor(symmetric(each.rate[:, columns], len(keep)) * each.weights[:, None, None], typical)
        for each in members
    ]
    rank = max(block.shape[1] for block in blocks)
    known = members[0].error_directions
    chosen = [0, *(1 + known.index(i) for i in active if i in known)]
    modes = [
        each.modes[:, :, subset(1 + len(known), chosen)] * each.error_weights[:, None] for each in members
    ]
    # where the monomials the errors know stand among those of (1, Re y) and of (1, Re y[, Im y])
    real = [0, *(1 + row for row, i in enumerate(active) if i in known)]
    flat = [_spread(each, subset(1 + len(active), real), 1 + len(active)) for each in modes]
    binned = [_spread(each.sum(axis=1), subset(len(keep), real), len(keep)) for each in modes]
    ends = np.cumsum([len(each) for each in modes]).tolist()
    return Group(
        names=names,
        active=active,
        constant=np.stack([each.weights @ each.rate[:, columns] for each in members]),
        q2=np.concatenate([each.q2 for each in members]),
        starts=np.cumsum([0, *(len(each.q2) for each in members[:-1])]),
        factor=np.concatenate([np.pad(b, ((0, 0), (0, rank - b.shape[1]), (0, 0))) for b in blocks]),
        rows=tuple(slice(end - len(each), end) for each, end in zip(modes, ends, strict=True)),
        error_flat=tuple(np.swapaxes(each, 1, 2).reshape(len(each), -1) for each in flat),
        error_constant=np.concatenate(binned),
    )


def _factor(matrices: Array, typical: Array) -> Array:
    """Return f (k, rank, p) with sum_r f_ri f_rj = matrices (k, p, p), which are positive up to rounding."""
    values, vectors = np.linalg.eigh(matrices * typical[:, None] * typical)
    values = np.where(values > 1e-14 * values[:, -1:], values, 0.0)
    rank = int(np.max(np.sum(values > 0.0, axis=1)))
    factor = np.sqrt(values)[:, :, None] * np.swapaxes(vectors, 1, 2) / typical
    return np.asarray(factor[:, -rank:])


def grouped(forms: FlavourForms, names: tuple[str, ...]) -> dict[tuple[Kind, Lepton], tuple[str, ...]]:
    """Return `names` by kind and lepton."""
    found: dict[tuple[Kind, Lepton], tuple[str, ...]] = {}
    for name in names:
        channel = forms.channel(name).channel
        found[channel.kind, channel.lepton] = (*found.get((channel.kind, channel.lepton), ()), name)
    return found


def _spread(coefficients: Array, at: NDArray[np.intp], p: int) -> Array:
    """Put monomial coefficients (..., m) to the positions `at` (m,) among the monomials of `p` variables."""
    out = np.zeros((*coefficients.shape[:-1], p * (p + 1) // 2))
    out[..., at] = coefficients
    return out
