"""The shipped forms against flavio itself; slow, and flavio has to be installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from globalfit.build.environment import Flavio, open_flavio
from globalfit.build.flavour import build_forms, node_forms
from globalfit.build.observable import build, parse
from globalfit.errors import ModelError
from globalfit.likelihoods.flavio_observable import FlavioObservable, key
from globalfit.likelihoods.flavour_measurements import shipped_forms
from globalfit.model import Point
from globalfit.physics.flavour.channels import CHANNELS, GROUPS
from globalfit.physics.flavour.evaluate import rates
from globalfit.physics.flavour.observables import observables
from globalfit.physics.flavour.operators import monomials, projection
from globalfit.physics.flavour.store import load_forms
from globalfit.physics.wilson import contact

pytestmark = pytest.mark.slow


def _load(file: str) -> Any:
    spec = importlib.util.spec_from_file_location(file, Path(__file__).with_name(f"{file}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stored = _load("flavour_reference")


@pytest.fixture(scope="module")
def flavio() -> Flavio:
    pytest.importorskip("flavio")
    return open_flavio()


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_node_forms_against_differential_rate(flavio: Flavio, channel: Any) -> None:
    each = shipped_forms().channel(channel.name)
    points = stored.random_points(4, 3.0, 31) + stored.random_points(2, 8.0, 32)
    transition = "bd" if channel.name == "b0_mumu" else "bs"
    for node in range(0, len(each.q2), 4):
        for point in points:
            c = np.array(list(point[channel.lepton].values()))
            y = projection(channel.kind) @ c
            ours = monomials(np.concatenate([[1.0], y.real, y.imag])) @ each.rate[node]
            named = {
                key.replace("_bs", f"_{transition}"): v for key, v in stored.named(channel, point).items()
            }
            exact = flavio.rate(channel, float(each.q2[node]), flavio.coefficients(named), flavio.central)
            assert ours == pytest.approx(exact, rel=1e-12)


def test_new_points_against_binned_rates(flavio: Flavio) -> None:
    points = stored.random_points(3, 3.0, 41)
    for channel in CHANNELS:
        if channel.name == "b0_mumu":
            continue
        ours = rates(shipped_forms(), stored.constant(points), (channel.name,), errors=False).central[
            channel.name
        ]
        exact = [
            stored.binned(flavio, channel, flavio.coefficients(stored.named(channel, p))) for p in points
        ]
        np.testing.assert_allclose(ours, exact, rtol=1e-4, err_msg=channel.name)


def test_ratios_against_flavios_own(flavio: Flavio) -> None:
    ours = observables(shipped_forms(), contact(*np.array([[4.85, -0.3, 0, 0.033, 0]]).T), GROUPS["ratios"])
    made = flavio.coefficients(stored.contact_names(stored.BENCHMARKS["BMA"]), 160.0)
    for name, observable, low, high in (
        ("r_k_1.1_6", "<Rmue>(B+->Kll)", 1.1, 6.0),
        ("r_kstar_0.045_1.1", "<Rmue>(B0->K*ll)", 0.045, 1.1),
        ("r_kstar_1.1_6", "<Rmue>(B0->K*ll)", 1.1, 6.0),
    ):
        exact = flavio.predict(observable, made, flavio.central, low, high)
        assert ours[name][0] == pytest.approx(exact, rel=1e-4)


def test_stored_references_are_flavios(flavio: Flavio) -> None:
    reference = json.loads(stored.FILE.read_text(encoding="utf-8"))
    assert reference["versions"] == flavio.versions
    channel = next(each for each in CHANNELS if each.name == "b0_kstar0_mumu_0.045_1.1")
    fresh = stored.integrate(flavio, stored.mediator_case(200.0), channel)
    assert fresh == pytest.approx(reference["mediator"][channel.name][stored.MASSES.index(200.0)], rel=1e-9)
    point = stored.random_points(6, 3.0, 1)[2]
    fresh = stored.binned(flavio, channel, flavio.coefficients(stored.named(channel, point)))
    assert fresh == pytest.approx(reference["binned"][channel.name][2], rel=1e-9)


def test_theory_errors_against_independent_draws(flavio: Flavio) -> None:
    # 100 draws know an error to 7 %, the 200 of the build to 5 %
    np.random.seed(99)  # noqa: NPY002
    random = flavio.package.default_parameters.get_random_all(size=100)
    names: dict[str, tuple[str, tuple[float, ...]]] = {
        "r_k_1.1_6": ("<Rmue>(B+->Kll)", (1.1, 6.0)),
        "r_kstar_1.1_6": ("<Rmue>(B0->K*ll)", (1.1, 6.0)),
        "br_bs_mumu": ("BR(Bs->mumu)", ()),
        "dbr_bplus_kstarplus_mumu_15_19": ("<dBR/dq2>(B+->K*mumu)", (15.0, 19.0)),
        "dbr_lambdab_lambda_mumu_15_20": ("<dBR/dq2>(Lambdab->Lambdamumu)", (15.0, 20.0)),
    }
    for benchmark in ("SM", "BMB"):
        values = stored.BENCHMARKS[benchmark]
        made = flavio.coefficients(stored.contact_names(values), 160.0)
        found: dict[str, np.ndarray] = {}
        for members in GROUPS.values():
            found |= observables(shipped_forms(), contact(*np.array([values]).T), members)
        for name, (observable, bin_) in names.items():
            drawn = [
                flavio.predict(observable, made, {k: float(v[i]) for k, v in random.items()}, *bin_)
                for i in range(100)
            ]
            assert found["error_" + name][0] == pytest.approx(np.std(drawn, ddof=1), rel=0.3), (
                benchmark,
                name,
            )


def test_build_of_a_small_file(flavio: Flavio, tmp_path: Path) -> None:
    channels = [each for each in CHANNELS if each.name in ("bs_mumu", "b0_k0_mumu_15_22")]
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "small.h5"
    built = build_forms(path, lambda *stage: told.append(stage), channels, draws=3)
    read = load_forms(path)
    assert {stage for stage, _, _ in told} == {"rates", "theory errors"}
    for channel in channels:
        np.testing.assert_array_equal(read.channel(channel.name).rate, built.channel(channel.name).rate)
        np.testing.assert_allclose(
            read.channel(channel.name).rate, shipped_forms().channel(channel.name).rate, rtol=1e-9, atol=1e-30
        )


def test_wrong_kind_is_noticed(flavio: Flavio) -> None:
    channel = next(each for each in CHANNELS if each.name == "b0_kstar0_mumu_1.1_6")
    wrong = type(channel)(channel.name, "pseudoscalar", "mu", channel.process, channel.bin, (1, 1))
    from globalfit.build.flavour import _check_parity

    form = node_forms(flavio, wrong, np.array([3.0]), flavio.central)[0]
    with pytest.raises(ModelError, match="check its kind"):
        _check_parity(flavio, wrong, 3.0, form)


# --- any observable of flavio


def _points() -> Point:
    values = np.array([stored.BENCHMARKS["SM"], stored.BENCHMARKS["BMA"], (1.0, -0.8, 0.3, 0.01, -0.02)])
    return cast(Point, SimpleNamespace(wilson_coefficients=contact(*values.T)))


def test_any_observable(flavio: Flavio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = ("<dBR/dq2>(B+->Kmumu)(15,22)", "<FL>(B0->K*mumu)(2.5,4)", "BR(Bs->mumu)")
    forms = FlavioObservable(names, ("LHCb B+->Kmumu BR 2014", "GSSS combination Bs->mumu 2022"))
    direct = FlavioObservable(names, forms.measurements, engine="flavio")
    ours, exact = forms.predict(_points()), direct.predict(_points())
    for name in names:
        np.testing.assert_allclose(ours[key(name)], exact[key(name)], rtol=2e-4, err_msg=name)
    np.testing.assert_allclose(forms.log_likelihood(ours), direct.log_likelihood(exact), rtol=1e-4)
    shipped: dict[str, np.ndarray] = {}
    for members in GROUPS.values():
        shipped |= observables(
            shipped_forms(), cast(Any, _points()).wilson_coefficients, members, errors=False
        )
    np.testing.assert_allclose(ours[key(names[0])], shipped["dbr_bplus_kplus_mumu_15_22"], rtol=1e-5)
    np.testing.assert_allclose(ours[key(names[2])], shipped["br_bs_mumu"], rtol=1e-9)
    # a later process finds everything in the cache and does not import flavio
    code = (
        "import sys, numpy as np\nfrom types import SimpleNamespace\n"
        "from globalfit.likelihoods.flavio_observable import FlavioObservable\n"
        "from globalfit.likelihoods.flavour_measurements import standard_model\n"
        f"made = FlavioObservable({names!r}, {forms.measurements!r})\n"
        "found = made.predict(SimpleNamespace(wilson_coefficients=standard_model()))\n"
        "print(float(made.log_likelihood(found)[0]), 'flavio' in sys.modules)\n"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value, imported = again.stdout.split()
    assert float(value) == pytest.approx(forms.log_likelihood(ours)[0], rel=1e-9)
    assert imported == "False"
    for file in (tmp_path / "globalfit" / "flavio").glob("*.h5"):
        file.write_bytes(file.read_bytes()[:1000])
    load_forms.cache_clear()


def test_light_mediator_in_any_rate(flavio: Flavio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = "<dBR/dq2>(B0->K*mumu)(1.1,6)"
    point = cast(Point, SimpleNamespace(wilson_coefficients=stored.mediator_case(100.0)))
    found = FlavioObservable((name,), ()).predict(point)[key(name)][0]
    reference = json.loads(stored.FILE.read_text(encoding="utf-8"))
    exact = reference["mediator"]["b0_kstar0_mumu_1.1_6"][stored.MASSES.index(100.0)]
    assert found == pytest.approx(exact, rel=1e-5)
    with pytest.raises(ModelError, match="no differential rate"):
        FlavioObservable(("<FL>(B0->K*mumu)(2.5,4)",), ()).predict(point)


def test_what_is_no_form_is_refused(flavio: Flavio) -> None:
    with pytest.raises(
        ModelError, match=r"neither a quadratic form .* nor a ratio of two; use engine = 'flavio'"
    ):
        build(flavio, parse("<P4p>(B0->K*mumu)(1.1,2.5)"), lambda *stage: None)
    with pytest.raises(ModelError, match=r"does not depend on b -> s l l"):
        build(flavio, parse("BR(B+->taunu)"), lambda *stage: None)


def test_unknown_names_of_flavio(flavio: Flavio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for observables_, measurements, message in (
        (("<dBR/dq2>(B+->Kmumuu)(15,22)",), (), "did you mean '<dBR/dq2>\\(B\\+->Kmumu\\)'"),
        (("<dBR/dq2>(B+->Kmumu)(15)",), (), "has 1 arguments; it needs \\(q2min, q2max\\)"),
        (("BR(Bs->mumu)",), ("LHCb Bs->mumu 2031",), "no measurement named"),
        (("BR(Bs->mumu)",), ("LHCb B+->Kmumu BR 2014",), "does not measure 'BR\\(Bs->mumu\\)'"),
        (("BR(Bs->mumu)",), ("LHCb Bs->mumu 2021",), "use a Gaussian version"),
    ):
        made = FlavioObservable(observables_, measurements)
        with pytest.raises(ModelError, match=message) as caught:
            made.log_likelihood(made.predict(_points()))
        assert "\n" not in str(caught.value)
