"""Reading a chain file: samples by name, with what the file says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.places import journal_of
from globalfit.chains.tables import Row, read_table, read_text
from globalfit.chains.untrusted import MAX_BYTES, check_chain
from globalfit.errors import ChainError, did_you_mean
from globalfit.sampling.stopping import Verdict

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain, read into memory; no plug-in is needed.

    Attributes
    ----------
    path : Path
        The file.
    names : tuple of str
        Sampled parameters.
    values : (steps, walkers, dim)
        Their physical values.
    log_prob : (steps, walkers)
        ln posterior density of the physical values.
    blobs : structured (steps, walkers)
        ``lnprior``, ``ll_<likelihood>``, ``d_<derived quantity>``.
    accepted : (walkers,)
        Accepted proposals.
    parameters, likelihoods, derived : list of dict
        Tables of the file.
    config, resolved, run, environment, warnings
        The fit file as given, the resolved fit, seed and segments of the run, versions, remarks.
    """

    path: Path
    names: tuple[str, ...]
    values: Array
    log_prob: Array
    blobs: np.ndarray[Any, Any]
    accepted: Array
    parameters: list[Row]
    likelihoods: list[Row]
    derived: list[Row]
    config: str
    resolved: dict[str, Any]
    run: dict[str, Any]
    environment: dict[str, str]
    warnings: list[str]
    attributes: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path, *, names: Sequence[str] = (), max_bytes: int | None = MAX_BYTES) -> Chain:
        """Read a chain file, finished or while a run goes on, which it does not disturb.

        Parameters
        ----------
        path : path
            A file of `globalfit run`, or one of emcee's HDFBackend.
        names : sequence of str, optional
            Names of the parameters of a file of emcee, which holds none; x0, x1, ... by default.
        max_bytes : int, optional
            Bytes the file may hold uncompressed.

        Raises
        ------
        ChainError
            If it is missing, is no chain, is damaged, is not safe to read, or holds no step.
        """
        path = Path(path)
        if not path.exists() and journal_of(path).exists():
            raise ChainError(str(path), "is missing, but its journal is there", "'globalfit run' rebuilds it")
        if not path.is_file():
            raise ChainError(str(path), "is not a file", "name a chain, such as the -o of 'globalfit run'")
        remedy = "name a chain that 'globalfit run' wrote, copied whole"
        with open_file(path, remedy, foreign=True, max_bytes=max_bytes) as file:
            steps = check_chain(file["mcmc"], str(path))
            if steps < 1:
                raise ChainError(str(path), "holds no step yet", "continue it with 'globalfit run'")
            if "globalfit" not in file:
                return cls._read_emcee(path, file["mcmc"], steps, tuple(names))
            chain = cls._read(path, file, steps)
        if names and tuple(names) != chain.names:
            raise ChainError(
                str(path), f"has its own names: {', '.join(chain.names)}", "names are for files of emcee"
            )
        chain._check_values()
        return chain

    @classmethod
    def _read(cls, path: Path, file: h5py.File, steps: int) -> Chain:
        mcmc, group = file["mcmc"], file["globalfit"]
        parameters = read_table(group, "parameters")
        return cls(
            path=path,
            names=tuple(row["name"] for row in parameters if row["role"] == "sampled"),
            values=mcmc["chain"][:steps],
            log_prob=mcmc["log_prob"][:steps],
            blobs=mcmc["blobs"][:steps],
            accepted=mcmc["accepted"][()],
            parameters=parameters,
            likelihoods=read_table(group, "likelihoods"),
            derived=read_table(group, "derived"),
            config=read_text(group, "config"),
            resolved=json.loads(read_text(group, "config_resolved")),
            run=json.loads(read_text(group, "run")),
            environment=json.loads(read_text(group, "environment")),
            warnings=json.loads(read_text(group, "warnings")),
            attributes={name: _plain(value) for name, value in group.attrs.items()},
        )

    @classmethod
    def _read_emcee(cls, path: Path, mcmc: h5py.Group, steps: int, names: tuple[str, ...]) -> Chain:
        walkers, dim = mcmc["chain"].shape[1:]
        names = names or tuple(f"x{i}" for i in range(dim))
        if len(names) != dim or len(set(names)) != dim:
            raise ChainError(str(path), f"has {dim} parameters", f"give {dim} different names")
        blank = {"label": "", "unit": "", "role": "sampled", "prior": "", "scale": "linear", "tied": ""}
        numbers = {"low": np.nan, "high": np.nan, "value": np.nan}
        blobs = mcmc["blobs"][:steps] if "blobs" in mcmc else np.zeros((steps, walkers, 0))
        if not blobs.dtype.names:
            columns = np.asarray(blobs, dtype=np.float64).reshape(steps, walkers, -1)
            blobs = np.zeros((steps, walkers), dtype=[(f"blob{i}", "f8") for i in range(columns.shape[2])])
            for i in range(columns.shape[2]):
                blobs[f"blob{i}"] = columns[:, :, i]
        chain = cls(
            path=path,
            names=names,
            values=mcmc["chain"][:steps],
            log_prob=mcmc["log_prob"][:steps],
            blobs=blobs,
            accepted=mcmc["accepted"][()],
            parameters=[{"name": name} | blank | numbers for name in names],
            likelihoods=[],
            derived=[],
            config="",
            resolved={},
            run={"seed": None, "engine": "emcee", "segments": []},
            environment={"emcee": str(mcmc.attrs.get("version", "unknown"))},
            warnings=["a file of emcee: it says nothing of what was fitted, and is read only"],
            attributes={"model": "", "as_of": "", "complete": True},
        )
        chain._check_values()
        return chain

    def _check_values(self) -> None:
        """Refuse samples that no run can have stored."""
        if self.values.shape[2] != len(self.names):
            raise ChainError(
                str(self.path),
                f"names {len(self.names)} of {self.values.shape[2]} parameters",
                "see its source",
            )
        bad = ~np.isfinite(self.values).all(axis=2) | ~np.isfinite(self.log_prob)
        problem = "a number that is not finite"
        if not bad.any():
            problem = "a sample outside its prior"
            for i, name in enumerate(self.names):
                low, high = self.row(name)["low"], self.row(name)["high"]
                edge = 1e-9 * np.maximum(abs(low), abs(high)) if np.isfinite(high - low) else 0.0
                with np.errstate(invalid="ignore"):
                    bad |= (self.values[..., i] < low - edge) | (self.values[..., i] > high + edge)
        if bad.any():
            step, walker = np.argwhere(bad)[0]
            raise ChainError(
                str(self.path), f"holds {problem} at step {step}, walker {walker}", "restore a copy"
            )

    @property
    def steps(self) -> int:
        """Stored steps per walker."""
        return len(self.values)

    @property
    def walkers(self) -> int:
        """Number of walkers."""
        return len(self.accepted)

    @property
    def interrupted(self) -> bool:
        """True if the last stretch of the run was interrupted."""
        segments = self.run["segments"]
        return (
            bool(segments) and segments[-1]["reason"] == "interrupted" and segments[-1]["stop"] == self.steps
        )

    @property
    def acceptance(self) -> float:
        """Mean share of accepted proposals."""
        return float(self.accepted.mean() / self.steps)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the chain is converged, with autocorrelation times and the steps to discard."""
        return self.assess()

    def assess(self, discard: int | None = None) -> Verdict:
        """Judge the chain with `discard` steps left out; by default their number is chosen from the chain."""
        if discard is not None:
            self._refuse_discard(discard)
        from globalfit.chains.diagnostics import judge

        return judge(self, discard)

    @cached_property
    def discard(self) -> int:
        """Steps to leave out at the start, chosen from the chain."""
        from globalfit.chains.diagnostics import burn_in_of

        return burn_in_of(self)

    def _refuse_discard(self, discard: int) -> None:
        if not 0 <= discard < self.steps:
            raise ChainError(
                str(self.path), f"discard = {discard} leaves nothing of {self.steps} steps", "discard fewer"
            )

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names that `get` knows: sampled parameters, derived quantities, ``ll_*`` and ``lnprior``."""
        fields: tuple[str, ...] = self.blobs.dtype.names or ()
        return (*self.names, *(field.removeprefix("d_") for field in fields))

    def get(self, name: str, *, discard: int | None = None, flat: bool = True) -> Array:
        """Return the samples of a parameter, a derived quantity, ``ll_*``, ``lnprior`` or ``log_prob``.

        Parameters
        ----------
        name : str
            What to return.
        discard : int, optional
            Steps left out at the start; the verdict's by default.
        flat : bool
            One axis (steps x walkers), or two (steps, walkers).

        Raises
        ------
        ChainError
            If there is no such quantity, or `discard` leaves nothing.
        """
        discard = self.discard if discard is None else discard
        self._refuse_discard(discard)
        samples = self._all(name)[discard:]
        return samples.reshape(-1) if flat else samples

    def _all(self, name: str) -> Array:
        if name in self.names:
            return self.values[..., self.names.index(name)]
        if name == "log_prob":
            return self.log_prob
        fields: tuple[str, ...] = self.blobs.dtype.names or ()
        for field in (name, f"d_{name}"):
            if field in fields:
                column: Array = self.blobs[field]
                return column
        raise ChainError(
            str(self.path), f"has no quantity '{name}'", did_you_mean(name, (*self.quantities, "log_prob"))
        )

    def row(self, name: str) -> Row:
        """Return the table row of a parameter or derived quantity."""
        for row in (*self.parameters, *self.derived):
            if row["name"] == name:
                return row
        return {"name": name, "label": "", "unit": "", "scale": "linear", "low": np.nan, "high": np.nan}

    def best(self) -> dict[str, float]:
        """Return every stored quantity at the sample with the highest ln likelihood."""
        total = sum(
            (self.blobs[f"ll_{row['name']}"] for row in self.likelihoods), np.zeros_like(self.log_prob)
        )
        total = total if self.likelihoods else self.log_prob
        step, walker = np.unravel_index(int(np.argmax(total)), total.shape)
        return {name: float(self._all(name)[step, walker]) for name in self.quantities}

    def to_dataframe(self, *, discard: int | None = None) -> pandas.DataFrame:
        """Return the kept samples as a pandas DataFrame: parameters, ln posterior, and the blobs.

        Raises
        ------
        ChainError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ChainError(str(self.path), "to_dataframe needs pandas", "pip install pandas") from None
        names = (*self.names, "log_prob", *self.quantities[len(self.names) :])
        return pandas.DataFrame({name: self.get(name, discard=discard) for name in names})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
