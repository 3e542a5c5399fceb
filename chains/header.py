"""What a chain file says of its fit: all that a reader needs, without the plug-ins."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from globalfit import likelihood as contract
from globalfit.chains.files import SCHEMA
from globalfit.chains.tables import read_table, read_text, write_table, write_text
from globalfit.errors import GlobalfitError
from globalfit.identity import versions
from globalfit.null import Null, null_log_likelihoods, to_rows
from globalfit.regions import encode_regions, regions_of
from globalfit.sampling import moves
from globalfit.sampling.ensemble import MOVES

if TYPE_CHECKING:
    from globalfit.fit import Fit

PARAMETER_COLUMNS = ("name", "label", "unit", "role", "prior", "scale", "low", "high", "value", "tied")
LIKELIHOOD_COLUMNS = ("name", "class", "version", "measurement", "reference", "data", "source")
NULL_COLUMNS = ("name", "log_likelihood", "log_evidence", "reason")
DERIVED_COLUMNS = ("name", "label", "unit", "kind")


def describe(fit: Fit) -> dict[str, Any]:
    """Return what a chain says of `fit`, in plain JSON types."""
    return {
        "schema": SCHEMA,
        "fingerprint": fit.fingerprint,
        "as_of": fit.as_of.isoformat(),
        "model": fit.posterior.model.name,
        "config": fit.text,
        "resolved": fit.resolved,
        "environment": environment() | ({"moves": moves.MOVES} if fit.sampler.start == "tempered" else {}),
        "warnings": list(fit.warnings),
        "parameters": _parameters(fit),
        "likelihoods": _likelihoods(fit),
        "derived": _derived(fit),
        "blobs": list(blob_fields(fit)),
        "regions": encode_regions(regions_of(fit.posterior.model)),
    }


def write_header(group: h5py.Group, described: dict[str, Any]) -> None:
    """Write what `describe` returned into the group ``/globalfit``."""
    for name in ("schema", "fingerprint", "as_of", "model", "regions"):
        group.attrs[name] = described.get(name, "")
    write_text(group, "config", described["config"])
    write_text(group, "config_resolved", json.dumps(described["resolved"]))
    write_text(group, "environment", json.dumps(described["environment"]))
    write_text(group, "warnings", json.dumps(described["warnings"]))
    write_table(group, "parameters", described["parameters"], PARAMETER_COLUMNS)
    write_table(group, "likelihoods", described["likelihoods"], LIKELIHOOD_COLUMNS)
    write_table(group, "derived", described["derived"], DERIVED_COLUMNS)
    if nulls := described.get("nulls"):  # older chains have none
        write_table(group, "nulls", nulls, NULL_COLUMNS)


def blob_fields(fit: Fit) -> tuple[str, ...]:
    """Return the names of the blobs: ln prior, ln L per likelihood, observables, derived quantities."""
    names = fit.posterior.blob_names
    densities = 1 + len(fit.posterior.likelihoods)
    return (*names[:densities], *(f"d_{name}" for name in names[densities:]))


def environment() -> dict[str, str]:
    """Return the versions a chain was made with."""
    found = {"python": platform.python_version(), "platform": platform.platform(), **versions()}
    return found | {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version, "moves": MOVES}


def _parameters(fit: Fit) -> list[dict[str, Any]]:
    space = fit.posterior.space
    declared = {parameter.name: parameter for parameter in fit.posterior.model.parameters}
    for likelihood in fit.posterior.likelihoods.values():
        declared |= {parameter.name: parameter for parameter in contract.nuisances(likelihood)}
    rows = []
    for name, prior in zip(space.names, space.priors, strict=True):
        low, high = prior.quantile(np.array([0.0, 1.0]))
        said = json.dumps(fit.resolved["parameters"][name]["prior"])
        more = {"low": float(low), "high": float(high)}
        rows.append(_row(declared[name], "sampled", prior=said, scale=prior.scale, **more))
    for name, value in space.fixed.items():
        role = "default" if name in fit.defaults else "fixed"
        rows.append(_row(declared[name], role, value=float(value)))
    rows += [_row(declared[name], "tied", tied=other) for name, other in space.tied.items()]
    return rows


def _row(declared: Any, role: str, **more: Any) -> dict[str, Any]:
    blank = {"prior": "", "scale": "", "low": np.nan, "high": np.nan, "value": np.nan, "tied": ""}
    given = {"name": declared.name, "label": declared.label, "unit": declared.unit, "role": role}
    return blank | given | more


def _likelihoods(fit: Fit) -> list[dict[str, Any]]:
    rows = []
    for name, likelihood in fit.posterior.likelihoods.items():
        resolved = fit.resolved["likelihoods"][name]
        rows.append(
            {
                "name": name,
                "class": str(resolved["class"]),
                "version": contract.version(likelihood),
                "measurement": str(getattr(likelihood, "measurement", "")),
                "reference": str(likelihood.reference),
                "data": " ".join(contract.data_ids(likelihood)),
                "source": str(resolved.get("source", "")),
            }
        )
    return rows


def nulls(fit: Fit) -> list[dict[str, Any]]:
    """Return ln L of each experiment without new physics; a likelihood that fails there gives its reason."""
    try:
        return to_rows(null_log_likelihoods(fit.posterior))
    except GlobalfitError as error:
        none = Null(None, None, str(error).splitlines()[0])
        return to_rows(dict.fromkeys(fit.posterior.likelihoods, none))


def read_nulls(group: h5py.Group) -> list[dict[str, Any]]:
    """Return what `nulls` gave when the chain began; nothing of an older chain."""
    return read_table(group, "nulls") if "nulls" in group else []


def _derived(fit: Fit) -> list[dict[str, Any]]:
    rows = [
        {"name": name, "label": "", "unit": "", "kind": "observable"} for name in fit.posterior.observables
    ]
    rows += [
        {"name": q.name, "label": q.label, "unit": q.unit, "kind": "derived"} for q in fit.posterior.derived
    ]
    return rows


def read_described(group: h5py.Group, mcmc: h5py.Group) -> dict[str, Any]:
    """Return what a chain file says of its fit, as `describe` does."""
    said = ("schema", "fingerprint", "as_of", "model", "regions")
    plain = {name: group.attrs[name] for name in said if name in group.attrs}
    return plain | {
        "config": read_text(group, "config"),
        "resolved": json.loads(read_text(group, "config_resolved")),
        "environment": json.loads(read_text(group, "environment")),
        "warnings": json.loads(read_text(group, "warnings")),
        "parameters": read_table(group, "parameters"),
        "likelihoods": read_table(group, "likelihoods"),
        "derived": read_table(group, "derived"),
        "nulls": read_nulls(group),
        "blobs": list(mcmc["blobs"].dtype.names),
    }
