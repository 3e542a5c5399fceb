"""Any flavio observable: forms built on first use and kept, or flavio itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, ModelError, did_you_mean
from globalfit.likelihood import Prediction
from globalfit.likelihoods.flavour_measurements import (
    Measurement,
    correlated_asymmetric_gaussian,
    shipped_forms,
)
from globalfit.model import Point
from globalfit.physics.flavour.evaluate import rates, run
from globalfit.physics.wilson import WilsonCoefficients

if TYPE_CHECKING:
    from globalfit.build.environment import Flavio
    from globalfit.physics.flavour.forms import FlavourForms
    from globalfit.physics.flavour.rational import Rational

ENGINES = ("forms", "flavio")


@dataclass(frozen=True)
class FlavioObservable:
    """Observables and measurements by flavio's own names.

    On first use flavio (5-8 s to import) evaluates each observable at design points; the forms are kept in
    the user's cache folder and later runs do without flavio. Bin-averaged rates ``<dBR/dq2>(...)`` also take
    coefficients that depend on q^2; other observables need constant ones.

    Parameters
    ----------
    observables : tuple of str
        With arguments, as ``<dBR/dq2>(B+->Kmumu)(15,22)``.
    measurements : tuple of str
        Names of flavio's measurements; what they say on `observables` is used. None: predictions alone.
    engine : {"forms", "flavio"}
        Forms, or flavio at every point: slow (20-235 ms a point and observable), exact, for constant
        coefficients.
    error_theory : bool
        Take flavio's relative theory error in the Standard Model for every point, uncorrelated. It
        understates the error of ratios away from the Standard Model; the shipped likelihoods know better.

    Raises
    ------
    GlobalfitError
        If a name or the engine is unknown, a measurement does not measure any of the observables, two share
        one, or an observable cannot be written as forms.
    """

    observables: tuple[str, ...] = ("<dBR/dq2>(B+->Kmumu)(15,22)",)
    measurements: tuple[str, ...] = ("LHCb B+->Kmumu BR 2014",)
    engine: Literal["forms", "flavio"] = "forms"
    error_theory: bool = True

    name: ClassVar[str] = "flavio"
    needs: ClassVar[tuple[str, ...]] = ("wilson_coefficients",)
    version: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise GlobalfitError(self.name, f"no engine '{self.engine}'", did_you_mean(self.engine, ENGINES))
        if not self.observables:
            raise GlobalfitError(
                self.name, "'observables' is empty", "name at least one observable of flavio"
            )
        object.__setattr__(self, "observables", tuple(self.observables))
        object.__setattr__(self, "measurements", tuple(self.measurements))

    @property
    def reference(self) -> str:
        """The measurements by flavio's names."""
        return "; ".join(self.measurements) or "prediction of flavio, arXiv:1810.08132"

    @property
    def data(self) -> tuple[str, ...]:
        """The measurements by flavio's names: one cannot be used twice."""
        return tuple(f"flavio: {each}" for each in self.measurements)

    def predict(self, point: Point) -> Prediction:
        """Return ``{key(observable): (n,)}``, under flavio's names, and ``error_`` of each."""
        wilson = cast(WilsonCoefficients, point.wilson_coefficients)
        out: dict[str, Array] = {}
        for text in self.observables:
            value = _direct(text, wilson) if self.engine == "flavio" else _from_forms(text, wilson)
            relative = _relative_error(text) if self.error_theory else 0.0
            out[key(text)] = value
            out["error_" + key(text)] = np.abs(value) * relative
        return out

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the measured values; zero without measurements."""
        total = np.zeros(len(prediction[key(self.observables[0])]))
        for measured in _measured(self.observables, self.measurements):
            predicted = np.column_stack([prediction[key(each)] for each in measured.observables])
            theory = np.zeros((len(total), len(measured.value), len(measured.value)))
            for i, each in enumerate(measured.observables):
                theory[:, i, i] = prediction["error_" + key(each)] ** 2
            total += correlated_asymmetric_gaussian(
                measured.value,
                measured.error_low,
                measured.error_high,
                measured.correlation,
                predicted,
                theory,
            )
        return total


def key(text: str) -> str:
    """Return the name of an observable in a prediction: flavio's with ``_`` for ``/``."""
    return text.replace("/", "_")


def _from_forms(text: str, wilson: WilsonCoefficients) -> Array:
    kept = _rate_forms(text)
    if kept is not None:
        forms, _ = kept
        name = next(iter(forms.channels))
        return rates(forms, wilson, (name,), errors=False).central[name]
    if wilson.exchanges:
        raise ModelError(
            text,
            "has no differential rate to follow coefficients that depend on q^2",
            "use a model with flavour = 'contact', or a bin-averaged rate '<dBR/dq2>(...)'",
        )
    form, _ = _observable_form(text)
    return form(run(shipped_forms(), wilson), wilson.n)


def _relative_error(text: str) -> float:
    kept = _rate_forms(text)
    return kept[1] if kept is not None else _observable_form(text)[1]


@cache
def _rate_forms(text: str) -> tuple[FlavourForms, float] | None:
    from globalfit.build.observable import parse, rate_forms

    return rate_forms(parse(text), _flavio, _tell)


@cache
def _observable_form(text: str) -> tuple[Rational, float]:
    from globalfit.build.observable import observable_form, parse

    return observable_form(parse(text), _flavio, _tell)


def _direct(text: str, wilson: WilsonCoefficients) -> Array:
    from globalfit.build.observable import check_name, direct, parse

    if wilson.exchanges:
        raise ModelError(
            text, "flavio takes constant coefficients only", "use engine = 'forms' or flavour = 'contact'"
        )
    flavio, name = _flavio(), parse(text)
    check_name(flavio, name)
    here = run(shipped_forms(), wilson)
    return np.array(
        [
            direct(
                flavio,
                name,
                {
                    f"{op}_bs{lepton * 2}": complex(c[i])
                    for lepton, part in here.items()
                    for op, c in part.items()
                },
            )
            for i in range(wilson.n)
        ]
    )


@cache
def _flavio() -> Flavio:
    from globalfit.build.environment import open_flavio

    print("flavio: importing (once, 5-8 s)", file=sys.stderr)
    return open_flavio()


def _tell(stage: str, done: int, total: int) -> None:
    if done % max(1, total // 5) == 0:
        print(f"flavio: {stage} {done}/{total}", file=sys.stderr)


@cache
def _measured(observables: tuple[str, ...], measurements: tuple[str, ...]) -> tuple[Measurement, ...]:
    from globalfit.build.observable import measured

    return tuple(
        Measurement(
            each.observables,
            np.array(each.value),
            np.array(each.error_low),
            np.array(each.error_high),
            np.array(each.correlation),
            np.zeros(len(each.value), dtype=bool),
            (),
            "",
        )
        for each in measured(observables, measurements, _flavio)
    )
