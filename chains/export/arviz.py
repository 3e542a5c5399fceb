"""ArviZ: groups of a posterior in memory, or as a netCDF file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.chains.export.writing import Selection, refuse, remarks, replacing, select
from globalfit.chains.samples import Place
from globalfit.errors import ChainError, GlobalfitError
from globalfit.priors import shapes

DRAWS = 2000  # of the prior
SEED = 1
SHAPES: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        shapes.Uniform,
        shapes.LogUniform,
        shapes.SignedLogUniform,
        shapes.Normal,
        shapes.LogNormal,
        shapes.TruncatedNormal,
    )
}
Groups = dict[str, dict[str, Place]]


def to_arviz(chain: Chain, *, discard: int | None = None, thin: int = 1) -> Any:
    """Return the chain as ArviZ has it: an InferenceData, or with ArviZ 1 and later a DataTree of xarray.

    Groups: ``posterior`` (parameters and derived quantities), ``log_likelihood`` (ln L per experiment),
    ``sample_stats`` (``lp``, the ln posterior; ``lnprior``; ``acceptance_rate`` and ``ensemble`` per walker)
    and, where the priors are independent and of the shapes globalfit ships, ``prior``: 2000 draws. A chain of
    ArviZ is a walker; those of one ensemble are not independent.

    Parameters
    ----------
    chain : Chain
        The chain.
    discard, thin : int
        See `Chain.get`.

    Raises
    ------
    ChainError
        If ArviZ is missing, no sample is left, or they are more than `Chain.max_bytes`.
    """
    try:
        import xarray
    except ImportError:
        raise ChainError(str(chain.path), "to_arviz needs arviz", "pip install 'globalfit[export]'") from None
    selection = select(chain, discard, thin)
    places = _groups(chain)
    number = sum(len(group) for group in places.values())
    chain._admit("the export", 8 * selection.steps * chain.walkers * number)
    every = [place for group in places.values() for place in group.values()]
    columns = iter(chain.samples.read(every, begin=selection.begin, thin=thin))
    steps = np.arange(selection.begin, chain.steps, thin)
    datasets = {}
    for group, variables in places.items():
        content: dict[str, Any] = {name: (("chain", "draw"), next(columns).T) for name in variables}
        if group == "sample_stats":
            content |= {name: (("chain",), values) for name, values in _of_walkers(chain).items()}
        axes = {"chain": np.arange(chain.walkers), "draw": steps}
        datasets[group] = xarray.Dataset(content, axes, _attributes(selection))
    if prior := _prior(chain):
        content = {name: (("chain", "draw"), values[None]) for name, values in prior.items()}
        datasets["prior"] = xarray.Dataset(
            content, {"chain": np.arange(1), "draw": np.arange(DRAWS)}, _attributes(selection)
        )
    try:
        from arviz import InferenceData
    except ImportError:
        return xarray.DataTree.from_dict(datasets)
    return InferenceData(**datasets)


def save_arviz(
    chain: Chain, output: Path, *, discard: int | None = None, thin: int = 1, overwrite: bool = False
) -> None:
    """Write the groups of `to_arviz` as netCDF 4, piece by piece; ``arviz.from_netcdf`` reads it.

    netCDF 4 is HDF5 with named axes: nothing but h5py is needed to write it. ArviZ needs h5netcdf or netCDF4
    to read it.

    Parameters
    ----------
    chain : Chain
        The chain.
    output : Path
        The file, such as ``chain.nc``.
    discard, thin : int
        See `Chain.get`.
    overwrite : bool
        Replace the file if it exists.

    Raises
    ------
    ChainError
        If no sample is left, or the file cannot be written.
    """
    refuse([output], chain.path, overwrite=overwrite)
    selection = select(chain, discard, thin)
    places = _groups(chain)
    steps, walkers = selection.steps, chain.walkers
    with replacing(output) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        for group, variables in places.items():
            axes = {"chain": np.arange(walkers), "draw": np.arange(selection.begin, chain.steps, thin)}
            made = _group(file, group, axes, selection)
            for name in variables:
                block = (walkers, max(1, min(steps, 2**17 // walkers)))
                made.create_dataset(
                    name, (walkers, steps), "f8", chunks=block, compression="gzip", compression_opts=1
                )
                _attach(made, name, ("chain", "draw"))
        for name, values in _of_walkers(chain).items():
            file["sample_stats"][name] = values
            _attach(file["sample_stats"], name, ("chain",))
        at = 0
        for kept, piece in selection.pieces():
            for group, variables in places.items():
                for name, place in variables.items():
                    rows = selection.column(kept, piece, place)
                    file[group][name][:, at : at + len(rows)] = rows.T
            at += len(kept)
        if prior := _prior(chain):
            made = _group(file, "prior", {"chain": np.arange(1), "draw": np.arange(DRAWS)}, selection)
            for name, values in prior.items():
                made[name] = values[None]
                _attach(made, name, ("chain", "draw"))


def _group(file: h5py.File, name: str, axes: dict[str, Any], selection: Selection) -> h5py.Group:
    """Make a group with named axes, as netCDF 4 wants them."""
    made = file.create_group(name, track_order=True)
    made.attrs.update(_attributes(selection))
    for axis, values in axes.items():
        made[axis] = values
        made[axis].make_scale(axis)
    return made


def _attach(group: h5py.Group, name: str, axes: tuple[str, ...]) -> None:
    for i, axis in enumerate(axes):
        group[name].dims[i].attach_scale(group[axis])


def _groups(chain: Chain) -> Groups:
    """Return the variables (chain, draw) of each group."""
    fields = chain.samples.fields
    derived = [field for field in fields if not field.startswith("ll_") and field != "lnprior"]
    likelihoods = [row["name"] for row in chain.likelihoods]
    groups: Groups = {
        "posterior": {
            **{name: chain.place(name) for name in chain.names},
            **{field.removeprefix("d_"): ("blobs", field) for field in derived},
        },
        "log_likelihood": {name: ("blobs", f"ll_{name}") for name in likelihoods},
        "sample_stats": {"lp": ("log_prob", 0)},
    }
    if "lnprior" in fields:
        groups["sample_stats"]["lnprior"] = ("blobs", "lnprior")
    return {name: group for name, group in groups.items() if group}


def _of_walkers(chain: Chain) -> dict[str, Any]:
    return {"acceptance_rate": chain.accepted / chain.steps, "ensemble": chain.walker_ensemble}


def _attributes(selection: Selection) -> dict[str, Any]:
    chain = selection.chain
    return {
        "created_by": "globalfit",
        "fingerprint": str(chain.attributes.get("fingerprint", "")),
        "converged": int(chain.verdict.converged),
        "chains": "walkers; those of one ensemble are not independent",
        "remarks": "\n".join(remarks(selection)),
    }


def _prior(chain: Chain) -> dict[str, Array]:
    """Return draws of the prior, (draws,) by parameter; none if it is more than the shapes that are known."""
    if not chain.resolved or chain.resolved.get("constraints"):
        return {}
    rng = np.random.default_rng(SEED)
    return dict(_drawn(chain, rng)) if all(_shape(chain, name) for name in chain.names) else {}


def _drawn(chain: Chain, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    for name in chain.names:
        yield name, _shape(chain, name).quantile(rng.random(DRAWS))


def _shape(chain: Chain, name: str) -> Any:
    """Return the prior of a parameter, None if it is of another shape; no plug-in is loaded."""
    options = dict(json.loads(chain.row(name)["prior"]))
    made = SHAPES.get(str(options.pop("shape", "")))
    try:
        return made(**options) if made else None
    except (TypeError, GlobalfitError):
        return None
