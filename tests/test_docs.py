"""What the guides show is true: their Python runs, their fits load, their links and commands exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import matplotlib as mpl
import pytest

from globalfit.cli import app
from globalfit.fitfile import load_fit
from globalfit.tables import FitTable

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = (
    "README.md",
    "quickstart.md",
    "add-an-experiment.md",
    "fit-file.md",
    "reading-a-chain.md",
    "python.md",
    "reliability.md",
)
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(DOCS / name for name in GUIDES)]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")


def blocks(page, language):
    return [text for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def title(block):
    """First line of a block without its comment sign: the name of a file, or 'fragment'."""
    first = block.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the blocks run: the files the pages name, the ready-made fits, and a chain of the quick start."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "fits", folder / "fits")
    for name in GUIDES:
        for language in ("python", "toml"):
            for block in blocks(DOCS / name, language):
                if title(block).endswith((".py", ".toml")) and not title(block).startswith("fragment"):
                    (folder / title(block)).write_text(block, encoding="utf-8")
    load_fit(folder / "fits" / "t3r-muon.toml").run(folder / "t3r-muon.h5", steps=128, ensembles=1)
    return folder


@pytest.mark.parametrize("name", ["python.md", "reading-a-chain.md", "add-an-experiment.md"])
def test_python_blocks_run(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    names: dict[str, object] = {"__name__": "docs"}
    found = blocks(DOCS / name, "python")
    assert found
    with mpl.rc_context({"backend": "agg"}):
        for block in found:
            if title(block).endswith(".py"):
                continue  # a file that others import, and that the fits name
            if "import arviz" in block:
                continue  # an optional reader, run below
            exec(compile(block, f"{name}: {block.partition(chr(10))[0]}", "exec"), names)


def test_arviz_block_runs(folder, monkeypatch):
    pytest.importorskip("arviz")
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    first, *others = blocks(DOCS / "reading-a-chain.md", "python")
    (block,) = (each for each in others if "import arviz" in each)
    exec(first + block + "found = az.ess(dataset)", names)
    assert set(names["found"].data_vars) == {"vev", "m_aprime", "m_phi"}


@pytest.mark.parametrize("name", ["Counter", "WithTheoryError", "DatedElectronG2"])
def test_likelihoods_of_the_guide_keep_their_contract(name, folder, monkeypatch):
    from globalfit.conformance import findings_for

    file = {
        "Counter": "counter",
        "WithTheoryError": "with_theory_error",
        "DatedElectronG2": "electron_g2_dated",
    }
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    failed = [each.message for each in findings_for(f"{file[name]}.py:{name}", "t3r-muon") if not each.passed]
    assert failed == []


def test_dated_likelihood_follows_the_date(folder, tmp_path):
    text = (folder / "electron.toml").read_text(encoding="utf-8")
    text = text.replace("electron_g2.py:ElectronG2", f"{folder}/electron_g2_dated.py:DatedElectronG2")
    text = "unused = 'allow'\n" + text.replace("[likelihoods.muon-g2]", "")
    measured = []
    for day in ("2019-01-01", "2022-01-01"):
        path = tmp_path / f"{day}.toml"
        path.write_text(f"data = {{ as_of = {day} }}\n{text}", encoding="utf-8")
        measured.append(load_fit(path).posterior.likelihoods["electron-g2"].measurement)
    assert measured == ["caesium-2018", "rubidium-2020"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_fits_load_and_fragments_are_marked(page, folder):
    for block in blocks(page, "toml"):
        if title(block).startswith("fragment of pyproject.toml"):
            assert "project" in tomllib.loads(block)
        elif title(block).startswith("fragment"):
            assert set(tomllib.loads(block)) <= set(FitTable.model_fields)
        else:
            assert title(block).endswith(".toml"), f"neither a named fit nor a fragment:\n{block}"
            assert load_fit(folder / title(block)).posterior.space.dim > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    missing = [link for link in targets if not (page.parent / link).exists()]
    assert missing == []


def test_guides_describe_every_command_and_no_other():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    text = (DOCS / "quickstart.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `globalfit ([a-z-]+)", text, re.MULTILINE)) == commands


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", DOCS / "add-an-experiment.md"], ids=lambda page: page.name
)
def test_example_shown_is_the_example(page):
    example = (ROOT / "examples" / "gaussian_measurement.py").read_text(encoding="utf-8")
    start = "from dataclasses"
    shown = [each[each.index(start) :] for each in blocks(page, "python") if start in each]
    assert example[example.index(start) :] in shown


def test_sampler_defaults_of_the_guide():
    from globalfit.tables import SamplerTable

    text = (DOCS / "fit-file.md").read_text(encoding="utf-8")
    section = text[text.index("## `[sampler]`") :]
    described = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert described == set(SamplerTable.model_fields)
    for name in ("walkers", "max_steps"):
        default = SamplerTable.model_fields[name].default
        assert f"| `{name}` | {default:_}" in section or f"| `{name}` | {default}" in section


def test_the_page_on_reliability_shows_the_campaign_as_it_was_kept():
    kept = (ROOT / "benchmarks" / "results" / "reliability.md").read_text(encoding="utf-8")
    assert kept in (DOCS / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "script",
    sorted([*(DOCS / "plots").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]),
    ids=lambda p: p.name,
)
def test_scripts_take_what_the_package_has(script):
    """Plots and benchmarks are run by hand: what they import must not be gone by then."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    taken = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    for each in (one for one in taken if one.module and one.module.split(".")[0] == "globalfit"):
        module = importlib.import_module(each.module)
        for name in (alias.name for alias in each.names):
            assert hasattr(module, name) or importlib.util.find_spec(f"{each.module}.{name}"), name
