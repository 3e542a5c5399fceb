"""Any observable of flavio as forms: built on first use, checked at test points, kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.build.environment import SCALE, Flavio
from globalfit.build.flavour import error_directions, node_forms, provenance, running
from globalfit.errors import ModelError, did_you_mean
from globalfit.physics.flavour.channels import Channel
from globalfit.physics.flavour.forms import ChannelForms, FlavourForms
from globalfit.physics.flavour.operators import design, monomials
from globalfit.physics.flavour.rational import Rational
from globalfit.physics.flavour.store import FLAVIO, PARAMETERS, load_forms, save_forms
from globalfit.physics.wilson import SCALE_CONTACT, SCALE_Z, Lepton

Tell = Callable[[str, int, int], None]
OPERATORS = ("C9", "C10", "CS", "CP", "C9p", "C10p", "CSp", "CPp")
DRAWS = 50
SEED = 20221015
TOLERANCE = (
    1e-3  # of the observable's scale: flavio's own integration is good to 3e-4 at coefficients of order 5
)
_STEPS = np.array([1.0, 1.0, 0.03, 0.03, 1.0, 1.0, 0.03, 0.03])
_FORMAT = "globalfit flavio observable 1"


@dataclass(frozen=True)
class Name:
    """An observable of flavio with its arguments, as in ``<dBR/dq2>(B+->Kmumu)(15,22)``."""

    text: str
    observable: str
    arguments: tuple[float, ...]


def parse(text: str) -> Name:
    """Split ``name(arguments)``; the last bracket holds the arguments if it is all numbers."""
    found = re.fullmatch(r"(.+)\(([-+0-9.eE, ]+)\)", text.strip())
    if found is None:
        return Name(text, text.strip(), ())
    return Name(text, found[1].strip(), tuple(float(each) for each in found[2].split(",")))


def check_name(flavio: Flavio, name: Name) -> None:
    """Refuse a name that flavio does not know or that needs other arguments.

    Raises
    ------
    ModelError
        In either case.
    """
    known = flavio.package.Observable.instances
    if name.observable not in known:
        raise ModelError(
            "flavio", f"no observable named '{name.observable}'", _similar(name.observable, known)
        )
    wanted = tuple(known[name.observable].arguments or ())
    if len(wanted) != len(name.arguments):
        needs = f"({', '.join(wanted)})" if wanted else "none"
        raise ModelError("flavio", f"'{name.text}' has {len(name.arguments)} arguments", f"it needs {needs}")


def observable_form(name: Name, open_flavio: Callable[[], Flavio], tell: Tell) -> tuple[Rational, float]:
    """Return the form of an observable, cached or built, and its relative theory error (SM).

    Raises
    ------
    ModelError
        If the observable is unknown or no ratio of quadratic forms.
    """
    path = cache_folder() / f"{_key(name)}.json"
    kept = _read(path, name)
    if kept is not None:
        return kept
    flavio = open_flavio()
    check_name(flavio, name)
    form = build(flavio, name, tell)
    error = _error(flavio, name, tell)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": _FORMAT,
        "observable": name.text,
        "flavio": FLAVIO,
        "parameters_sha256": PARAMETERS,
        "scale": SCALE,
        "variables": form.variables,
        "numerator": form.numerator.tolist(),
        "denominator": form.denominator.tolist(),
        "error": error,
    }
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps({**content, "sha256": _digest(content)}), encoding="utf-8")
    partial.replace(path)
    return form, error


def build(flavio: Flavio, name: Name, tell: Tell) -> Rational:
    """Fit a quadratic form, or else a ratio of two, and test it at independent points.

    Raises
    ------
    ModelError
        If neither describes the observable.
    """
    rng = np.random.default_rng(5)
    leptons = _leptons(flavio, name, rng)
    variables = tuple((lepton, operator) for lepton in leptons for operator in OPERATORS)
    steps = np.tile(_STEPS, len(leptons))

    def values(points: Array, stage: str) -> Array:
        found = []
        for done, point in enumerate(points):
            tell(f"{name.text}: {stage}", done, len(points))
            found.append(_value(flavio, name, variables, point * steps))
        return np.array(found)

    base = design(1 + len(variables))[:, 1:]
    tests = rng.uniform(-3.0, 3.0, (8, len(variables)))
    exact = values(tests, "test points")
    scale = monomials(np.concatenate([[1.0], steps]))
    here = values(base, "quadratic form")
    numerator = np.linalg.solve(_rows(base), here)
    one = np.zeros_like(numerator)
    one[0] = 1.0
    spread = float(np.max(np.abs(exact)))
    if np.all(np.abs(_rows(tests) @ numerator - exact) < TOLERANCE * spread):
        return Rational(variables, numerator / scale, one)
    more = rng.uniform(-3.0, 3.0, (2 * len(numerator), len(variables)))
    points = np.vstack([base, more])
    observed = np.concatenate([here, values(more, "ratio of forms")])
    rows = _rows(points)
    system = np.hstack([rows, -observed[:, None] / spread * rows])
    system /= np.linalg.norm(system, axis=1, keepdims=True)
    solution = np.linalg.svd(system)[2][-1]
    top, bottom = solution[: len(numerator)] * spread, solution[len(numerator) :]
    if np.all(np.abs(_rows(tests) @ top / (_rows(tests) @ bottom) - exact) < TOLERANCE * spread):
        return Rational(variables, top / scale / bottom[0], bottom / scale / bottom[0])
    raise ModelError(
        name.text,
        "is neither a quadratic form of the Wilson coefficients nor a ratio of two",
        "use engine = 'flavio', which evaluates it directly",
    )


def rate_forms(
    name: Name, open_flavio: Callable[[], Flavio], tell: Tell
) -> tuple[FlavourForms, float] | None:
    """Return node forms of a bin-averaged rate, for coefficients that depend on q^2; else None."""
    found = re.fullmatch(r"<dBR/dq2>\((.+?)(mumu|ee)\)", name.observable)
    if found is None or len(name.arguments) != 2:
        return None
    path = cache_folder() / f"{_key(name)}.h5"
    with suppress(ModelError):  # missing, damaged or of another flavio: built anew
        kept = load_forms(path)
        return kept, float(kept.provenance["error"])
    flavio = open_flavio()
    check_name(flavio, name)
    low, high = name.arguments
    lepton: Lepton = "mu" if found[2] == "mumu" else "e"
    rule = (3, 8) if low < 0.1 else (2, 10) if high < 9.0 else (1, 16)
    channel = Channel(name.text.replace("/", " "), "general", lepton, found[1], (low, high), rule)
    q2, weights = channel.nodes()
    pieces = []
    for done, node in enumerate(q2):
        tell(f"{name.text}: q^2 nodes", done, len(q2))
        pieces.append(node_forms(flavio, channel, np.array([node]), flavio.central))
    known = error_directions(channel)
    error = _error(flavio, name, tell)
    made = ChannelForms(
        channel,
        q2,
        weights,
        np.concatenate(pieces),
        *channel.nodes((1, 1)),
        np.zeros((1, 1, (len(known) + 1) * (len(known) + 2) // 2)),
        known,
    )
    forms = FlavourForms(
        {channel.name: made},
        {scale: running(flavio, scale) for scale in (SCALE_CONTACT, SCALE_Z)},
        {**provenance(flavio, DRAWS, SEED), "error": repr(error)},
    )
    save_forms(path, forms)
    load_forms.cache_clear()
    return forms, error


@dataclass(frozen=True)
class Measured:
    """What one measurement says: observables as given, values, errors, correlation."""

    observables: tuple[str, ...]
    value: tuple[float, ...]
    error_low: tuple[float, ...]
    error_high: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...]


def measured(
    names: tuple[str, ...], measurements: tuple[str, ...], open_flavio: Callable[[], Flavio]
) -> tuple[Measured, ...]:
    """Return what flavio's measurements say on the observables `names`, from the cache or from flavio.

    One-dimensional distributions become two half Gaussians of the same errors, also where flavio tabulates
    them, so that the tails are finite; multivariate Gaussians keep their correlation.

    Raises
    ------
    ModelError
        If a measurement is unknown, is silent on all observables, or is tabulated in several dimensions.
    """
    key = hashlib.sha256(json.dumps([_FORMAT, FLAVIO, names, measurements]).encode()).hexdigest()[:24]
    path = cache_folder() / f"measured-{key}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("sha256") == _digest(content):
            return tuple(Measured(**_tuples(each)) for each in content["measured"])
    flavio = open_flavio()
    found = [
        each for name in measurements for each in _measured(flavio, name, [parse(text) for text in names])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"measured": [vars(each) for each in found]}
    path.write_text(json.dumps({**content, "sha256": _digest(content)}), encoding="utf-8")
    return tuple(found)


def _measured(flavio: Flavio, name: str, wanted: list[Name]) -> list[Measured]:
    known = flavio.package.Measurement.instances
    if name not in known:
        raise ModelError("flavio", f"no measurement named '{name}'", did_you_mean(name, known))
    found = []
    for distribution, parameters in known[name]._constraints:
        here = {_text(parameter): i for i, parameter in enumerate(parameters)}
        keep = [(each.text, here[_name_text(each)]) for each in wanted if _name_text(each) in here]
        if not keep:
            continue
        rows = [row for _, row in keep]
        if len(parameters) == 1:
            low, high = float(distribution.error_left), float(distribution.error_right)
            value = float(distribution.central_value)
            found.append(Measured((keep[0][0],), (value,), (low,), (high,), ((1.0,),)))
        elif hasattr(distribution, "covariance"):
            covariance = np.asarray(distribution.covariance)[np.ix_(rows, rows)]
            width = np.sqrt(np.diag(covariance))
            center = np.asarray(distribution.central_value)[rows]
            errors = tuple(map(float, width))
            correlation = covariance / (width[:, None] * width)
            found.append(
                Measured(
                    tuple(text for text, _ in keep),
                    tuple(map(float, center)),
                    errors,
                    errors,
                    tuple(tuple(map(float, row)) for row in correlation),
                )
            )
        else:
            raise ModelError(
                name,
                "is a table in several dimensions, which ends in ln L = -inf",
                "use a Gaussian version of it",
            )
    if not found:
        raise ModelError(
            name,
            "does not measure " + ", ".join(f"'{each.text}'" for each in wanted),
            "name one of its observables",
        )
    return found


def _text(parameter: str | tuple[Any, ...]) -> str:
    if isinstance(parameter, str):
        return parameter
    return f"{parameter[0]}({','.join(f'{float(each):g}' for each in parameter[1:])})"


def _name_text(name: Name) -> str:
    return _text((name.observable, *name.arguments)) if name.arguments else name.observable


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {key: _frozen(value) for key, value in content.items()}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def direct(flavio: Flavio, name: Name, coefficients: dict[str, complex]) -> float:
    """Return flavio's own value with coefficients {WCxf name: value} set at 4.8 GeV."""
    made = flavio.coefficients(coefficients)
    return flavio.predict(name.observable, made, flavio.central, *name.arguments)


def cache_folder() -> Path:
    """Return the folder of cached forms: below $XDG_CACHE_HOME or ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "globalfit" / "flavio"


def _leptons(flavio: Flavio, name: Name, rng: np.random.Generator) -> tuple[Lepton, ...]:
    standard = direct(flavio, name, {})
    found: list[Lepton] = []
    leptons: tuple[Lepton, ...] = ("mu", "e")
    for lepton in leptons:
        variables = tuple((lepton, operator) for operator in OPERATORS)
        if (
            abs(
                _value(flavio, name, variables, rng.uniform(0.5, 1.0, len(OPERATORS)) * _STEPS) / standard
                - 1.0
            )
            > 1e-9
        ):
            found.append(lepton)
    if not found:
        raise ModelError(name.text, "does not depend on b -> s l l coefficients", "leave it out")
    return tuple(found)


def _value(flavio: Flavio, name: Name, variables: tuple[tuple[Lepton, str], ...], point: Array) -> float:
    return direct(
        flavio,
        name,
        {f"{op}_bs{lepton * 2}": float(c) for (lepton, op), c in zip(variables, point, strict=True)},
    )


def _rows(points: Array) -> Array:
    return monomials(np.column_stack([np.ones(len(points)), points]))


def _error(flavio: Flavio, name: Name, tell: Tell) -> float:
    np.random.seed(SEED)  # noqa: NPY002  (flavio draws from numpy's global generator)
    random = flavio.package.default_parameters.get_random_all(size=DRAWS)
    standard = flavio.package.WilsonCoefficients()
    found = []
    for draw in range(DRAWS):
        tell(f"{name.text}: theory error", draw, DRAWS)
        parameters = {key: float(values[draw]) for key, values in random.items()}
        found.append(flavio.predict(name.observable, standard, parameters, *name.arguments))
    return float(np.std(found, ddof=1) / abs(np.mean(found)))


def _key(name: Name) -> str:
    return hashlib.sha256(json.dumps([_FORMAT, FLAVIO, PARAMETERS, SCALE, name.text]).encode()).hexdigest()[
        :24
    ]


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(path: Path, name: Name) -> tuple[Rational, float] | None:
    """Return what `path` holds; nothing if it is missing, damaged or another build's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = content.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if stated != _digest(content) or content["observable"] != name.text:
        return None
    variables = tuple((lepton, operator) for lepton, operator in content["variables"])
    form = Rational(variables, np.array(content["numerator"]), np.array(content["denominator"]))
    return form, float(content["error"])


def _similar(name: str, known: Any) -> str:
    head = name.split("(")[0]
    near = [each for each in known if each.startswith(head)]
    return did_you_mean(name, near[:400]) if near else "see flavio's list of observables"
