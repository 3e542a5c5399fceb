"""Chains side by side: Bayes factors with their priors, shifts, refusals."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

from globalfit.chains import Chain
from globalfit.chains.compare import compare
from globalfit.cli import app
from globalfit.errors import ChainError
from globalfit.sampling.stopping import Verdict
from globalfit.show_comparison import print_comparison

STEPS, WALKERS = 500, 32
ONE = {"name": "one", "measurement": "2025", "data": "one-2025"}


def inside(low, high, mean, sigma):
    return np.diff(stats.norm(mean, sigma).cdf([low, high])).item()


def log_evidence(low, high, mean, sigma):
    """Of a normalised Gaussian likelihood under a flat prior, in the prior's own scale."""
    return float(np.log(inside(low, high, mean, sigma) / (high - low)))


def made_up(name, ranges, *, mean=3.0, sigma=0.5, evidence=True, likelihoods=(ONE,), converged=True, seed=1):
    """A chain of independent draws of Gaussians in flat priors.

    `ranges` gives {parameter: (low, high)}; one whose name begins with "log" has a log-uniform prior, and its
    Gaussian lives in its logarithm. ln Z is exact, with four starts that scatter by 0.02.
    """
    rng = np.random.default_rng(seed)
    names = tuple(ranges)
    columns, rows, total = [], [], 0.0
    for each, (low, high) in ranges.items():
        logarithmic = each.startswith("log")
        edges = np.log([low, high]) if logarithmic else np.array([low, high])
        cut = stats.truncnorm(*((edges - mean) / sigma), loc=mean, scale=sigma)
        drawn = cut.rvs((STEPS, WALKERS), random_state=rng)
        columns.append(np.exp(drawn) if logarithmic else drawn)
        total += log_evidence(*edges, mean, sigma)
        shape, scale = ("log-uniform", "log") if logarithmic else ("uniform", "linear")
        prior = json.dumps({"shape": shape, "low": low, "high": high})
        rows.append({"name": each, "label": "", "unit": "", "role": "sampled", "prior": prior,
                     "scale": scale, "low": low, "high": high})  # fmt: skip
    kind = [("lnprior", "f8"), *((f"ll_{row['name']}", "f8") for row in likelihoods)]
    blobs = np.zeros((STEPS, WALKERS), dtype=kind)
    values = np.stack(columns, axis=-1)
    for row in likelihoods:
        blobs[f"ll_{row['name']}"] = -0.5 * ((values[..., 0] - mean) / sigma) ** 2
    starts = [{"ensemble": k, "log_evidence": total + 0.02 * x, "error": 0.03}
              for k, x in enumerate((-1.0, 1.0, -1.0, 1.0))]  # fmt: skip
    chain = Chain.from_arrays(
        path=Path(f"{name}.h5"), names=names, values=values, log_prob=blobs["lnprior"].copy(), blobs=blobs,
        accepted=np.full(WALKERS, STEPS / 2), parameters=rows, likelihoods=list(likelihoods), derived=[],
        config="", resolved={}, run={"segments": []}, environment={}, warnings=[],
        attributes={"evidence": starts} if evidence else {},
    )  # fmt: skip
    ess = dict.fromkeys((*names, "ln posterior"), float(STEPS * WALKERS))
    reasons = () if converged else ("R-hat is 1.20",)
    chain.__dict__["discard"] = 0
    chain.__dict__["verdict"] = Verdict(STEPS, WALKERS, 0, dict.fromkeys(ess, 1.0), ess, reasons)
    return chain


def printed(chains):
    text = io.StringIO()
    print_comparison(Console(file=text, width=160), compare(chains))
    return text.getvalue()


@pytest.mark.parametrize(
    ("name", "low", "high", "mean"),
    [
        ("x", 0.0, 10.0, 3.0),
        ("x", 0.0, 6.0, 3.0),
        ("logx", np.exp(1.0), np.exp(6.0), 3.0),
        ("x", 2.8, 5.0, 3.0),  # runs into its prior
    ],
)
def test_dependence_on_the_width_is_that_of_the_evidence(name, low, high, mean):
    """Against the closed form for priors half and twice as wide about the same middle."""
    chain = made_up("a", {name: (low, high)}, mean=mean)
    row = compare([chain, chain]).priors[0][name]
    assert (row["low"], row["high"]) == (low, high)
    edges = np.log([low, high]) if name == "logx" else np.array([low, high])
    middle, half = edges.mean(), np.ptp(edges) / 2
    now, halved, doubled = (
        log_evidence(middle - f * half, middle + f * half, mean, 0.5) for f in (1.0, 0.5, 2.0)
    )
    assert row["halved"] == pytest.approx(halved - now, abs=0.03)
    if inside(*edges, mean, 0.5) > 0.9999:
        assert row["doubled"] == pytest.approx(doubled - now, abs=1e-3)
    else:
        assert row["doubled"] < doubled - now  # the likelihood holds something outside: a lower bound


def test_a_bayes_factor_and_its_error():
    wide, narrow = made_up("wide", {"x": (0.0, 10.0)}), made_up("narrow", {"x": (1.0, 5.0)}, seed=2)
    found = compare([wide, narrow])
    assert found.log_bayes[0]["log_bayes"] == 0.0
    assert found.log_bayes[1]["log_bayes"] == pytest.approx(np.log(10.0 / 4.0), abs=1e-3)
    one = 0.02 * np.sqrt(4 / 3) / 2  # standard error of four starts
    assert found.log_evidence[0]["error"] == pytest.approx(one)
    assert found.log_bayes[1]["error"] == pytest.approx(np.sqrt(2) * one)


def test_no_bayes_factor_without_the_priors():
    """Each stands directly above the ranges of all its parameters, with both dependences."""
    chains = [
        made_up("scalar", {"x": (0.0, 10.0), "logy": (1.0, 500.0)}),
        made_up("vector", {"x": (1.0, 5.0), "z": (-7.0, 7.0)}, seed=2),
    ]
    text = printed(chains)
    assert text.count("ln B against scalar") == 2
    for part, chain in zip(text.split("ln B against")[1:], chains, strict=True):
        assert "for these priors:" in part
        for column in ("prior", "low", "high", "ln Z if halved", "if doubled"):
            assert column in part
        for name in chain.names:
            row = chain.row(name)
            (line,) = [each for each in part.splitlines() if each.split()[:1] == [name]]
            assert line.split()[1:3] == [f"{row['low']:.4g}", f"{row['high']:.4g}"]
            assert line.split()[5] == "-0.69"
    found = compare(chains).to_dict()
    json.dumps(found, allow_nan=False)
    for bayes, priors, chain in zip(found["log_bayes"], found["priors"], chains, strict=True):
        assert bayes is not None
        assert set(priors) == set(chain.names)


def test_no_bayes_factor_without_both_evidences():
    with_one, without = made_up("a", {"x": (0.0, 10.0)}), made_up("b", {"x": (0.0, 10.0)}, evidence=False)
    assert compare([with_one, without]).log_bayes[1] is None
    assert compare([without, with_one]).log_bayes == [None, None]
    assert "ln B" not in printed([with_one, without])
    three = printed([with_one, without, made_up("c", {"x": (0.0, 5.0)})])
    assert three.count("ln B against a") == 2
    assert "b: no ln Z" in three


OLDER = ONE | {"measurement": "2021", "data": "one-2021"}
TWO = {"name": "two", "measurement": "2025", "data": "two-2025"}


@pytest.mark.parametrize(("others", "differ"), [((OLDER,), ["one"]), ((ONE, TWO), ["two"])])
def test_no_bayes_factor_between_different_data(others, differ):
    """Densities of different data are not to be divided: another vintage, an experiment more."""
    a, b = made_up("a", {"x": (0.0, 10.0)}), made_up("b", {"x": (0.0, 10.0)}, likelihoods=others, seed=2)
    found = compare([a, b])
    assert found.other_data == [[], differ]
    assert found.log_bayes[1] is None
    text = printed([a, b])
    assert f"b: no Bayes factor against a: the data differ in '{differ[0]}'" in text
    assert "ln B against a = +0.00" in text  # of a itself, with its priors
    assert found.likelihoods.get("two", [None, 0.0])[0] is None


def test_shifts_are_in_sigma_and_of_converged_chains_alone():
    a = made_up("a", {"x": (-10.0, 10.0), "only": (0.0, 9.0)})
    b = made_up("b", {"x": (-10.0, 10.0)}, mean=4.0, sigma=1.2, seed=2)
    found = compare([a, b])
    assert set(found.shifts) == {"x"}
    assert found.shifts["x"][0] == 0.0
    assert found.shifts["x"][1] == pytest.approx(1.0 / np.hypot(0.5, 1.2), abs=0.03)
    bad = made_up("bad", {"x": (-10.0, 10.0)}, mean=4.0, converged=False, seed=3)
    assert compare([a, bad]).shifts["x"] == [0.0, None]
    text = printed([a, bad])
    assert "bad: NOT CONVERGED" in text
    assert "R-hat is 1.20" in text


def test_one_chain_is_refused():
    with pytest.raises(ChainError, match="compare: one chain is given; name two or more"):
        compare([made_up("a", {"x": (0.0, 10.0)})])


def command(*words):
    return CliRunner().invoke(app, ["compare", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def wider(make_fit, tmp_path_factory):
    """The fit of `short` with a wider prior in one parameter."""
    path = tmp_path_factory.mktemp("wider") / "wider.h5"
    make_fit(low=4000.0, seed=2).run(path, steps=60)
    return path


def test_the_command_on_real_chains(short, wider):
    """Neither started tempered, so that there is no evidence, and neither is converged."""
    done = command(short, wider)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("NOT CONVERGED") == 2
    assert "ln B" not in done.stdout
    found = json.loads(command(short, wider, "--json").stdout)
    assert found["log_bayes"] == [None, None]
    assert [each["vev"]["low"] for each in found["priors"]] == [5000.0, 4000.0]
    assert found["shifts"]["vev"] == [None, None]
    assert set(found["likelihoods"]) == {"muon-g2"}


@pytest.mark.slow
def test_the_overlaid_plot(short, wider, tmp_path):
    plot = tmp_path / "both.png"
    done = command(short, wider, "-o", plot)
    assert done.exit_code == 0, done.output
    assert plot.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{short}",), "compare: one chain is given; name two or more"),
        (("{short}", "absent.h5"), "absent.h5: is not a file; name a chain"),
        (("{short}", "{short}", "-o", "both.gif"), "both.gif: unknown format '.gif'; use"),
        (("{short}", "{short}", "-o", "{short}.png"), ".png: exists; choose another -o, or --overwrite"),
    ],
)
def test_refusals_are_one_line(short, words, message):
    Path(f"{short}.png").write_bytes(b"")
    done = command(*(word.format(short=short) for word in words))
    assert done.exit_code == 1
    assert isinstance(done.exception, ChainError)  # `main` prints it as one line
    assert message in str(done.exception)
