"""The corner plot of a report."""

from __future__ import annotations

from globalfit.chains.chain import Chain
from globalfit.chains.clouds import Clouds, gather
from globalfit.report.drawing import Drawing

DRAWN = 40_000  # samples; enough at this size


def corner_shown(chain: Chain, discard: int, *, judged: bool = True) -> Clouds:
    """Return what is drawn of the sampled parameters; `judged` as in `globalfit.chains.clouds.gather`."""
    kept = (chain.steps - discard) * chain.walkers
    thin = chain.stride * max(1, kept // chain.stride // DRAWN)
    thin = max(1, min(thin, (chain.steps - discard) // 2))
    return gather([chain], discard=discard, thin=thin, judged=judged)


def corner_figure(shown: Clouds) -> Drawing:
    """Draw it."""
    import matplotlib as mpl

    from globalfit.chains.corner import draw

    with mpl.rc_context({"backend": "agg"}):
        import matplotlib.pyplot as plt

        figure = draw(shown)
        plt.close(figure)  # it lives on without a window
    names = ", ".join(axis.name for axis in shown.axes)
    alt = f"corner plot of {names}: regions that hold 68 and 95 % of the samples, the best sample as a star"
    return Drawing("corner", "Corner plot", alt, figure, dense=True)


def stamped(made: Drawing) -> Drawing:
    """Stamp the corner plot of a chain that is not converged."""
    from globalfit.chains.panels import stamp

    assert made.figure is not None
    stamp(made.figure, "NOT CONVERGED")
    return made
