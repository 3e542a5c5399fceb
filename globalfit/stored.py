"""The fit a chain is of, put together again from what the chain file says."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.fitfile import load_fit

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain


def stored_fit(chain: Chain, path: Path | None = None) -> Fit:
    """Return the fit of a chain, from its stored text or from a fit file.

    A chain never causes code of a loose file to be run: where its fit names one, the fit file is needed.

    Parameters
    ----------
    chain : Chain
    path : Path, optional
        The fit file, where it still exists.

    Raises
    ------
    ChainError
        If the chain says nothing of its fit, the fit needs a loose file, or the fit is another one than that
        which was sampled (another measurement, a changed likelihood); names what differs.
    FitErrors
        If a plug-in or its data are missing now.
    """
    where = str(chain.path)
    if not chain.config:
        raise ChainError(where, "does not say what was fitted", "name a chain of 'globalfit run'")
    likelihoods = chain.resolved.get("likelihoods", {})
    as_of = datetime.date.fromisoformat(str(chain.attributes["as_of"]))
    if path is None:
        _refuse_loose(where, chain.config, likelihoods)
    given = tomllib.loads(chain.config).get("likelihoods", {})
    more = [str(name) for name in likelihoods if name not in given]
    fit = _load(chain.config, path, more, as_of)
    differing = [
        key
        for key in {*fit.resolved, *chain.resolved} - {"sampler"}
        if fit.resolved.get(key) != chain.resolved.get(key)
    ]
    if differing:
        shown = ", ".join(f"'{key}'" for key in sorted(differing))
        raise ChainError(
            where, f"is of another fit than this one is now: {shown} differ", "run the fit anew, or --fit"
        )
    return fit


def _refuse_loose(where: str, config: str, likelihoods: dict[str, Any]) -> None:
    loose = [name for name, each in likelihoods.items() if ".py:" in str(each.get("class", ""))]
    loose += [
        name
        for name, each in tomllib.loads(config).get("likelihoods", {}).items()
        if isinstance(each, dict) and ".py:" in str(each.get("class", "")) and name not in loose
    ]
    if loose:
        raise ChainError(
            where, f"its likelihood '{loose[0]}' is a loose file, which a chain cannot load", "add --fit FIT"
        )


def _load(config: str, path: Path | None, more: list[str], as_of: datetime.date) -> Fit:
    if path is not None:
        return load_fit(path, likelihoods=more, as_of=as_of)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "stored-fit.toml"
        copy.write_text(config, encoding="utf-8")
        return load_fit(copy, likelihoods=more, as_of=as_of)
