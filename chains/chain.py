"""Reading a chain file: samples by name, with what the file says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.places import journal_of
from globalfit.chains.samples import Blobs, Held, Part, Piece, Place, Samples, Stored
from globalfit.chains.tables import Row, read_table, read_text
from globalfit.chains.untrusted import MAX_BYTES, check_chain
from globalfit.errors import ChainError, did_you_mean
from globalfit.sampling.stopping import Verdict

if TYPE_CHECKING:
    import pandas

MEMORY = 256 << 20  # bytes of samples held at once; a chain up to this size is in memory as a whole
EXACT = 2 << 30  # bytes of a chain up to which intervals are taken from every step


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain: samples by name, and what the file says of itself. No plug-in is needed.

    A chain of up to 256 MiB is in memory; a longer one is read in pieces whenever it is asked, from a file
    that is kept open (`close`, or ``with Chain.open(...) as chain``).

    Attributes
    ----------
    path : Path
        The file.
    names : tuple of str
        Sampled parameters.
    samples : Samples
        All steps: of the parameters (physical values), of the ln posterior, and of the blobs ``lnprior``,
        ``ll_<likelihood>``, ``d_<derived quantity>``.
    accepted : (walkers,)
        Accepted proposals.
    walker_ensemble : (walkers,)
        Number of the ensemble a walker belongs to.
    parameters, likelihoods, derived : list of dict
        Tables of the file.
    config, resolved, run, environment, warnings
        The fit file as given, the resolved fit, seed and segments of the run, versions, remarks.
    named : bool
        False for a file of emcee to which no names were given.
    max_bytes : int or None
        Bytes that one call may put into memory.
    nulls : list of dict
        Of each experiment without new physics: ``log_likelihood``, ``log_evidence`` (nan without a null) and
        the ``reason``, as of when the chain began; see `null.Null`. Empty for older chains.
    """

    path: Path
    names: tuple[str, ...]
    samples: Samples
    accepted: Array
    walker_ensemble: np.ndarray[Any, np.dtype[np.int64]]
    parameters: list[Row]
    likelihoods: list[Row]
    derived: list[Row]
    config: str
    resolved: dict[str, Any]
    run: dict[str, Any]
    environment: dict[str, str]
    warnings: list[str]
    attributes: dict[str, Any]
    named: bool = True
    max_bytes: int | None = MAX_BYTES
    nulls: list[Row] = field(default_factory=list)
    _columns: dict[str, Array] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(cls, path: str | Path, *, names: Sequence[str] = (), max_bytes: int | None = MAX_BYTES) -> Chain:
        """Open a chain file, finished or while a run goes on, which it does not disturb.

        All samples are looked at once, in pieces: they have to be finite and inside their priors.

        Parameters
        ----------
        path : path
            A file of `globalfit run`, or one of emcee's HDFBackend.
        names : sequence of str, optional
            Names of the parameters of a file of emcee, which holds none; x0, x1, ... by default.
        max_bytes : int, optional
            Bytes of samples that one call, such as `get`, may put into memory; the file may be larger.

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
        with open_file(path, remedy, foreign=True, keep=True) as file:
            steps = check_chain(file["mcmc"], str(path))
            if steps < 1:
                raise ChainError(str(path), "holds no step yet", "continue it with 'globalfit run'")
            samples: Samples = Stored(file, str(path), steps)
            if samples.bytes <= (MEMORY if max_bytes is None else min(MEMORY, max_bytes)):
                samples = Held(*(samples.whole(part) for part in ("values", "log_prob", "blobs")))
            numbers: dict[str, Any] = {"samples": samples, "max_bytes": max_bytes}
            numbers["accepted"] = file["mcmc/accepted"][()]
            numbers["walker_ensemble"] = (
                file["mcmc/walker_ensemble"][()].astype(np.int64)
                if "walker_ensemble" in file["mcmc"]
                else np.zeros(samples.shape[1], dtype=np.int64)
            )
            if "globalfit" in file:
                chain = cls(path=path, **_described(file["globalfit"]), **numbers)
                if names and tuple(names) != chain.names:
                    own = f"has its own names: {', '.join(chain.names)}"
                    raise ChainError(str(path), own, "names are for files of emcee")
            else:
                version = str(file["mcmc"].attrs.get("version", "unknown"))
                chain = cls(**_undescribed(path, samples.shape[2], tuple(names), version), **numbers)
            chain._check()
            if isinstance(samples, Held):
                file.close()
        return chain

    @classmethod
    def from_arrays(cls, *, values: Array, log_prob: Array, blobs: Blobs, **rest: Any) -> Chain:
        """Return a chain of arrays: (steps, walkers, dim), (steps, walkers) and structured (steps, walkers).

        `rest` are the other attributes; without `walker_ensemble` there is one ensemble.
        """
        ensemble = np.zeros(values.shape[1], dtype=np.int64)
        given: dict[str, Any] = {"samples": Held(values, log_prob, blobs), "walker_ensemble": ensemble}
        return cls(**(given | rest))

    def close(self) -> None:
        """Close the file of a chain that is not in memory."""
        if isinstance(self.samples, Stored):
            self.samples.file.close()

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        """Refuse a chain that lacks a quantity it names, and samples that no run can have stored."""
        where, dim = str(self.path), self.samples.shape[2]
        if dim != len(self.names):
            raise ChainError(where, f"names {len(self.names)} of {dim} parameters", "see its source")
        wanted = [f"ll_{row['name']}" for row in self.likelihoods] + [
            f"d_{row['name']}" for row in self.derived
        ]
        for name in wanted:
            if name not in self.samples.fields:
                raise ChainError(where, f"is damaged: the blobs lack '{name}'", "restore a copy")
        for piece in self.samples.pieces(parts=("values", "log_prob")):
            self._check_piece(piece)

    def _check_piece(self, piece: Piece) -> None:
        bad = ~np.isfinite(piece.values).all(axis=2) | ~np.isfinite(piece.log_prob)
        problem = "a number that is not finite"
        if not bad.any():
            problem = "a sample outside its prior"
            for i, name in enumerate(self.names):
                low, high = self.row(name)["low"], self.row(name)["high"]
                edge = 1e-9 * np.maximum(abs(low), abs(high)) if np.isfinite(high - low) else 0.0
                with np.errstate(invalid="ignore"):
                    bad |= (piece.values[..., i] < low - edge) | (piece.values[..., i] > high + edge)
        if bad.any():
            step, walker = np.argwhere(bad)[0]
            step += piece.begin
            raise ChainError(
                str(self.path), f"holds {problem} at step {step}, walker {walker}", "restore a copy"
            )

    @property
    def values(self) -> Array:
        """Physical values of the sampled parameters, (steps, walkers, dim), all in memory."""
        found: Array = self._whole("values")
        return found

    @property
    def log_prob(self) -> Array:
        """Ln posterior density of the physical values, (steps, walkers), all in memory."""
        found: Array = self._whole("log_prob")
        return found

    @property
    def blobs(self) -> Blobs:
        """The blobs, structured (steps, walkers), all in memory."""
        found: Blobs = self._whole("blobs")
        return found

    def _whole(self, part: Part) -> Any:
        width = {"values": len(self.names), "log_prob": 1, "blobs": len(self.samples.fields)}[part]
        self._admit(part, 8 * self.steps * self.walkers * width)
        return self.samples.whole(part)

    def _admit(self, what: str, size: int) -> None:
        """Refuse to put more into memory than is allowed."""
        if self.max_bytes is not None and size > self.max_bytes and not isinstance(self.samples, Held):
            raise ChainError(
                str(self.path),
                f"{what} takes {size} bytes of memory; {self.max_bytes} are allowed",
                "take every n-th step (thin), or Chain.open(path, max_bytes=...)",
            )

    @property
    def steps(self) -> int:
        """Stored steps per walker."""
        return self.samples.shape[0]

    @property
    def walkers(self) -> int:
        """Number of walkers."""
        return self.samples.shape[1]

    @cached_property
    def ensembles(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Numbers of the independent ensembles, (K,), in order."""
        return np.unique(self.walker_ensemble)

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
        return (*self.names, *(field.removeprefix("d_") for field in self.samples.fields))

    @cached_property
    def stride(self) -> int:
        """Every `stride`-th step is enough for intervals and plots: 1 up to 2 GiB of samples.

        Of a longer chain so many steps are left out that 256 MiB remain, and 128 MiB of one quantity: more
        than a million samples of each.
        """
        if isinstance(self.samples, Held):
            return 1
        column = 8 * self.steps * self.walkers
        return max(
            -(-self.samples.bytes // MEMORY) if self.samples.bytes > EXACT else 1, -(-column // (MEMORY // 2))
        )

    def get(
        self,
        name: str,
        *,
        discard: int | None = None,
        thin: int = 1,
        flat: bool = True,
        by_ensemble: bool = False,
    ) -> Array:
        """Return the samples of a parameter, a derived quantity, ``ll_*``, ``lnprior`` or ``log_prob``.

        Parameters
        ----------
        name : str
            What to return.
        discard : int, optional
            Steps left out at the start; the verdict's by default.
        thin : int
            Keep the steps whose number, counted from 0 at the start of the chain, is a multiple of this.
        flat : bool
            One axis (steps x walkers), or two (steps, walkers).
        by_ensemble : bool
            Three axes (ensembles, steps, walkers of one), whatever `flat` says.

        Raises
        ------
        ChainError
            If there is no such quantity, `discard` or `thin` leaves nothing, the ensembles differ in size, or
            it is more than `max_bytes`.
        """
        place = self.place(name)
        begin = self.first(discard, thin)
        samples = self._column(name, place, begin, thin)
        if by_ensemble:
            counts = np.unique(self.walker_ensemble, return_counts=True)[1]
            if len(set(counts.tolist())) > 1:
                raise ChainError(str(self.path), "its ensembles differ in size", "take them one by one")
            order = np.argsort(self.walker_ensemble, kind="stable")
            return samples[:, order].reshape(len(samples), len(counts), -1).transpose(1, 0, 2)
        return samples.reshape(-1) if flat else samples

    def first(self, discard: int | None = None, thin: int = 1) -> int:
        """Return the first step that is kept.

        Raises
        ------
        ChainError
            If none is.
        """
        discard = self.discard if discard is None else discard
        self._refuse_discard(discard)
        begin = -(-discard // thin) * thin if thin > 0 else self.steps
        if begin >= self.steps or thin >= max(self.steps, 2):
            left = f"thin = {thin} leaves nothing of {self.steps} steps" + f", {discard} discarded" * (
                discard > 0
            )
            raise ChainError(str(self.path), left, "leave fewer out")
        return begin

    def place(self, name: str) -> Place:
        """Return where a quantity is among the samples.

        Raises
        ------
        ChainError
            If there is none of this name.
        """
        if name in self.names:
            return "values", self.names.index(name)
        if name == "log_prob":
            return "log_prob", 0
        for each in (name, f"d_{name}"):
            if each in self.samples.fields:
                return "blobs", each
        raise ChainError(
            str(self.path), f"has no quantity '{name}'", did_you_mean(name, (*self.quantities, "log_prob"))
        )

    def _column(self, name: str, place: Place, begin: int, thin: int) -> Array:
        """Return the multiples of `thin` from `begin` on, (steps, walkers)."""
        if isinstance(self.samples, Held):
            (piece,) = self.samples.pieces()
            return piece.column(place)[begin::thin]
        stored = -(-self.steps // thin) * self.walkers * 8
        self._admit(f"'{name}'", stored)
        if thin % self.stride:
            return self.samples.read([place], begin=begin, thin=thin)[0]
        if name not in self._columns:  # with its neighbours, as many as may be held, in one pass
            every = (*self.names, "log_prob", *self.quantities[len(self.names) :])
            column = -(-self.steps // self.stride) * self.walkers * 8
            at = every.index(name) if name in every else every.index(name.removeprefix("d_"))
            group = [name, *every[at + 1 :][: max(0, MEMORY // column - 1)]]
            self._columns.clear()
            found = self.samples.read([self.place(each) for each in group], thin=self.stride)
            self._columns.update(zip(group, found, strict=True))
        return self._columns[name][begin // self.stride :: thin // self.stride]

    def row(self, name: str) -> Row:
        """Return the table row of a parameter or derived quantity."""
        for row in (*self.parameters, *self.derived):
            if row["name"] == name:
                return row
        return {"name": name, "label": "", "unit": "", "scale": "linear", "low": np.nan, "high": np.nan}

    def best(self) -> dict[str, float]:
        """Return every stored quantity at the sample with the highest ln likelihood."""
        return dict(self._best)

    @cached_property
    def _best(self) -> dict[str, float]:
        fields = [f"ll_{row['name']}" for row in self.likelihoods]
        highest, found = -np.inf, (0, 0)
        for piece in self.samples.pieces(parts=("blobs",) if fields else ("log_prob",)):
            total = (
                sum(
                    (piece.column(("blobs", each)) for each in fields[1:]), piece.column(("blobs", fields[0]))
                )
                if fields
                else piece.log_prob
            )
            step, walker = np.unravel_index(int(np.argmax(total)), total.shape)
            if total[step, walker] > highest:
                highest, found = float(total[step, walker]), (piece.begin + int(step), int(walker))
        (row,) = self.samples.pieces(found[0], found[0] + 1)
        return {name: float(row.column(self.place(name))[0, found[1]]) for name in self.quantities}

    def to_dataframe(self, *, discard: int | None = None, thin: int = 1) -> pandas.DataFrame:
        """Return the kept samples as a pandas DataFrame: parameters, ln posterior, and the blobs.

        For `discard` and `thin` see `get`.

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
        begin = self.first(discard, thin)
        self._admit("the table", 8 * -(-(self.steps - begin) // thin) * self.walkers * len(names))
        columns = self.samples.read([self.place(name) for name in names], begin=begin, thin=thin)
        return pandas.DataFrame(
            {name: column.reshape(-1) for name, column in zip(names, columns, strict=True)}
        )


def _described(group: h5py.Group) -> dict[str, Any]:
    """Return what a file says of itself."""
    parameters = read_table(group, "parameters")
    return {
        "names": tuple(row["name"] for row in parameters if row["role"] == "sampled"),
        "parameters": parameters,
        "likelihoods": read_table(group, "likelihoods"),
        "derived": read_table(group, "derived"),
        "nulls": read_table(group, "nulls") if "nulls" in group else [],
        "config": read_text(group, "config"),
        "resolved": json.loads(read_text(group, "config_resolved")),
        "run": json.loads(read_text(group, "run")),
        "environment": json.loads(read_text(group, "environment")),
        "warnings": json.loads(read_text(group, "warnings")),
        "attributes": {name: _plain(value) for name, value in group.attrs.items()},
    }


def _undescribed(path: Path, dim: int, names: tuple[str, ...], version: str) -> dict[str, Any]:
    """Return the same of a file of emcee, which says nothing."""
    given = names or tuple(f"x{i}" for i in range(dim))
    if len(given) != dim or len(set(given)) != dim:
        raise ChainError(str(path), f"has {dim} parameters", f"give {dim} different names")
    blank = {"label": "", "unit": "", "role": "sampled", "prior": "", "scale": "linear", "tied": ""}
    numbers = {"low": np.nan, "high": np.nan, "value": np.nan}
    return {
        "path": path,
        "names": given,
        "parameters": [{"name": name} | blank | numbers for name in given],
        "likelihoods": [],
        "derived": [],
        "config": "",
        "resolved": {},
        "run": {"seed": None, "engine": "emcee", "segments": []},
        "environment": {"emcee": version},
        "warnings": ["a file of emcee: it says nothing of what was fitted, and is read only"],
        "attributes": {"model": "", "as_of": "", "complete": True},
        "named": bool(names),
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
