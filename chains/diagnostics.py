"""The verdict on a chain file: every stored quantity judged, the modes counted."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.chains.histories import arrival, followed, stuck
from globalfit.chains.samples import Held, Place
from globalfit.coordinates import Log, SignedLog
from globalfit.errors import GlobalfitError
from globalfit.models.regions import regions_by_name
from globalfit.priors import shapes
from globalfit.regions import Partition, decode_regions
from globalfit.sampling.autocorrelation import autocorrelation_times
from globalfit.sampling.census import COUNTED, Census, Mode, cluster, count_modes
from globalfit.sampling.diagnosis import BULK, WALKERS, burn_in, by_ensemble
from globalfit.sampling.stopping import LOG_POSTERIOR, Verdict, assess

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain

CELLS = 2001  # of a prior's quantile function, to invert it
SHAPES: Mapping[str, Any] = {
    "uniform": shapes.Uniform,
    "log-uniform": shapes.LogUniform,
    "signed-log-uniform": shapes.SignedLogUniform,
    "normal": shapes.Normal,
    "log-normal": shapes.LogNormal,
    "truncated-normal": shapes.TruncatedNormal,
}
PRIORS = {**SHAPES, **{each.__name__: each for each in SHAPES.values()}}  # chains store the class's name


def ensemble_of(chain: Chain) -> NDArray[np.intp]:
    """Return the ensemble (walkers,) of each walker; all belong to one in a file that does not say."""
    found: NDArray[np.intp] | None = getattr(chain, "walker_ensemble", None)
    return np.zeros(chain.walkers, dtype=np.intp) if found is None else np.asarray(found, dtype=np.intp)


def evidence_of(chain: Chain) -> list[dict[str, Any]]:
    """Return the ln Z of the tempered starts that a chain stores: ensemble, log_evidence, error, ..."""
    stored = chain.attributes.get("evidence", ())
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return []
    return [dict(row) for row in stored if isinstance(row, Mapping) and "log_evidence" in row]


def log_evidence(chain: Chain) -> tuple[float, float] | None:
    """Return ln Z of a chain, the mean over its tempered starts, and its error; None without such starts.

    The error is that of their scatter or, with one start, its own.
    """
    rows = evidence_of(chain)
    values = np.array([float(row["log_evidence"]) for row in rows])
    if not len(values) or not np.isfinite(values).all():
        return None
    error = float(rows[0].get("error") or math.nan)
    if len(values) > 1:
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), error


@dataclass(frozen=True)
class Histories:
    """What a chain is judged by.

    Of a chain in memory: every step of every walker. Of a longer one: some walkers at equal distances, as
    many as `histories.HISTORY` holds, and if these are few every `lag`-th step of them, which makes
    autocorrelation times below `lag` come out as `lag`: never too short.

    Attributes
    ----------
    samples : (steps, walkers, dim + 1)
        Sampled parameters in the coordinates of their priors' scales, and the ln posterior.
    ensemble : (walkers,)
        The ensemble of each of these walkers.
    walkers : slice or list of int
        Which walkers of the chain these are.
    lag : int
        Distance of the steps.
    """

    samples: Array
    ensemble: NDArray[np.intp]
    walkers: slice | list[int]
    lag: int


def histories(chain: Chain) -> Histories:
    """Return what a chain is judged by."""
    names = chain.names
    places: list[Place] = [*(("values", i) for i in range(len(names))), ("log_prob", 0)]
    walkers: slice | list[int]
    walkers, lag = slice(None), 1
    if not isinstance(chain.samples, Held):
        walkers, lag = followed(chain.samples, 1 + len(chain.quantities))
    columns = chain.samples.read(places, walkers=walkers, thin=lag)
    scaled = [_coordinate(chain.row(name), each) for name, each in zip(names, columns, strict=False)]
    return Histories(np.stack([*scaled, columns[-1]], axis=-1), ensemble_of(chain)[walkers], walkers, lag)


def burn_in_of(chain: Chain) -> int:
    """Return the steps to leave out at a chain's start, without judging it."""
    return _burn_in(chain, histories(chain))


def worst_ess(chain: Chain) -> float:
    """Return the fewest effective samples of a parameter or the ln posterior, by tau of some walkers of all.

    For those who cannot wait for the verdict, which asks the slowest ensemble.
    """
    found = histories(chain)
    some = slice(None, None, max(1, found.samples.shape[1] // (4 * WALKERS)))
    tau = float(np.max(autocorrelation_times(found.samples[-(-chain.discard // found.lag) :, some])))
    return (chain.steps - chain.discard) * chain.walkers / (found.lag * tau)


def _burn_in(chain: Chain, found: Histories) -> int:
    discard = found.lag * burn_in(found.samples)
    if isinstance(chain.samples, Held):
        return discard
    last = found.samples[len(found.samples) // 2 :, :, -1]
    return min(chain.steps // 2, max(discard, arrival(chain.samples, float(np.quantile(last, BULK)))))


def judge(chain: Chain, discard: int | None = None, *, least: int | None = None) -> Verdict:
    """Judge a chain: see `globalfit.sampling.stopping.assess`.

    Parameters
    ----------
    chain : Chain
        The chain.
    discard : int, optional
        Steps to leave out at the start; chosen from the chain by default.
    least : int, optional
        Ensembles that are needed.
    """
    found = histories(chain)
    discard = _burn_in(chain, found) if discard is None else discard
    verdict = assess(
        found.samples,
        (*chain.names, LOG_POSTERIOR),
        discard=-(-discard // found.lag),
        ensemble=found.ensemble,
        others=_others(chain, found),
        census=take_census(chain, discard),
        evidence=[float(row["log_evidence"]) for row in evidence_of(chain)],
        walkers=chain.walkers,
        least=least,
        around_point=chain.resolved.get("sampler", {}).get("start") == "point",
    )
    if isinstance(chain.samples, Held):
        return verdict
    return _of_long(verdict, chain, discard, found.lag)


def _of_long(verdict: Verdict, chain: Chain, discard: int, lag: int) -> Verdict:
    """Return a verdict drawn from every `lag`-th step of some walkers, for the whole chain."""
    reasons = verdict.reasons
    if still := stuck(chain.samples, discard):
        reasons = (f"{still} of {chain.walkers} walkers never moved; run longer, or reparametrise", *reasons)
    return replace(
        verdict,
        steps=chain.steps,
        discard=discard,
        tau={name: lag * tau for name, tau in verdict.tau.items()},
        quantities=tuple(replace(each, tau=lag * each.tau) for each in verdict.quantities),
        reasons=tuple(dict.fromkeys(reasons)),
    )


def regions_of_chain(chain: Chain) -> tuple[Partition, ...]:
    """Return the partitions a chain stores, else those of its model, as far as it has what they need."""
    stored = chain.attributes.get("regions")
    try:
        partitions = decode_regions(stored) if isinstance(stored, str) else None
    except ValueError:
        partitions = None
    if partitions is None:
        partitions = regions_by_name(str(chain.attributes.get("model", "")))
    fixed = _fixed(chain)
    known = {*chain.quantities, *fixed}
    free = {*chain.quantities}
    return tuple(each for each in partitions if set(each.needs) <= known and set(each.needs) & free)


def take_census(chain: Chain, discard: int) -> tuple[Census, ...]:
    """Count the modes of the kept samples: by the model's regions, else by clusters.

    Clusters are looked for in quantiles of the prior, so that scales and units of the parameters do not
    matter.
    """
    ensemble = ensemble_of(chain)
    stride = max(1, math.ceil((chain.steps - discard) * chain.walkers / COUNTED))
    thin = chain.stride * math.ceil(stride / chain.stride)
    thin = thin if chain.steps - discard > 2 * thin else chain.stride

    def column(name: str) -> Array:
        return by_ensemble(chain.get(name, discard=discard, flat=False, thin=thin), ensemble)

    partitions = regions_of_chain(chain)
    found = []
    if partitions:
        fixed = _fixed(chain)
        for each in partitions:
            columns = {name: np.array(fixed[name]) if name in fixed else column(name) for name in each.needs}
            index = each.index(columns)
            census = count_modes(each.name, index, each.labels, each.needs)
            found.append(_with_best(chain, census, index, each.labels, column))
        return tuple(found)
    points = np.stack([prior_quantile(chain, name, column(name)) for name in chain.names], axis=-1)
    index, told_by = cluster(points, chain.names)
    labels = tuple(str(number + 1) for number in range(int(index.max()) + 1))
    census = count_modes("clusters", index, labels, told_by)
    return (_with_best(chain, census, index, labels, column),)


def prior_quantile(chain: Chain, name: str, values: Array) -> Array:
    """Return the quantiles of a parameter's prior at `values`; of an unknown prior the scaled values."""
    row = chain.row(name)
    try:
        said = json.loads(row["prior"])
        prior = PRIORS[said.pop("shape")](**said)
    except (KeyError, TypeError, ValueError, AttributeError, GlobalfitError):
        return _coordinate(row, values)
    u = np.linspace(0.0, 1.0, CELLS)
    x = prior.quantile(u)
    inside = np.isfinite(x)
    quantile: Array = np.interp(values, x[inside], u[inside])
    return quantile


def _others(chain: Chain, found: Histories) -> Iterator[tuple[str, Array]]:
    """Yield derived quantities and ln likelihoods; one at a time of a chain in memory."""
    names = chain.quantities[len(chain.names) :]
    each = 1 if isinstance(chain.samples, Held) else max(1, len(names))
    for begin in range(0, len(names), each):
        some = names[begin : begin + each]
        places = [chain.place(name) for name in some]
        columns = chain.samples.read(places, walkers=found.walkers, thin=found.lag)
        yield from zip(some, columns, strict=True)


def _fixed(chain: Chain) -> dict[str, float]:
    return {row["name"]: row["value"] for row in chain.parameters if row["role"] in ("fixed", "default")}


def _with_best(chain: Chain, census: Census, index: NDArray[np.intp], labels: Any, column: Any) -> Census:
    """Give each mode the sample of it with the highest ln likelihood."""
    fields = [f"ll_{row['name']}" for row in chain.likelihoods]
    total = sum(column(field) for field in fields) if fields else column("log_prob")
    wanted = (*chain.names, *fields)
    columns = {name: column(name) for name in wanted}
    modes = []
    for mode in census.modes:
        inside = index == labels.index(mode.label)
        place = int(np.argmax(np.where(inside, total, -np.inf)))
        best = {name: float(values.flat[place]) for name, values in columns.items()}
        modes.append(Mode(mode.label, mode.masses, mode.errors, best))
    return Census(census.name, tuple(modes), census.told_by)


def _coordinate(row: Mapping[str, Any], values: Array) -> Array:
    """Return values in the coordinate in which they are judged: that of the prior's scale."""
    if row["scale"] == "log":
        return Log().from_physical(values, {})
    if row["scale"] == "signed-log":
        return SignedLog(float(json.loads(row["prior"])["low"])).from_physical(values, {})
    return values
