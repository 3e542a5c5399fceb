"""A fit: a posterior, how it is sampled, and the identity by which a chain recognises it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from globalfit.identity import fingerprint
from globalfit.posterior import Posterior
from globalfit.tables import SamplerTable

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain
    from globalfit.sampling.run import Progress


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
    """

    path: Path
    text: str
    posterior: Posterior
    sampler: SamplerTable
    as_of: datetime.date
    resolved: dict[str, Any]
    defaults: dict[str, str]
    warnings: tuple[str, ...] = ()

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
        progress : callable, optional
            Called with a `Progress` after every block of steps.
        notice : callable, optional
            Called with one line if a chain is continued or moved aside.

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
            If no start can be found.
        """
        from globalfit.chains.chain import Chain
        from globalfit.chains.store import open_store
        from globalfit.sampling.run import run
        from globalfit.smoke import smoke_test

        with open_store(Path(output), self, fresh=fresh, sync=sync, break_lock=break_lock) as store:
            if store.state is None:
                smoke_test(self.posterior)
            if store.moved:
                notice(f"moved the old chain to {store.moved}")
            for line in store.notices:
                notice(line)
            if store.steps:
                notice(f"continuing {output} after {store.steps} steps")
            run(self, store, steps=steps, steps_more=steps_more, target_ess=target_ess, progress=progress)
        return Chain.open(output)
