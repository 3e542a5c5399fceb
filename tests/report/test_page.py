"""The page: well formed, self-contained, safe, honest; from the chain alone; in a browser if there is one."""

from __future__ import annotations

import base64
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains.chain import Chain
from globalfit.cli import app
from globalfit.registry import load
from globalfit.report import second
from globalfit.report.drawing import images
from globalfit.report.figures import pulls
from globalfit.report.markup import element, render, table
from globalfit.report.page import drawings, page, report
from globalfit.sampling import stopping

VOID = {"img", "meta", "br", "hr", "input", "link"}
LINKS = ("https://inspirehep.net/", "https://arxiv.org/", "https://doi.org/", "#", "data:")
RAW = ("style", "script")


class Page(HTMLParser):
    """A page read strictly: every element is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.raw = [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), "an attribute stands twice"
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in RAW:
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        else:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    @property
    def ids(self):
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}


def made(chain, **options):
    found = report(chain, **options)
    return page(found, list(drawings(found)))


def check(text):
    """What holds of every page; returns it read."""
    read = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert read.all("html") == [{"lang": "en"}]
    assert any(each.get("name") == "viewport" for each in read.all("meta"))
    for kind, tag in (("css", "style"), ("js", "script")):
        assert read.raw[tag] == files("globalfit.report").joinpath(f"page.{kind}").read_text("utf-8")
        assert len(read.all(tag)) == 1
    assert "http" not in read.raw["style"] + read.raw["script"]
    assert "url(" not in read.raw["style"]
    policy = next(each["content"] for each in read.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert attributes.get("src", "data:").startswith("data:"), tag
        assert attributes.get("href", "#").startswith(LINKS), attributes
    for each in read.all("img"):
        kind, _, content = each["src"].partition(";base64,")
        image = base64.b64decode(content, validate=True)
        if kind == "data:image/svg+xml":
            assert ElementTree.fromstring(image).tag.endswith("svg")
        else:
            assert image.startswith(b"\x89PNG")
        assert len(each["alt"]) > 10
    for each in read.all("a"):
        if each["href"].startswith("#"):
            assert each["href"][1:] in read.ids
    return read


@pytest.fixture(scope="module")
def beam_page(beam):
    return made(Chain.open(beam), samples=40)


@pytest.fixture(scope="module")
def muon_page(muon):
    return made(Chain.open(muon), samples=40, fit=muon.with_suffix(".toml"))


def test_page_of_a_beam_fit(beam_page):
    read = check(beam_page)
    assert len(beam_page) < 5_000_000
    assert {"verdict", "limits", "fit", "parameters", "corner", "marginals", "likelihoods"} <= read.ids
    assert {"spectrum-miniboone", "pulls-figure", "observables-figure", "origin", "command"} <= read.ids
    assert len(read.all("img")) == 5
    assert "NOT CONVERGED" in read.words
    assert "Not drawn" not in read.words
    assert {"ledger", "pulls-figure"} <= read.ids
    for word in ("At the best sample: ", "anomalies explained at once", "Experiments of the fit", "Price: "):
        assert word.strip() in read.words
    assert "profile likelihood" in next(
        each["alt"] for each in read.all("img") if each["alt"].startswith("one panel")
    )
    assert read.words.index("NOT CONVERGED") < read.words.index("Fit, data and citations", 400)
    assert "(portal" not in read.words


def test_a_second_process_draws_the_same(beam, monkeypatch):
    monkeypatch.setattr(second, "LARGE", 0)
    monkeypatch.setattr(second.os, "cpu_count", lambda: 2)
    with second.second_process(beam, figures=True) as other, Chain.open(beam) as chain:
        assert other is not None
        found = report(chain, samples=20, second=other)
        there = list(drawings(found))
    assert all(image[1].startswith("image/") for _, image in there)
    keys = ["corner", "marginals", "spectrum-miniboone", "pulls-figure", "observables-figure"]
    assert [drawing.key for drawing, _ in there] == keys
    assert [text.get_text() for text in there[0][0].figure.texts] == ["NOT CONVERGED"]
    (here,) = images(partial(pulls, found.predictive))
    assert there[3][1] == here[1]


def test_a_second_process_that_dies_costs_no_figure(muon, monkeypatch):
    monkeypatch.setattr(second, "LARGE", 0)
    monkeypatch.setattr(second.os, "cpu_count", lambda: 2)
    with second.second_process(muon) as other, Chain.open(muon) as chain:
        found = report(chain, samples=0, second=other)
        other._pool.submit(second.os._exit, 1)
        assert [each[0].key for each in drawings(found)] == ["corner", "marginals"]


def test_no_second_process_for_a_small_chain(muon, tmp_path):
    for path in (muon, tmp_path / "missing.h5"):
        with second.second_process(path) as other:
            assert other is None


def test_not_converged_gives_no_interval(beam_page, muon_page):
    for text in (beam_page, muon_page):
        words = Page(text).words.partition("Versions, seed and runs")[0]
        assert "Environment" in words
        for interval in ("median", "68 %", "95 %"):
            assert interval not in words
        assert "The best sample alone" in words


def test_violated_limits_come_with_factor_and_citation(muon_page):
    read = check(muon_page)
    assert any(each.get("role") == "alert" for each in read.all("div"))
    assert re.search(r"violates \d limits? that (is|are) not in the fit: K\+ → pi\+", read.words)
    assert "NA62" in read.words


def test_citations(muon, muon_page):
    read = Page(muon_page)
    addresses = [each["href"] for each in read.all("a")]
    assert "https://inspirehep.net/literature?q=texkey%3AMuong-2%3A2021ojo" in addresses
    (download,) = [each for each in read.all("a") if "download" in each]
    text = base64.b64decode(download["href"].partition(",")[2]).decode()
    assert "@article{Muong-2:2021ojo," in text
    assert CliRunner().invoke(app, ["cite", str(muon)]).stdout == text
    assert "The reference of counts has no arXiv number" in read.words


def test_intervals_of_a_converged_chain(beam, monkeypatch):
    """The verdict set aside: the same chain, called converged, shows the intervals of the summary."""
    found = report(Chain.open(beam), samples=40)
    summary = replace(found.summary, converged=True, reasons=())
    read = check(page(replace(found, summary=summary), []))
    assert "NOT CONVERGED" not in read.words
    row = next(each for each in summary.rows if each.name == "m_x")
    assert f"{row.median:.3g}"[:3] in read.words
    assert "68 % predicted" in read.words


def test_from_the_chain_alone(muon, tmp_path, monkeypatch):
    """A chain on another machine, without its plug-in: everything but the predictions, and it says why."""
    shutil.copy(muon, tmp_path / "muon.h5")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report", "muon.h5", "-o", "here.html", "--pdf", "here.pdf"])
    assert done.exit_code == 0, done.output
    assert "note: no spectra, no pulls" in done.stderr
    assert "'counts' is a loose file" in done.stderr
    read = check((tmp_path / "here.html").read_text("utf-8"))
    assert {"corner", "marginals", "likelihoods", "fit-file"} <= read.ids
    assert "pulls-figure" not in read.ids
    assert "Not shown:" in read.words
    assert "'counts' is a loose file" in read.words
    assert len(re.findall(rb"/Type /Page\b", (tmp_path / "here.pdf").read_bytes())) == 2
    again = CliRunner().invoke(app, ["report", "muon.h5", "-o", "here.html"])
    assert again.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.html", "here.pdf", "muon.h5"]


GONE = """
import sys

sys.modules["globalfit.likelihoods.lsnd"] = None  # importing it fails, as where it is not installed
from globalfit.cli import app

file = sys.argv[1]
for words in (["summary", file], ["ledger", file], ["corner", file, "-o", "c.png"], ["report", file]):
    app(words, standalone_mode=False)
"""


def test_a_likelihood_that_fails_now_costs_predictions_alone(beam, monkeypatch):
    def failing(self, prediction):
        raise RuntimeError("a table is gone")

    monkeypatch.setattr(load("likelihood", "lsnd"), "log_likelihood", failing)
    with Chain.open(beam) as chain:
        found = report(chain, samples=5)
        assert "a table is gone" in found.missing
        keys = [each[0].key for each in drawings(found)]
    assert keys == ["corner", "marginals"]


def test_a_chain_whose_plug_in_is_gone(beam, tmp_path):
    """Another machine, without the module of one experiment: summarised, drawn and reported all the same."""
    shutil.copy(beam, tmp_path / "beam.h5")
    words = [sys.executable, "-c", GONE, "beam.h5"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "NOT CONVERGED" in done.stdout
    assert "no ideal and pulls" in done.stdout
    assert "note: no spectra, no pulls" in done.stderr
    assert (tmp_path / "c.png").stat().st_size > 10_000
    read = check((tmp_path / "report.html").read_text("utf-8"))
    assert {"corner", "marginals", "likelihoods", "ledger"} <= read.ids
    assert "lsnd" in read.words


def test_a_chain_runs_no_loose_file(muon, tmp_path):
    """A chain from anywhere, with a file of code beside it: the file is run only for a fit file given."""
    shutil.copy(muon, tmp_path / "muon.h5")
    (tmp_path / "counts.py").write_text("raise RuntimeError('was run')")
    chain = Chain.open(tmp_path / "muon.h5")
    found = report(chain)
    assert found.predictive is None
    assert "'counts' is a loose file" in found.missing
    assert "no sample was evaluated" in report(chain, samples=0).missing
    shutil.copy(muon.with_suffix(".toml"), tmp_path)
    assert "was run" in report(chain, fit=tmp_path / "muon.toml").missing


def test_the_command_makes_the_same_chain(muon, muon_page, tmp_path):
    """What the page prints, run with the fit file that it prints, samples the same bits."""
    root = ElementTree.fromstring(re.search(r'<pre id="command">.*?</pre>', muon_page).group())
    program, *words = shlex.split("".join(root.itertext()))
    assert program == "globalfit"
    fit = re.search(r'<pre id="fit-file".*?</pre>', muon_page, re.DOTALL).group()
    (tmp_path / "muon.toml").write_text("".join(ElementTree.fromstring(fit).itertext()))
    shutil.copy(muon.parent / "counts.py", tmp_path)
    words = [str(tmp_path / each) if each.startswith("muon.") else each for each in words]
    done = CliRunner().invoke(app, [*words, "--quiet"])
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(Chain.open(tmp_path / "muon.h5").values, Chain.open(muon).values)


EVIL = "</title></style></script><script>alert(1)</script><img src=x onerror=alert(2)>"


def hostile(folder):
    """A chain that names everything it can in markup."""
    rng = np.random.default_rng(5)
    steps, walkers = 30, 8
    names = (f"a{EVIL}", "b", "c\x1b[31m\u202e")
    labels = ("<b>bold</b>", r"\frac", "x$y")
    blank = {"role": "sampled", "prior": '{"shape": "<i>", "low": 0}', "scale": "linear", "tied": ""}
    numbers = {"low": 0.0, "high": 1.0, "value": np.nan}
    fields = ["lnprior", f"ll_{EVIL}", f"d_{EVIL}"]
    blobs = np.zeros((steps, walkers), dtype=[(each, "f8") for each in fields])
    for each in fields[1:]:
        blobs[each] = rng.normal(size=(steps, walkers))
    return Chain.from_arrays(
        path=folder / f"x{EVIL.replace('/', '')}.h5",
        names=names,
        values=rng.random((steps, walkers, 3)),
        log_prob=blobs[fields[1]].copy(),
        blobs=blobs,
        accepted=np.full(walkers, 10.0),
        parameters=[
            {"name": name, "label": label, "unit": f"${EVIL}"} | blank | numbers
            for name, label in zip(names, labels, strict=True)
        ],
        likelihoods=[
            {"name": EVIL, "class": EVIL, "version": EVIL, "measurement": EVIL, "source": EVIL, "data": EVIL}
            | {"reference": f"{EVIL} arXiv:2104.03281 [unconfirmed: {EVIL}]"}
        ],
        derived=[{"name": EVIL, "label": EVIL, "unit": EVIL, "kind": "derived"}],
        config=f"model = {{ name = '{EVIL}' }}",
        resolved={"model": {"name": EVIL, EVIL: EVIL}},
        run={"seed": EVIL, "engine": EVIL, "segments": [{"stop": EVIL, "reason": EVIL, "ended": EVIL}]},
        environment={EVIL: EVIL, "emcee": EVIL},
        warnings=[EVIL, "\x00\ud800"],
        attributes={"model": f"t3r-{EVIL}", "as_of": EVIL, "created": EVIL, "fingerprint": EVIL},
    )


@pytest.mark.filterwarnings("ignore:Glyph 27")
def test_a_hostile_chain_injects_nothing(tmp_path):
    text = made(hostile(tmp_path), samples=10)
    read = check(text)
    assert read.words.count("alert(1)") > 15  # as text
    assert all(each["src"].startswith("data:") for each in read.all("img"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.encode("utf-8")
    assert {tag for tag, _ in read.elements}.isdisjoint({"b", "i", "iframe", "object", "form"})


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-o", "nowhere/report.html"], "nowhere/report.html: there is no folder"),
        (["-o", "report.txt"], "unknown format '.txt'; use .html or .htm"),
        (["-o", "there.html"], "there.html: exists; choose another -o, or --overwrite"),
        (["-o", "new.html", "--pdf", "there.pdf"], "there.pdf: exists"),
        (["-o", "new.html", "--pdf", "new.png"], "unknown format '.png'; use .pdf"),
        (["-o", "folder.html"], "folder.html: is a folder"),
    ],
)
def test_refused_before_anything_is_computed(muon, words, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("there.html", "there.pdf"):
        Path(name).write_text("mine")
    Path("folder.html").mkdir()
    done = CliRunner().invoke(app, ["report", str(muon), *words])
    assert done.exit_code == 1
    assert problem in str(done.exception)
    assert Path("there.html").read_text() == Path("there.pdf").read_text() == "mine"
    assert not Path("new.html").exists()


def test_a_file_of_emcee_gives_what_it_has(muon, tmp_path):
    import h5py

    with h5py.File(muon) as file, h5py.File(tmp_path / "emcee.h5", "w") as other:
        file.copy("mcmc", other)
    read = check(made(Chain.open(tmp_path / "emcee.h5", names=["a", "b", "c"])))
    assert "does not say what was fitted" in read.words
    assert {"corner", "marginals"} <= read.ids


def test_verdict_of_a_converged_chain(muon, monkeypatch):
    monkeypatch.setattr(stopping, "ENSEMBLES", 1)
    found = report(Chain.open(muon), samples=0)
    text = page(found, [])
    assert ("NOT CONVERGED" in Page(text).words) == (not found.summary.converged)


def test_tables_escape_and_mark_numbers():
    text = render(element("body", table(("a", "b"), [("<x>", 1.5), ("&", float("nan"))], "it's")))
    assert "&lt;x&gt;" in text
    assert 'data-value="1.5"' in text
    assert ">-</td>" in text
    read = Page(text)
    assert read.words == "it's ab <x>1.5&-" or "<x>" in read.words


def test_in_a_browser(beam_page, browse, tmp_path):
    """No console error, every figure decoded, and a click on a heading sorts; a foreign script is refused."""
    path = tmp_path / "page.html"
    path.write_text(beam_page, encoding="utf-8")
    document, said = browse(path)
    assert "CONSOLE" not in said
    assert document.count('title="sort by this column"') > 10
    foreign = tmp_path / "foreign.html"
    foreign.write_text(beam_page.replace("</main>", "<script>document.title='owned'</script></main>"))
    document, said = browse(foreign)
    assert "CONSOLE" in said
    assert "<title>owned" not in document
    driver = """<script>addEventListener("load", () => {
      const images = [...document.images];
      const table = document.querySelector("#parameters table");
      const button = table.querySelector("th button");
      const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent).join(" ");
      button.focus();
      const focused = document.activeElement === button;
      button.click();
      const up = names();
      button.click();
      const wide = document.documentElement.scrollWidth <= innerWidth;
      const drawn = images.every((image) => image.complete && image.naturalWidth > 0);
      document.title = `drawn=${drawn} n=${images.length} focused=${focused} wide=${wide} ${up} | ${names()}`;
    });</script></body>"""
    driven = tmp_path / "driven.html"
    driven.write_text(
        re.sub(r"<meta http-equiv[^>]*>", "", beam_page).replace("</body>", driver), encoding="utf-8"
    )
    document, _ = browse(driven, "--window-size=500,900")  # a telephone; the least that it takes
    names = sorted(["dump_background", "dump_flux_ratio", "m_aprime", "m_x", "portal_coupling"])
    wanted = f"{' '.join(names)} | {' '.join(reversed(names))}"
    assert f"<title>drawn=true n=5 focused=true wide=true {wanted}</title>" in document
