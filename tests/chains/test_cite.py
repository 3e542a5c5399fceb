"""Citations: exactly what a chain used, in BibTeX that parses, without plug-ins."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from globalfit.chains.cite import ARXIV, _shipped, bibtex, references, uncited
from globalfit.cli import app
from globalfit.fitfile import load_fit

FIT = """
model = { name = "t3r-muon" }
[parameters.vev]
fixed = 10_000.0
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 5.0, high = 200.0 }
[parameters.m_phi]
prior = { shape = "log-uniform", low = 50.0, high = 150.0 }
[likelihoods.muon-g2]
[sampler]
start = "prior"
walkers = 16
seed = 1
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cite")
    (folder / "fit.toml").write_text(FIT)
    return load_fit(folder / "fit.toml").run(folder / "chain.h5", steps=4)


def fake(**likelihoods):
    rows = [{"name": name.replace("_", "-"), "reference": text} for name, text in likelihoods.items()]
    return SimpleNamespace(
        likelihoods=rows, attributes={"model": "b-xl"}, environment={}, path=SimpleNamespace(name="x.h5")
    )


def test_a_real_chain(chain):
    keys = [each.key for each in references(chain)]
    assert keys[:2] == ["Muong-2:2025xyk", "Aliberti:2025beg"]
    assert {"Dutta:2019fxn", "Foreman-Mackey:2012any", "Harris:2020xlr", "Virtanen:2019joe"} <= set(keys)
    assert "Straub:2018kue" not in keys  # nothing of flavio in this fit
    assert len(keys) == len(set(keys))
    emcee = next(each for each in references(chain) if each.key == "Foreman-Mackey:2012any")
    assert emcee.used_for == (f"emcee {chain.environment['emcee']}",)


def test_bibtex_is_well_formed(chain):
    text = bibtex(chain)
    entries = re.findall(r"^@\w+\{(\S+),$", text, re.MULTILINE)
    assert entries == [each.key for each in references(chain)]
    assert text.count("{") == text.count("}")
    for line in text.splitlines():
        assert line == "" or line[0] in "%@}" or re.fullmatch(r'  \w+ = ".*",', line), line


def test_numbers_without_an_entry_and_without_a_number():
    of = fake(new_one="Somebody, J. Phys. 1 (2030) 1, arXiv:3001.01234", other="Somebody, private note")
    (found,) = references(of)
    assert found.key == "arXiv:3001.01234"
    assert found.bibtex == '@misc{arXiv:3001.01234, eprint = "3001.01234", archivePrefix = "arXiv"}'
    assert uncited(of) == ("other",)


def test_codes_follow_the_likelihoods():
    keys = {each.key for each in references(fake(bs_to_mumu="arXiv:2108.09283", lsnd="hep-ex/0104049"))}
    assert keys == {"LHCb:2021awg", "LSND:2001aii", "Straub:2018kue", "Dutta:2021cip"}


def test_every_shipped_measurement_with_a_number_has_an_entry():
    _, by_eprint = _shipped()
    missing = set()
    folder = files("globalfit.likelihoods").joinpath("data")
    for path in folder.iterdir():
        if path.name.endswith(".toml"):
            for record in tomllib.loads(path.read_text(encoding="utf-8")).values():
                if isinstance(record, dict) and "citation" in record:
                    missing |= set(ARXIV.findall(record["citation"])) - set(by_eprint)
    assert not missing


def test_command(chain):
    done = CliRunner().invoke(app, ["cite", str(chain.path)])
    assert done.exit_code == 0
    assert "@article{Muong-2:2025xyk," in done.stdout
    listed = json.loads(CliRunner().invoke(app, ["cite", str(chain.path), "--json"]).stdout)
    assert listed[0]["used_for"] == ["data of muon-g2"]
