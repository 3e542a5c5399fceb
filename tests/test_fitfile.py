"""Good fit files: what they become, and the fingerprint by which a chain knows its fit."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from globalfit.errors import FitErrors
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.identity import differences
from globalfit.models.ridge import MuonG2Ridge
from globalfit.priors.shapes import LogUniform, Normal
from globalfit.registry import names
from globalfit.schema import fit_schema

FITS = sorted((Path(__file__).parent.parent / "fits").glob("*.toml"))

VEV = '[parameters.vev]\nprior = { shape = "log-uniform", low = 5_000.0, high = 20_000.0 }\n'
M_APRIME = '[parameters.m_aprime]\nprior = { shape = "log-uniform", low = 5.0, high = 200.0 }\n'
M_PHI = '[parameters.m_phi]\nprior = { shape = "log-uniform", low = 50.0, high = 150.0 }\n'
G2 = "[likelihoods.muon-g2]\n"
MODEL = 'model = { name = "t3r-muon" }\n'
SOUND = MODEL + VEV + M_APRIME + M_PHI + G2

OFFSET = '''
from dataclasses import dataclass
from typing import ClassVar

from globalfit.parameters import Parameter
from globalfit.priors.shapes import Normal
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class Offset:
    """A coupling, measured with an offset."""

    value: float = 0.004
    name: ClassVar[str] = "offset"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("y_mu",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("shift", prior=Normal(0.0, 1e-3)),)

    def predict(self, point):
        return {"coupling": point.y_mu + point.shift}

    def log_likelihood(self, prediction):
        return gaussian(self.value, prediction["coupling"], 5e-4)
'''


@pytest.fixture
def fit(tmp_path: Path) -> Any:
    def load(text: str, **options: Any) -> Fit:
        path = tmp_path / "fit.toml"
        path.write_text(text)
        return load_fit(path, **options)

    (tmp_path / "offset.py").write_text(OFFSET)
    return load


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_shipped_fits_load_and_have_a_posterior(path: Path) -> None:
    loaded = load_fit(path)
    theta = loaded.posterior.space.draw(64, np.random.default_rng(1))
    assert np.isfinite(loaded.posterior(theta)).any()
    assert loaded.text == path.read_text(encoding="utf-8")


def test_defaults_are_those_of_the_model_and_are_listed(fit: Any) -> None:
    loaded = fit(SOUND)
    space = loaded.posterior.space
    assert space.names == ("vev", "m_aprime", "m_phi")
    assert space.fixed == {"delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0}
    assert loaded.defaults == {"delta_eta": "0.01", "m_nus": "10", "epsilon": "0"}
    assert loaded.sampler.walkers == 256
    assert loaded.sampler.target.ess == 10_000
    assert loaded.sampler.seed is None
    assert loaded.as_of == datetime.date.today()
    assert loaded.warnings == ()


def test_parameters_keep_the_order_of_the_file(fit: Any) -> None:
    assert fit(MODEL + M_PHI + VEV + M_APRIME + G2).posterior.space.names == ("m_phi", "vev", "m_aprime")


def test_fixed_and_overridden_defaults(fit: Any) -> None:
    text = MODEL + "[parameters.vev]\nfixed = 10_000\n" + M_APRIME + M_PHI + G2
    loaded = fit(text + "[parameters.epsilon]\nfixed = 1e-4\n")
    assert loaded.posterior.space.fixed["vev"] == 10_000.0
    assert loaded.posterior.space.fixed["epsilon"] == 1e-4
    assert set(loaded.defaults) == {"delta_eta", "m_nus"}
    assert loaded.resolved["parameters"]["vev"] == {"fixed": 10_000.0}


def test_prior_of_shape_fixed_is_a_fixed_value(fit: Any) -> None:
    text = '[parameters.vev]\nprior = { shape = "fixed", value = 10_000 }\n'
    assert fit(MODEL + text + M_APRIME + M_PHI + G2).posterior.space.fixed["vev"] == 10_000.0


def test_a_default_can_be_sampled(fit: Any) -> None:
    text = SOUND + '[parameters.epsilon]\nprior = { shape = "signed-log-uniform", low = 1e-6, high = 1e-3 }\n'
    assert fit(text).posterior.space.names[-1] == "epsilon"


def test_tied_parameter_follows_the_other(fit: Any) -> None:
    loaded = fit(MODEL + VEV + M_APRIME + '[parameters.m_phi]\ntied = "m_aprime"\n' + G2)
    space = loaded.posterior.space
    assert space.names == ("vev", "m_aprime")
    columns = space.columns(space.draw(5, np.random.default_rng(0)))
    np.testing.assert_array_equal(columns["m_phi"], columns["m_aprime"])
    assert loaded.resolved["parameters"]["m_phi"] == {"tied": "m_aprime"}


def test_tie_to_a_parameter_that_only_the_tie_reads(fit: Any) -> None:
    m_eta = '[parameters.m_eta]\nprior = { shape = "log-uniform", low = 5.0, high = 50.0 }\n'
    loaded = fit(MODEL + VEV + M_APRIME + m_eta + '[parameters.m_phi]\ntied = "m_eta"\n' + G2)
    assert loaded.posterior.space.names == ("vev", "m_aprime", "m_eta")


def test_unused_parameters_are_allowed_if_the_fit_says_so(fit: Any) -> None:
    m_eta = '[parameters.m_eta]\nprior = { shape = "log-uniform", low = 5.0, high = 50.0 }\n'
    with pytest.raises(FitErrors, match="nothing in this fit reads it"):
        fit(SOUND + m_eta)
    loaded = fit('unused = "allow"\n' + SOUND + m_eta)
    assert loaded.posterior.space.names[-1] == "m_eta"
    assert "y_eta" in {quantity.name for quantity in loaded.posterior.derived}
    assert any("hybrid" in warning for warning in loaded.warnings)


def test_constraints_count_as_readers(fit: Any) -> None:
    m_eta = '[parameters.m_eta]\nprior = { shape = "log-uniform", low = 5.0, high = 90.0 }\n'
    order = '[constraints.mass-ordering]\nlighter = ["m_eta", "m_eta"]\nheavier = ["m_aprime"]\n'
    loaded = fit(SOUND + m_eta + order)
    theta = loaded.posterior.space.draw(200, np.random.default_rng(2))
    columns = loaded.posterior.space.columns(theta)
    forbidden = loaded.posterior(theta) == -np.inf
    np.testing.assert_array_equal(forbidden, 2 * columns["m_eta"] >= columns["m_aprime"])


def test_nuisance_is_sampled_with_its_published_prior(fit: Any) -> None:
    loaded = fit(MODEL + VEV + '[likelihoods.offset]\nclass = "offset.py:Offset"\n')
    space = loaded.posterior.space
    assert space.names == ("vev", "shift")
    assert space.priors[1] == Normal(0.0, 1e-3)
    assert loaded.defaults["shift"] == "Normal(mean=0.0, sigma=0.001)"
    assert loaded.resolved["likelihoods"]["offset"]["class"] == "Offset"
    assert len(loaded.resolved["likelihoods"]["offset"]["source"]) == 64


def test_nuisance_can_be_overridden_or_fixed(fit: Any) -> None:
    plug = '[likelihoods.offset]\nclass = "offset.py:Offset"\nvalue = 0.006\n'
    wider = '[parameters.shift]\nprior = { shape = "normal", mean = 0.0, sigma = 0.01 }\n'
    loaded = fit(MODEL + VEV + plug + wider)
    assert loaded.posterior.space.priors[1] == Normal(0.0, 0.01)
    assert loaded.posterior.likelihoods["offset"].value == 0.006
    assert "shift" not in loaded.defaults
    loaded = fit(MODEL + VEV + plug + "[parameters.shift]\nfixed = 0.0\n")
    assert loaded.posterior.space.names == ("vev",)


@pytest.mark.parametrize(
    ("as_of", "measurement"),
    [
        ("2020-06-08", "bnl-2006-wp2020"),
        ("2021-04-06", "bnl-2006-wp2020"),
        ("2021-04-07", "fnal-2021-wp2020"),
        ("2022-10-15", "fnal-2021-wp2020"),
        ("2024-01-01", "fnal-2023-wp2020"),
        ("2025-06-03", "fnal-2025-wp2025"),
        ("2099-01-01", "fnal-2025-wp2025"),
    ],
)
def test_measurement_known_at_the_date(fit: Any, as_of: str, measurement: str) -> None:
    loaded = fit(f"data = {{ as_of = {as_of} }}\n" + SOUND)
    assert loaded.posterior.likelihoods["muon-g2"].measurement == measurement
    assert loaded.resolved["likelihoods"]["muon-g2"]["measurement"] == measurement
    assert loaded.as_of == datetime.date.fromisoformat(as_of)


def test_newest_measurement_by_default_and_explicit_one_wins(fit: Any) -> None:
    assert fit(SOUND).posterior.likelihoods["muon-g2"].measurement == "fnal-2025-wp2025"
    explicit = SOUND + 'measurement = "fnal-2023-wp2020"\n'
    loaded = fit("data = { as_of = 2022-10-15 }\n" + explicit)
    assert loaded.posterior.likelihoods["muon-g2"].measurement == "fnal-2023-wp2020"


def test_date_of_the_caller_overrides_that_of_the_file(fit: Any) -> None:
    loaded = fit("data = { as_of = 2022-10-15 }\n" + SOUND, as_of=datetime.date(2024, 1, 1))
    assert loaded.posterior.likelihoods["muon-g2"].measurement == "fnal-2023-wp2020"
    assert loaded.as_of == datetime.date(2024, 1, 1)


def test_options_override_measured_values(fit: Any) -> None:
    loaded = fit(SOUND + "delta_a_mu = 1e-9\nerror = 2e-10\ntwo_loop = 0\n")
    likelihood = loaded.posterior.likelihoods["muon-g2"]
    assert (likelihood.observed, likelihood.error_observed, likelihood.two_loop) == (1e-9, 2e-10, 0.0)
    prediction = {"delta_a_mu": np.array([1e-9]), "error_delta_a_mu": np.array([0.0])}
    expected = -np.log(2e-10 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(likelihood.log_likelihood(prediction), expected, rtol=1e-14)


def test_one_more_likelihood_by_name_or_file(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = fit(SOUND, likelihoods=["offset.py:Offset"])
    assert tuple(loaded.posterior.likelihoods) == ("muon-g2", "offset")
    offset = '[likelihoods.offset]\nclass = "offset.py:Offset"\n'
    loaded = fit(MODEL + VEV + M_APRIME + M_PHI + offset, likelihoods=["muon-g2"])
    assert tuple(loaded.posterior.likelihoods) == ("offset", "muon-g2")


def test_a_likelihood_given_twice_keeps_the_options_of_the_file(fit: Any) -> None:
    with pytest.raises(FitErrors) as caught:
        fit(SOUND + 'measurement = "fnal-2021-wp2020"\n', likelihoods=["muon-g2"])
    assert str(caught.value) == (
        "--likelihood muon-g2: likelihood 'muon-g2' stands twice in the fit; "
        "remove one: its data must not count twice"
    )


def test_loose_file_is_found_beside_the_fit_and_not_in_the_working_directory(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = fit(MODEL + VEV + '[likelihoods.offset]\nclass = "offset.py:Offset"\n')
    assert tuple(loaded.posterior.likelihoods) == ("offset",)


def test_likelihood_under_another_name_with_class(fit: Any) -> None:
    loaded = fit(MODEL + VEV + M_APRIME + M_PHI + '[likelihoods.mine]\nclass = "muon-g2"\ntwo_loop = 0.0\n')
    assert loaded.posterior.likelihoods["muon-g2"].two_loop == 0.0


def test_coordinates_never_change_the_posterior(fit: Any) -> None:
    naive = fit(SOUND).posterior
    ridge = fit(SOUND + '[sampler]\ncoordinates = { m_phi = "muon-g2-ridge" }\n').posterior
    assert isinstance(ridge.space.coordinates[2], MuonG2Ridge)
    values = naive.space.physical(naive.space.draw(100, np.random.default_rng(3)))
    densities = []
    for posterior in (naive, ridge):
        evaluation = posterior.evaluate(posterior.space.walker(values))
        densities.append(evaluation.log_posterior - evaluation.log_jacobian)
    assert np.isfinite(densities[0]).all()
    np.testing.assert_allclose(densities[1], densities[0], rtol=1e-9)


def test_prior_beyond_the_natural_range_is_told(fit: Any) -> None:
    wide = M_PHI.replace("150.0", "1_500.0")
    (warning,) = fit(MODEL + VEV + M_APRIME + wide + G2).warnings
    assert re.fullmatch(
        r"the prior of 'm_phi' spans 50\.17 \.\. 1495 MeV; likelihoods are tested in 1 \.\. 300 MeV", warning
    )


def test_fingerprint_does_not_depend_on_comments_layout_or_run_control(fit: Any) -> None:
    base = fit(SOUND + "[sampler]\nseed = 1\n")
    assert re.fullmatch(r"[0-9a-f]{64}", base.fingerprint)
    same = [
        "# a remark\n" + SOUND.replace("5_000.0", "5e3") + "[sampler]\nseed = 1\nwalkers = 256\n",
        MODEL + G2 + "[sampler]\nseed = 1\n" + VEV + M_APRIME + M_PHI,
        SOUND + "[sampler]\nseed = 1\nsteps = 50\nmax_steps = 100\ntarget = { ess = 5 }\n",
        SOUND + 'measurement = "fnal-2025-wp2025"\n[sampler]\nseed = 1\n',
        SOUND + "[sampler]\nseed = 1\n[parameters.epsilon]\nfixed = 0\n",
    ]
    for text in same[:4]:
        assert fit(text).fingerprint == base.fingerprint
    assert fit(same[4]).posterior.space.fixed == base.posterior.space.fixed


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("low = 50.0", "low = 51.0", "parameters.m_phi.prior.low: 50.0 -> 51.0"),
        (
            '"t3r-muon" }',
            '"t3r-muon", kappa = "1" }',
            'model.kappa: "sqrt2" -> "1"',
        ),
        (
            "[likelihoods.muon-g2]",
            "[likelihoods.muon-g2]\ntwo_loop = 0.5",
            "likelihoods.muon-g2.two_loop: 1.0 -> 0.5",
        ),
        (
            'model =',
            'data = { as_of = 2022-10-15 }\nmodel =',
            'likelihoods.muon-g2.measurement: "fnal-2025-wp2025" -> "fnal-2021-wp2020"',
        ),
        ("seed = 1", "seed = 2", "sampler.seed: 1 -> 2"),
        ("seed = 1", "seed = 1\nwalkers = 64", "sampler.walkers: 256 -> 64"),
        (
            "seed = 1",
            'seed = 1\ncoordinates = { m_phi = "muon-g2-ridge" }',
            'sampler.coordinates.m_phi: absent -> "muon-g2-ridge"',
        ),
    ],
)  # fmt: skip
def test_fingerprint_changes_with_every_option_that_matters(fit: Any, old: str, new: str, key: str) -> None:
    text = SOUND + "[sampler]\nseed = 1\n"
    base, changed = fit(text), fit(text.replace(old, new))
    assert changed.fingerprint != base.fingerprint
    assert differences(base.resolved, changed.resolved) == [key]


def test_fingerprint_depends_on_the_order_of_sampled_parameters_and_likelihoods(fit: Any) -> None:
    """The columns of a chain and its blobs are theirs, in order."""
    base, permuted = fit(SOUND), fit(MODEL + M_PHI + VEV + M_APRIME + G2)
    assert permuted.fingerprint != base.fingerprint
    assert differences(base.resolved, permuted.resolved) == [
        'order.sampled: ["vev", "m_aprime", "m_phi"] -> ["m_phi", "vev", "m_aprime"]'
    ]
    offset = '[likelihoods.offset]\nclass = "offset.py:Offset"\n'
    assert fit(SOUND + offset).fingerprint != fit(SOUND.replace(G2, offset + G2)).fingerprint


def test_fingerprint_follows_the_source_of_a_loose_file(fit: Any, tmp_path: Path) -> None:
    text = MODEL + VEV + '[likelihoods.offset]\nclass = "offset.py:Offset"\n'
    before = fit(text).fingerprint
    assert fit(text).fingerprint == before
    (tmp_path / "offset.py").write_text(OFFSET + "# changed\n")
    assert fit(text).fingerprint != before


def test_resolved_fit_is_plain_json(fit: Any) -> None:
    loaded = fit(SOUND + "[constraints.perturbativity]\n")
    assert json.loads(json.dumps(loaded.resolved, allow_nan=False)) == loaded.resolved
    assert loaded.resolved["constraints"]["perturbativity"]["couplings"][0] == "lambda_phi"


def test_parameter_units_may_be_stated(fit: Any) -> None:
    assert (
        fit(SOUND.replace("[parameters.m_phi]", '[parameters.m_phi]\nunit = "MeV"')).posterior.space.dim == 3
    )


def test_number_forms_of_toml(fit: Any) -> None:
    text = MODEL + '[parameters.vev]\nprior = { shape = "log-uniform", low = 5_000, high = 2e4 }\n'
    assert fit(text + M_APRIME + M_PHI + G2).posterior.space.priors[0] == LogUniform(5000.0, 20000.0)


def refusals_of(schema: dict[str, Any], value: Any, root: dict[str, Any], place: str = "") -> list[str]:
    """Check a value against the parts of JSON schema that the fit schema uses."""
    if "$ref" in schema:
        return refusals_of(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, root, place)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            tried = [refusals_of(each, value, root, place) for each in schema[several]]
            return [] if any(not each for each in tried) else min(tried, key=len)
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{place} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} not in {schema['enum']}")
    kinds = {"object": dict, "array": list, "string": (str, datetime.date), "integer": int,
             "number": (int, float), "null": type(None), "boolean": bool}  # fmt: skip
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):  # type: ignore[arg-type]
        return [*found, f"{place} is no {schema['type']}"]
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{place}.{key} is missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            if key in properties or isinstance(more, dict):
                found += refusals_of(properties.get(key, more), item, root, f"{place}.{key}")
            elif more is False:
                found.append(f"{place}.{key} is unknown")
    return found


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_schema_accepts_the_shipped_fits(path: Path) -> None:
    schema = fit_schema()
    assert refusals_of(schema, tomllib.loads(path.read_text(encoding="utf-8")), schema) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("high = 150.0", "hihg = 150.0"),
        ("t3r-muon", "t3r-muno"),
        ('"t3r-muon"', '"t3r-muon", kappa = "2"'),
        ("[likelihoods.muon-g2]", "[likelihoods.muon-g2]\ntwo_lopp = 1.0"),
        ("[likelihoods.muon-g2]", "[likelihoods.muon-g3]"),
        ("model =", "modle ="),
        ("low = 50.0", 'low = "50.0"'),
        ("[likelihoods.muon-g2]", '[likelihoods.muon-g2]\n[sampler]\nstart = "ball"'),
    ],
)
def test_schema_refuses_what_the_reader_refuses(fit: Any, old: str, new: str) -> None:
    text = SOUND.replace(old, new)
    schema = fit_schema()
    assert refusals_of(schema, tomllib.loads(text), schema)
    with pytest.raises(FitErrors):
        fit(text)


def test_schema_knows_every_plug_in() -> None:
    schema = json.loads(json.dumps(fit_schema()))
    fields = schema["properties"]
    assert {each["properties"]["name"]["const"] for each in fields["model"]["oneOf"]} == set(names("model"))
    assert set(fields["likelihoods"]["properties"]) == set(names("likelihood"))
    assert set(fields["constraints"]["properties"]) == set(names("constraint"))
    prior = schema["$defs"]["ParameterTable"]["properties"]["prior"]
    assert {each["properties"]["shape"]["const"] for each in prior["oneOf"]} == set(names("prior"))
