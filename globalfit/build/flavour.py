"""Build the forms of rare b decays with flavio: 2 minutes for the rates, 6 for their theory errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.build.environment import SCALE, Flavio, open_flavio, parameters_hash, wcxf_names
from globalfit.errors import ModelError
from globalfit.physics.flavour.channels import CHANNELS, GROUPS, Channel, Observable
from globalfit.physics.flavour.forms import ChannelForms, FlavourForms
from globalfit.physics.flavour.operators import OPERATORS, design, directions, monomials, projection
from globalfit.physics.flavour.store import save_forms
from globalfit.physics.wilson import SCALE_CONTACT, SCALE_Z, Lepton

Progress = Callable[[str, int, int], None]
ERROR_NODES = 5
COMPLETE = 0.97  # share of every variance that the kept modes carry; 200 draws know it to 10 %
SCALARS = ("CS", "CP")
# Steps of the design points: sizes at which no term of the form drowns another.
_STEPS = {"C7": 0.3, "C9": 1.0, "C10": 1.0, "CS": 0.1, "CP": 0.1}


def build_forms(
    path: Path,
    progress: Progress | None = None,
    channels: Sequence[Channel] = CHANNELS,
    draws: int = 200,
    seed: int = 20221015,
) -> FlavourForms:
    """Run flavio and write the forms of `channels` to `path`.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    channels : sequence of Channel
    draws : int
        Nuisance draws of the theory error.
    seed : int
        Of the draws.

    Raises
    ------
    ModelError
        If flavio is missing or another one, or a decay depends on other coefficients than it should.
    """
    flavio = open_flavio()
    tell = progress or (lambda stage, done, total: None)
    origin = provenance(flavio, draws, seed)
    central = {}
    for done, channel in enumerate(channels):
        tell("rates", done, len(channels))
        q2, weights = channel.nodes()
        central[channel.name] = (q2, weights, node_forms(flavio, channel, q2, flavio.central))
        _check_parity(flavio, channel, float(q2[0]), central[channel.name][2][0])
    shifts = _shifts(flavio, channels, draws, seed, tell)
    modes = _modes(channels, shifts, central)
    forms = FlavourForms(
        {
            channel.name: ChannelForms(
                channel,
                *central[channel.name],
                *_error_nodes(channel),
                modes[channel.name],
                error_directions(channel),
            )
            for channel in channels
        },
        {scale: running(flavio, scale) for scale in (SCALE_CONTACT, SCALE_Z)},
        origin,
    )
    save_forms(path, forms)
    return forms


def node_forms(flavio: Flavio, channel: Channel, q2: Array, parameters: dict[str, float]) -> Array:
    """Return the rate at `q2` (k,) as forms of (1, Re y, Im y): monomial coefficients (k, p (p + 1) / 2)."""
    kind = channel.kind
    step = np.array([_STEPS[op[0][0].rstrip("p")] for op in directions(kind)])
    points = design(1 + 2 * len(step))[:, 1:]
    return _fit(flavio, channel, q2, parameters, points, np.concatenate([step, step]))


def _fit(
    flavio: Flavio, channel: Channel, q2: Array, parameters: dict[str, float], points: Array, step: Array
) -> Array:
    d = len(directions(channel.kind))
    padded = np.zeros((len(points), 2 * d))
    padded[:, : points.shape[1]] = points * step
    settings = [_settings(flavio, channel, row[:d] + 1j * row[d:]) for row in padded]
    values = np.array([[flavio.rate(channel, float(x), each, parameters) for x in q2] for each in settings])
    matrix = monomials(np.column_stack([np.ones(len(points)), points]))
    scale = monomials(np.concatenate([[1.0], step]))
    return np.asarray((np.linalg.solve(matrix, values) / scale[:, None]).T)


def _settings(flavio: Flavio, channel: Channel, y: np.ndarray[Any, Any]) -> Any:
    """Return coefficients whose directions are `y`: the first operator of each direction carries it."""
    names = dict(zip(OPERATORS, wcxf_names(channel), strict=True))
    first = [op[0][0] for op in directions(channel.kind)]
    return flavio.coefficients(
        {names[op]: complex(value) for op, value in zip(first, y, strict=True) if value}
    )


def _check_parity(flavio: Flavio, channel: Channel, q2: float, form: Array) -> None:
    """Refuse a decay that depends on coefficients other than the directions of its kind."""
    rng = np.random.default_rng(7)
    sizes = np.array([3.0 * _STEPS[op.rstrip("p")] for op in OPERATORS])
    values = sizes * (rng.uniform(-1, 1, len(sizes)) + 1j * rng.uniform(-1, 1, len(sizes)))
    named = dict(zip(wcxf_names(channel), (complex(v) for v in values), strict=True))
    exact = flavio.rate(channel, q2, flavio.coefficients(named), flavio.central)
    y = projection(channel.kind) @ values
    ours = float(monomials(np.concatenate([[1.0], y.real, y.imag])) @ form)
    if abs(ours / exact - 1.0) > 1e-11:
        raise ModelError(
            channel.name, f"form {ours:.15g} differs from flavio's {exact:.15g}", "check its kind"
        )


def error_directions(channel: Channel) -> tuple[int, ...]:
    """Return the directions that the theory error of `channel` depends on."""
    left_out = ("C7", "C7p", *(SCALARS if channel.lepton == "e" else ()))
    return tuple(i for i, direction in enumerate(directions(channel.kind)) if direction[0][0] not in left_out)


def _error_nodes(channel: Channel) -> tuple[Array, Array]:
    return channel.nodes((1, ERROR_NODES))


def _shifts(
    flavio: Flavio, channels: Sequence[Channel], draws: int, seed: int, tell: Progress
) -> dict[str, Array]:
    """Return form coefficients (draws, ke, m) of each channel at random parameters, mean subtracted."""
    np.random.seed(seed)  # noqa: NPY002  (flavio draws from numpy's global generator)
    random = flavio.package.default_parameters.get_random_all(size=draws)
    found: dict[str, list[Array]] = {channel.name: [] for channel in channels}
    for draw in range(draws):
        tell("theory errors", draw, draws)
        parameters = {name: float(values[draw]) for name, values in random.items()}
        for channel in channels:
            known = error_directions(channel)
            step = np.array([_STEPS[directions(channel.kind)[i][0][0].rstrip("p")] for i in known])
            points = np.zeros((len(design(1 + len(known))), len(directions(channel.kind))))
            small = design(1 + len(known))[:, 1:]
            points[:, list(known)] = small * step
            settings = [_settings(flavio, channel, row) for row in points]
            q2, _ = _error_nodes(channel)
            values = np.array(
                [[flavio.rate(channel, float(x), each, parameters) for x in q2] for each in settings]
            )
            matrix = monomials(np.column_stack([np.ones(len(small)), small]))
            scale = monomials(np.concatenate([[1.0], step]))
            found[channel.name].append((np.linalg.solve(matrix, values) / scale[:, None]).T)
    return {name: np.stack(each) - np.mean(each, axis=0) for name, each in found.items()}


def _modes(
    channels: Sequence[Channel], shifts: dict[str, Array], central: dict[str, tuple[Array, Array, Array]]
) -> dict[str, Array]:
    """Return per channel the modes (r, ke, m) that carry the variance of the observables.

    Rotating the draws leaves every covariance as it is; of the rotated draws those are kept that matter to an
    observable of the group somewhere among sample points, until each variance is complete to `COMPLETE`.
    """
    made = {name: np.zeros((1, *each.shape[1:])) for name, each in shifts.items()}
    by_name = {channel.name: channel for channel in channels}
    for members in GROUPS.values():
        present = [each for each in members if each.numerator in by_name]
        if not present:
            continue
        relative = _relative_shifts(present, by_name, shifts, central)
        left, _, _ = np.linalg.svd(relative, full_matrices=False)
        variance = np.cumsum((left.T @ relative) ** 2, axis=0)
        kept = 1 + int(np.argmax(np.all(variance > COMPLETE * variance[-1], axis=1)))
        used = {name for each in present for name in (each.numerator, each.denominator) if name is not None}
        for name in used:
            rotated = np.tensordot(left[:, :kept].T, shifts[name], axes=1) / np.sqrt(len(left) - 1)
            made[name] = rotated.astype(np.float32)
    return made


def _relative_shifts(
    members: Sequence[Observable],
    channels: dict[str, Channel],
    shifts: dict[str, Array],
    central: dict[str, tuple[Array, Array, Array]],
) -> Array:
    """Return relative shifts (draws, observables * sample points), each column with unit variance."""
    rng = np.random.default_rng(11)
    sizes = np.array([1.5 * {"C7": 0.0, "CS": 0.03, "CP": 0.03}.get(op.rstrip("p"), 2.0) for op in OPERATORS])
    samples: dict[Lepton, Array] = {
        lepton: sizes * rng.standard_normal((300, len(sizes))) * rng.uniform(0, 1, (300, 1))
        for lepton in ("mu", "e")
    }
    columns = []
    for each in members:
        total = np.zeros(())
        for sign, name in ((1.0, each.numerator), (-1.0, each.denominator)):
            if name is None:
                continue
            channel = channels[name]
            y = samples[channel.lepton] @ projection(channel.kind).T
            ones, zeros = np.ones((len(y), 1)), np.zeros_like(y)
            value = monomials(np.hstack([ones, y, zeros])) @ (central[name][1] @ central[name][2])
            small = monomials(np.hstack([ones, y[:, list(error_directions(channel))]]))
            binned = np.einsum("k,dkm->dm", _error_nodes(channel)[1], shifts[name])
            total = total + sign * (binned @ small.T) / value
        columns.append(total / np.std(total, axis=0))
    return np.hstack(columns)


def running(flavio: Flavio, scale: float) -> dict[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]]:
    """Return the linear map from coefficients at `scale` to those at 4.8 GeV (QCD and QED, by wilson)."""
    operators = [op for op in OPERATORS if not op.startswith("C7")]
    leptons: tuple[Lepton, ...] = ("mu", "e")
    table: dict[tuple[Lepton, str], tuple[tuple[Lepton, str, float], ...]] = {}
    for source in leptons:
        for name in operators:
            unit = flavio.coefficients({f"{name}_bs{source * 2}": 1.0}, scale)
            out = unit.get_wc("bsmumu", SCALE, flavio.central)
            for target in leptons:
                for op in operators:
                    factor = complex(out[f"{op}_bs{target * 2}"])
                    if abs(factor) > 1e-12:
                        table[target, op] = (*table.get((target, op), ()), (source, name, factor.real))
    return table


def provenance(flavio: Flavio, draws: int, seed: int) -> dict[str, str]:
    """Return where the numbers come from: versions, inputs, scale, draws, command."""
    from flavio.config import config
    from flavio.physics.bdecays.wilsoncoefficients import wctot_dict
    from flavio.physics.running import running as masses

    par = flavio.central
    standard = wctot_dict(flavio.package.WilsonCoefficients(), "bsmumu", SCALE, par)
    return {
        **flavio.versions,
        "parameters_sha256": parameters_hash(par),
        "parameters": json.dumps(par, sort_keys=True),
        "scale": f"{SCALE}",
        "implementations": json.dumps(config["implementation"], sort_keys=True),
        "standard_model": json.dumps({f"C{i}": float(standard[f"C{i}_bsmumu"].real) for i in (9, 10)}),
        "m_b": repr(float(masses.get_mb(par, SCALE, nf_out=5))),
        "m_s": repr(float(masses.get_ms(par, SCALE, nf_out=5))),
        "alpha": repr(float(masses.get_alpha(par, SCALE)["alpha_e"])),
        "v_tb_v_ts": repr(float(abs(_ckm(par)))),
        "draws": f"{draws}",
        "seed": f"{seed}",
        "command": "globalfit build flavour",
        "licence": "numbers computed with flavio and wilson (MIT)",
    }


def _ckm(par: dict[str, float]) -> complex:
    from flavio.physics import ckm

    return complex(ckm.xi("t", "bs")(par))
