from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.chains.axes import log_ticks, signed_ticks
from globalfit.chains.corner import draw_corner, save_corner
from globalfit.errors import ChainError
from globalfit.sampling.stopping import Verdict

mpl.use("agg")


def made_up(values, scales, *, converged=True, name="made-up", edges=None):
    """A chain of given values (steps, walkers, dim)."""
    steps, walkers, dim = values.shape
    names = tuple(f"x{i}" for i in range(dim))
    rows = []
    for i, scale in enumerate(scales):
        low, high = edges[i] if edges else (-np.inf, np.inf)
        prior = '{"low": 0.001}' if scale == "signed-log" else "{}"
        rows.append(
            {"name": names[i], "label": f"x_{i}", "unit": "MeV" if i == 0 else "", "role": "sampled",
             "prior": prior, "scale": scale, "low": low, "high": high}
        )  # fmt: skip
    blobs = np.zeros((steps, walkers), dtype=[("lnprior", "f8"), ("ll_one", "f8")])
    blobs["ll_one"] = -np.sum((values - values.mean(axis=(0, 1))) ** 2, axis=2)
    chain = Chain.from_arrays(
        path=Path(f"{name}.h5"), names=names, values=values, log_prob=blobs["ll_one"].copy(), blobs=blobs,
        accepted=np.full(walkers, steps / 2), parameters=rows, likelihoods=[{"name": "one"}], derived=[],
        config="", resolved={}, run={"segments": []}, environment={}, warnings=[], attributes={},
    )  # fmt: skip
    ess = dict.fromkeys((*names, "ln posterior"), float(steps * walkers))
    reasons = () if converged else ("too short",)
    chain.__dict__["discard"] = 0
    chain.__dict__["verdict"] = Verdict(steps, walkers, 0, dict.fromkeys(ess, 1.0), ess, reasons)
    return chain


def gaussian(seed=1, rho=0.8, n=2000, scale=(3.0, 0.5)):
    rng = np.random.default_rng(seed)
    covariance = np.array([[1.0, rho], [rho, 1.0]]) * np.outer(scale, scale)
    return rng.multivariate_normal([10.0, -2.0], covariance, (n, 32))


def regions(figure, panel):
    """The filled regions of a panel from outside in: paths of the 95 % and of the 68 % region."""
    lines = [each for each in figure.axes[panel].collections if each.get_paths() and not each.get_fill()]
    return lines[-1].get_paths()


def inside(path, points):
    """Points inside a path, holes left out (even-odd rule over its closed pieces)."""
    count = np.zeros(len(points), dtype=int)
    for piece in path.to_polygons(closed_only=True):
        count += mpl.path.Path(piece).contains_points(points)
    return count % 2 == 1


@pytest.mark.parametrize("rho", [0.0, 0.8, 0.995])
def test_regions_hold_68_and_95_percent(rho):
    """Also where the feature is hardly wider than a bin: rho = 0.995."""
    values = gaussian(rho=rho)
    figure = draw_corner([made_up(values, ("linear", "linear"))])
    outer, inner = regions(figure, 2)
    points = values.reshape(-1, 2)
    assert inside(inner, points).mean() == pytest.approx(0.68, abs=0.02)
    assert inside(outer, points).mean() == pytest.approx(0.95, abs=0.01)


def test_regions_are_those_of_a_gaussian():
    """68 % lies within 1.51 standard deviations in two dimensions, not within one."""
    values = gaussian(rho=0.0, scale=(1.0, 1.0), n=6000)
    figure = draw_corner([made_up(values, ("linear", "linear"))])
    for path, level in zip(regions(figure, 2), (0.95, 0.68), strict=True):
        radius = np.linalg.norm(path.vertices - [10.0, -2.0], axis=1)
        expected = np.sqrt(-2 * np.log(1 - level))
        assert radius.mean() == pytest.approx(expected, rel=0.03)


def test_few_samples_make_no_speckles():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((40, 32, 2))
    figure = draw_corner([made_up(values, ("linear", "linear"))])
    for path in regions(figure, 2):
        pieces = [piece for piece in path.to_polygons(closed_only=True) if len(piece) > 2]
        assert len(pieces) <= 3


def labels_of(axis):
    return [tick.get_text() for tick in axis.get_majorticklabels() if tick.get_text()]


def test_log_axes(converged):
    figure = draw_corner([Chain.open(converged)])
    assert len(figure.axes) == 9
    for axes in figure.axes[6:9]:
        assert axes.get_xscale() == "log"
        assert 3 <= len(labels_of(axes.xaxis)) <= 5
    assert labels_of(figure.axes[6].xaxis) == ["5000", "10000", "20000"]
    assert labels_of(figure.axes[0].xaxis) == []  # only at the left and at the bottom
    assert figure.axes[6].get_xlabel() == "$V$ [MeV]"
    assert figure.axes[3].get_ylabel() == "$m_{A'}$ [MeV]"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (5e3, 2e4, ["5000", "10000", "20000"]),
        (5.0, 200.0, ["10", "30", "100"]),
        (55.0, 150.0, ["60", "80", "100"]),
        (70.0, 105.0, ["70", "80", "90", "100"]),
        (101.0, 108.0, ["102", "104", "106", "108"]),
        (1e-10, 1e-7, ["$10^{-10}$", "$10^{-9}$", "$10^{-8}$", "$10^{-7}$"]),
        (1e-12, 1.0, ["$10^{-12}$", "$10^{-9}$", "$10^{-6}$", "$10^{-3}$", "$10^{0}$"]),
        (
            2e-10,
            9e-10,
            [r"$2\times 10^{-10}$", r"$4\times 10^{-10}$", r"$6\times 10^{-10}$", r"$8\times 10^{-10}$"],
        ),
    ],
)
def test_ticks_of_logarithmic_axes(low, high, expected):
    places, texts = log_ticks(low, high)
    assert texts == expected
    assert all(low <= x <= high for x in places)


def test_ticks_of_a_signed_logarithmic_axis():
    places, texts = signed_ticks(-3.0, 2.0, 1e-3)
    ticks = dict(zip(texts, places, strict=True))
    assert ticks == pytest.approx(
        {"$10^{-1}$": 2.0, "$10^{-2}$": 1.0, "$-10^{0}$": -3.0, "$-10^{-1}$": -2.0, "$-10^{-2}$": -1.0}
    )


def test_signed_log_axis_shows_physical_values():
    rng = np.random.default_rng(4)
    size = 1e-3 * np.exp(rng.uniform(0, np.log(1e3), (500, 32)))
    sign = rng.choice([-1.0, 1.0], (500, 32))
    values = np.stack([sign * size, rng.standard_normal((500, 32))], axis=-1)
    figure = draw_corner([made_up(values, ("signed-log", "linear"))])
    texts = labels_of(figure.axes[2].xaxis)
    assert "$10^{-1}$" in texts
    assert "$-10^{-1}$" in texts
    low, high = figure.axes[2].get_xlim()
    assert -3.3 < low < -2.9
    assert 2.9 < high < 3.3


def test_several_chains_are_overlaid():
    chains = [made_up(gaussian(seed), ("linear", "linear"), name=f"run{seed}") for seed in (1, 2)]
    figure = draw_corner(chains)
    assert len(figure.axes) == 4
    assert len([c for c in figure.axes[2].collections if not c.get_fill()]) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["run1", "run2", "highest likelihood"]
    figure = draw_corner(chains, labels=["2022", "today"])
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["2022", "today"]


def test_chains_share_only_common_parameters():
    one, other = made_up(gaussian(), ("linear",) * 2), made_up(gaussian(), ("linear",) * 2, name="other")
    other = replace(other, names=("y0", "y1"), parameters=[])
    with pytest.raises(ChainError, match=r"other.h5: has no parameter in common with 'made-up.h5'"):
        draw_corner([one, other])


def stamp(figure):
    return [text.get_text() for text in figure.texts]


def test_chains_that_are_not_converged_are_stamped(short):
    assert stamp(draw_corner([Chain.open(short)])) == ["NOT CONVERGED"]
    good = made_up(gaussian(), ("linear", "linear"))
    assert stamp(draw_corner([good])) == []
    bad = made_up(gaussian(2), ("linear", "linear"), converged=False, name="bad")
    assert stamp(draw_corner([good, bad])) == ["NOT CONVERGED: bad"]


def test_star_stands_whole_at_the_best_sample(converged):
    chain = Chain.open(converged)
    figure = draw_corner([chain], ["m_aprime", "m_phi"])
    (star,) = [line for line in figure.axes[2].lines if line.get_marker() == "*"]
    best = chain.best()
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (best["m_aprime"], best["m_phi"])
    assert not star.get_clip_on()


def test_titles_give_the_median_and_the_interval():
    values = gaussian()
    figure = draw_corner([made_up(values, ("linear", "linear"))], titles=True)
    assert figure.axes[0].get_title() == "$x_0$ = $10.0_{-3.0}^{+3.0}$"
    assert draw_corner([made_up(values, ("linear", "linear"))]).axes[0].get_title() == ""


def test_what_cannot_be_drawn_is_named(converged):
    chain = Chain.open(converged)
    with pytest.raises(ChainError, match=r"has no quantity 'm_fi'; did you mean 'm_phi'?"):
        draw_corner([chain], ["m_fi"])
    with pytest.raises(ChainError, match="'g_e_vector' is constant in the samples; leave it out"):
        draw_corner([chain], ["m_phi", "g_e_vector"])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"corner{suffix}"
    save_corner([made_up(gaussian(n=100), ("linear", "linear"))], path)
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"%PDF-", b"<?xml")
    with pytest.raises(ChainError, match="exists; choose another -o, or --overwrite"):
        save_corner([made_up(gaussian(n=100), ("linear", "linear"))], path)
    save_corner([made_up(gaussian(n=100), ("linear", "linear"))], path, overwrite=True)


def test_outputs_that_cannot_be(tmp_path):
    chain = made_up(gaussian(n=100), ("linear", "linear"))
    with pytest.raises(ChainError, match=r"unknown format '.gif'; use .png, .pdf, .svg"):
        save_corner([chain], tmp_path / "corner.gif")
    with pytest.raises(ChainError, match=r"there is no folder '.*nowhere'; create it first"):
        save_corner([chain], tmp_path / "nowhere" / "corner.png")


def test_one_parameter_alone():
    figure = draw_corner([made_up(gaussian()[:, :, :1], ("linear",))])
    assert len(figure.axes) == 1
