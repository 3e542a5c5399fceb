"""An observable of constant, real coefficients as a quadratic form or a ratio of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.flavour.operators import monomials
from globalfit.physics.wilson import Lepton, Strengths


@dataclass(frozen=True, eq=False)
class Rational:
    """N(x) / D(x) with quadratic forms of x = (1, coefficients at 4.8 GeV).

    Parameters
    ----------
    variables : tuple of (lepton, operator)
        The p - 1 coefficients.
    numerator, denominator : ndarray (p (p + 1) / 2,)
        Monomial coefficients; a plain form has the denominator 1.
    """

    variables: tuple[tuple[Lepton, str], ...]
    numerator: Array
    denominator: Array

    def __call__(self, coefficients: Mapping[Lepton, Strengths], n: int) -> Array:
        """Return the observable (n,)."""
        x = np.zeros((n, 1 + len(self.variables)))
        x[:, 0] = 1.0
        for column, (lepton, operator) in enumerate(self.variables, start=1):
            if operator in coefficients.get(lepton, {}):
                x[:, column] = coefficients[lepton][operator].real
        products = monomials(x)
        return np.asarray((products @ self.numerator) / (products @ self.denominator))
