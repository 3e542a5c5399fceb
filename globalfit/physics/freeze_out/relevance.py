"""Which forbidden channels can matter, from a few values of their rate.

A channel that opens above the pair at rest annihilates like exp(-(e_0 - 2) x): most do nothing by the time
their point leaves equilibrium. Its thermal average is estimated with the largest numerator N within a few T
of its threshold, the propagator at its smallest there, and the narrow-width peak of a pole above it. Within
a factor of ten the estimate is right for any shape; it only has to sort out what is many orders below.
"""

from __future__ import annotations

from math import pi
from typing import Final

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.physics.freeze_out.annihilation import Channel
from globalfit.physics.freeze_out.elementary import exp

SPREAD: Final = np.array([0.3, 1.5, 5.0])  # (sqrt s - threshold)/T at which the numerator is looked at
NEGLIGIBLE: Final = 1e-7  # of what is open, by the estimate


def relevant(m: Array, x_first: Array, channel: Channel, x: Array, others: Array) -> Mask:
    """Return whether a channel may contribute (r,), at any of the temperatures `x` (t,).

    Parameters
    ----------
    m : array (r,)
        Mass of the lightest particle in MeV, at the channel's points.
    x_first : array (r,)
        m/T from which it would matter.
    others : array (r, t)
        e^{2x} int de w K1((2 + e) x) of what it adds to, infinite where it does not matter.
    """
    threshold = channel.threshold / m
    energy = threshold[:, None] + SPREAD / x_first[:, None]
    pole = channel.resonance
    if pole is not None:
        place = np.maximum(pole.mass / m, threshold)
        energy = np.concatenate([energy, place[:, None]], axis=1)
    numerator = np.abs(channel.rate(m[:, None] * energy))
    size = numerator.max(axis=1)
    if pole is not None:
        # |D|^2 is smallest at the threshold, or at the pole, which is counted on its own
        start = m * threshold
        size /= ((start - pole.mass) * (start + pole.mass)) ** 2 + (pole.mass * pole.width) ** 2 + 1e-300
    ln_kernel = (2.0 - threshold)[:, None] * x - 1.5 * np.log(x)
    limit = NEGLIGIBLE * others
    found: Mask = (size[:, None] * exp(ln_kernel) > limit).any(axis=1)
    if pole is not None:
        # int dsqrt(s)/|D|^2 = pi/(2 M^2 Gamma)
        width = np.maximum(pole.width, 1e-16 * pole.mass)
        peak = np.where(
            pole.mass / m > threshold, numerator[:, -1] * pi / (2.0 * pole.mass**2 * width * m), 0.0
        )
        ln_kernel = (2.0 - place)[:, None] * x - 0.5 * np.log(x)
        found |= (peak[:, None] * exp(ln_kernel) > limit).any(axis=1)
    return found
