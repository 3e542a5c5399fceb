"""Whether two sets of data agree: suspiciousness and Bayesian model dimensionality.

W. Handley, P. Lemos, Phys. Rev. D 100 (2019) 043504, arXiv:1902.04029; Phys. Rev. D 100 (2019) 023512,
arXiv:1903.06682. ln S = <ln L_AB>_AB - <ln L_A>_A - <ln L_B>_B does not depend on the widths of the priors as
long as they are wide; for Gaussian posteriors d - 2 ln S follows chi^2 with d degrees of freedom,
d = d_A + d_B - d_AB being the number of parameters that both constrain, d_X = 2 var(ln L_X).

Where an experiment is a thin shell in a wide prior, such as muon g-2 or the relic density, it constrains one
combination of parameters that nothing else does: d is 0 but for what 2 var(ln L) is of far from Gaussian
posteriors, below 0 too, and chi^2 of no degrees of freedom is no p. What remains is how
surprising its data are to the others: `globalfit.analysis.surprise`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from scipy.special import ndtri
from scipy.stats import chi2

from globalfit.analysis.draws import Draws
from globalfit.analysis.parts import parts, sample_parts
from globalfit.analysis.surprise import surprise
from globalfit.arrays import strict
from globalfit.fit import Fit

LEAST = 0.1  # of d, below which nothing is constrained by both


@dataclass(frozen=True)
class Tension:
    """How well two sets of data agree.

    Attributes
    ----------
    one, other : str
        What they are called.
    log_suspiciousness : float
        ln S; negative in tension.
    dimensions : float
        Parameters that both constrain.
    p : float
        Chance of a worse agreement; nan where nothing is constrained by both (d < `LEAST`).
    sigma : float
        The same in two-sided Gaussian standard deviations.
    log_r : float or None
        ln of the ratio of evidences Z_AB/(Z_A Z_B), which does depend on the priors.
    p_data : float or None
        Of the data of `one` as the other side predicts them; see `globalfit.analysis.surprise`. None where it
        cannot draw data, or shares no parameter.
    """

    one: str
    other: str
    log_suspiciousness: float
    dimensions: float
    p: float
    sigma: float
    log_r: float | None = None
    p_data: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(asdict(self))
        return found


def tension(both: Draws, one: Draws, other: Draws, names: tuple[str, str] = ("A", "B")) -> Tension:
    """Return the tension between two sets of data.

    Parameters
    ----------
    both, one, other : Draws
        Of the posteriors with both sets of data, and with each alone, under the same prior.
    names : (str, str)
        What to call the two.
    """
    log_s = float(both.log_likelihood.mean() - one.log_likelihood.mean() - other.log_likelihood.mean())
    d = dimensionality(one) + dimensionality(other) - dimensionality(both)
    p = float(chi2.sf(max(d - 2.0 * log_s, 0.0), d)) if d >= LEAST else math.nan
    sigma = max(float(-ndtri(0.5 * p)), 0.0) if math.isfinite(p) else math.nan
    log_r = None
    if both.log_evidence is not None and one.log_evidence is not None and other.log_evidence is not None:
        log_r = both.log_evidence - one.log_evidence - other.log_evidence
    return Tension(*names, log_s, d, p, sigma, log_r)


def tensions(fit: Fit, **options: Any) -> list[Tension]:
    """Return the tension of each experiment of a fit with the rest.

    Only the component of the posterior that the experiment belongs to is sampled: what the others say is the
    same with it and without, and drops out of ln S and d.

    Parameters
    ----------
    fit : Fit
    **options
        Of the tempered runs; see `globalfit.analysis.parts.sample_parts`.
    """
    home = {name: part for part in parts(fit.posterior) for name in part.likelihoods}
    shared = {name: part for name, part in home.items() if part.without(name)}
    wanted = [
        side for name, part in shared.items() for side in (part.likelihoods, (name,), part.without(name))
    ]
    done = sample_parts(fit, wanted, **options)
    found = []
    for name in fit.posterior.likelihoods:
        if name in shared:
            part = shared[name]
            rest = part.without(name)
            label = rest[0] if len(fit.posterior.likelihoods) == 2 else "the rest"
            sides = done[part.likelihoods], done[(name,)], done[rest]
            found.append(_with_data(fit, tension(*sides, (name, label)), done[rest], options))
        else:
            found.append(Tension(name, "the rest", 0.0, 0.0, math.nan, math.nan, 0.0))
    return found


def pair(fit: Fit, one: str, other: str, **options: Any) -> Tension:
    """Return the tension between two experiments of a fit; options as in `tensions`."""
    both = tuple(name for name in fit.posterior.likelihoods if name in (one, other))
    done = sample_parts(fit, [both, (one,), (other,)], **options)
    found = tension(done[both], done[(one,)], done[(other,)], (one, other))
    return _with_data(fit, found, done[(other,)], options)


def _with_data(fit: Fit, found: Tension, others: Draws, options: Mapping[str, Any]) -> Tension:
    p = surprise(fit.posterior, found.one, others, int(options.get("seed", 1)))
    return replace(found, p_data=p)


def dimensionality(draws: Draws) -> float:
    """Return the number of parameters that the data constrain: 2 var(ln L)."""
    return 2.0 * float(draws.log_likelihood.var())
