"""Detector volumes as simple bodies, and low-discrepancy points inside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array

SIZES = {"sphere": 1, "cylinder": 2, "box": 3, "point": 0}


@dataclass(frozen=True)
class Volume:
    """A body: sphere (radius), cylinder (radius, length along z), box (x, y, z edges) or point; in m.

    `centre` is in the frame of the beam: z along the protons, origin at the target's upstream face.
    """

    shape: str
    centre: tuple[float, float, float]
    size: tuple[float, ...] = ()

    def points(self, u: Array) -> Array:
        """Return points (n, 3) evenly spread over the volume, from u (n, 3) in the unit cube."""
        centre: Array = np.asarray(self.centre, dtype=np.float64)
        if self.shape == "point":
            return np.broadcast_to(centre, (len(u), 3))
        if self.shape == "box":
            return np.asarray(centre + (u - 0.5) * np.asarray(self.size))
        azimuth = 2.0 * np.pi * u[:, 1]
        if self.shape == "cylinder":
            r, z = self.size[0] * np.sqrt(u[:, 0]), self.size[1] * (u[:, 2] - 0.5)
        else:
            radius, cosine = self.size[0] * np.cbrt(u[:, 0]), 2.0 * u[:, 2] - 1.0
            r, z = radius * np.sqrt(1.0 - cosine**2), radius * cosine
        return centre + np.column_stack((r * np.cos(azimuth), r * np.sin(azimuth), z))

    @property
    def volume(self) -> float:
        """Volume in m^3."""
        if self.shape == "box":
            return float(np.prod(self.size))
        if self.shape == "cylinder":
            return float(np.pi * self.size[0] ** 2 * self.size[1])
        return float(4.0 / 3.0 * np.pi * self.size[0] ** 3) if self.shape == "sphere" else 0.0
