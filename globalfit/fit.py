"""A fit: a posterior, how it is sampled, and the identity by which a chain recognises it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from globalfit.errors import SamplingError
from globalfit.identity import fingerprint
from globalfit.posterior import Posterior
from globalfit.tables import SamplerTable

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain
    from globalfit.sampling.run import Progress


@dataclass(frozen=True)
class Recipe:
    """How a fit was put together, so that a worker elsewhere can do the same; text and names only.

    Attributes
    ----------
    path, text : Path, str
        The fit file and its content.
    likelihoods, as_of
        What was given beside it.
    ensembles : int or None
        Number of ensembles in place of the file's.
    """

    path: Path
    text: str
    likelihoods: tuple[str, ...] = ()
    as_of: datetime.date | None = None
    ensembles: int | None = None

    def fit(self) -> Fit:
        """Return the fit.

        Raises
        ------
        FitErrors
            If a plug-in or a file that it names is missing here.
        """
        from globalfit.fitfile import read_fit

        fit = read_fit(self.path, self.text, self.likelihoods, self.as_of)
        return fit if self.ensembles is None else fit.with_ensembles(self.ensembles)


@dataclass(frozen=True)
class Fit:
    """A fit file, read: what to evaluate and how to sample it.

    Attributes
    ----------
    posterior : Posterior
        Callable on walker coordinates (n, dim).
    sampler : SamplerTable
        Settings of the sampler.
    as_of : datetime.date
        Date whose measurements are used.
    resolved : dict
        Everything the posterior and the chain depend on, in plain JSON types.
    defaults : dict
        Parameters the fit does not name, with what they take.
    warnings : tuple of str
        One-line remarks: slow likelihoods, what the model warns of.
    recipe : Recipe or None
        How it was put together, if from a file.
    """

    path: Path
    text: str
    posterior: Posterior
    sampler: SamplerTable
    as_of: datetime.date
    resolved: dict[str, Any]
    defaults: dict[str, str]
    warnings: tuple[str, ...] = ()
    recipe: Recipe | None = None

    def with_ensembles(self, ensembles: int) -> Fit:
        """Return the same fit with another number of ensembles.

        Raises
        ------
        SamplingError
            If that is not between 1 and 1000.
        """
        if not 1 <= ensembles <= 1000:
            raise SamplingError(
                "--ensembles", f"{ensembles} is no number of ensembles", "give one from 1 to 1000"
            )
        return replace(
            self,
            sampler=self.sampler.model_copy(update={"ensembles": ensembles}),
            resolved=self.resolved | {"sampler": self.resolved["sampler"] | {"ensembles": ensembles}},
            recipe=self.recipe and replace(self.recipe, ensembles=ensembles),
        )

    @property
    def fingerprint(self) -> str:
        """The sha256 of the canonical resolved fit; a chain is continued only by the fit that began it."""
        return fingerprint(self.resolved)

    def run(
        self,
        output: str | Path,
        *,
        steps: int | None = None,
        steps_more: int | None = None,
        target_ess: int | None = None,
        fresh: bool = False,
        sync: Literal["step", "second", "none"] = "second",
        break_lock: bool = False,
        ensembles: int | None = None,
        only_ensemble: int | None = None,
        engine: str | None = None,
        workers: int | None = None,
        scheduler: str | None = None,
        scheduler_file: str | Path | None = None,
        accept_version_change: bool = False,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda line: None,
    ) -> Chain:
        """Sample the posterior into the HDF5 file `output`, or continue what is there.

        Parameters
        ----------
        output : path
            The chain file.
        steps : int, optional
            Total number of stored steps per walker; the target is then ignored.
        steps_more : int, optional
            Steps per walker to add to what is there.
        target_ess : int, optional
            Effective samples at which to stop, instead of the fit file's target.
        fresh : bool
            Move an existing chain aside instead of continuing it.
        sync : {"step", "second", "none"}
            When stored steps are forced to the disk: each block of steps, once a second, or when the system
            likes. It matters for a power cut; the death of the process loses nothing stored.
        break_lock : bool
            Take over the chain from a writer on another host, which has to be dead.
        ensembles : int, optional
            Number of independent ensembles, in place of the fit's.
        only_ensemble : int, optional
            Sample this one of them alone, counted from 0: the part of one job of many. `globalfit merge` puts
            the files together.
        engine : {"serial", "processes", "dask"}, optional
            Who samples; see `sampling.engines.engine.open_engine`. It changes no bit of the chain.
        workers : int, optional
            Number of processes.
        scheduler, scheduler_file : str, path, optional
            Address of a Dask scheduler, or the file that holds it.
        accept_version_change : bool
            Continue a chain that was made with other versions of the packages; the chain says so.
        progress : callable, optional
            Called with a `Progress` after every block of steps, or stages of a tempered start.
        notice : callable, optional
            Called with one line if a chain is continued or moved aside, a worker lost, or, from a thread of
            its own, if nothing has been heard of an ensemble for long.

        Returns
        -------
        Chain
            The chain, open for reading.

        Raises
        ------
        ChainError
            If the file exists and is not a chain of this fit, the differing keys named; if another process
            writes it; if the disk is full or fails, nothing stored being lost.
        LikelihoodError
            If a likelihood breaks its contract; nothing is written then.
        SamplingError
            If no start can be found, or there is no such engine, ensemble or scheduler.
        KeyboardInterrupt
            If it is interrupted before every ensemble has made a step, or twice; what was stored is kept.
        """
        from globalfit.chains.chain import Chain
        from globalfit.chains.room import lack_of_room
        from globalfit.chains.store import open_store
        from globalfit.sampling.beginning import told
        from globalfit.sampling.engines.engine import open_engine
        from globalfit.sampling.run import run
        from globalfit.smoke import smoke_test

        does = open_engine(
            engine, workers=workers, scheduler=scheduler, scheduler_file=scheduler_file, notice=notice
        )
        fit = self if ensembles is None else self.with_ensembles(ensembles)
        with open_store(
            Path(output), fit, fresh=fresh, sync=sync, break_lock=break_lock, only=only_ensemble,
            engine=does.name, accept_versions=accept_version_change,
        ) as store:  # fmt: skip
            if len(store.states) < len(store.ensembles):
                smoke_test(fit.posterior)
            if store.moved:
                notice(f"moved the old chain to {store.moved}")
            for line in store.notices:
                notice(line)
            more = steps_more or max((steps or fit.sampler.steps or 0) - store.steps, 0)
            if line := lack_of_room(Path(output), fit, more, len(store.ensembles)):
                notice(line)
            if store.populations:
                reached = {k: (each.stage, each.beta) for k, each in store.populations.items()}
                notice(f"continuing the start of {output}: {told(reached, fit.sampler.ensembles)}")
            if store.steps:
                notice(f"continuing {output} after {store.steps} steps")
            run(
                fit, store, steps=steps, steps_more=steps_more, target_ess=target_ess, progress=progress,
                engine=does, notice=notice,
            )  # fmt: skip
        return Chain.open(output)
