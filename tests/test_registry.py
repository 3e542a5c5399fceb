"""Plug-ins by name and from loose files."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from globalfit import registry
from globalfit.errors import PluginError
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.models.t3r import T3RMuon
from globalfit.priors.shapes import LogUniform

SOURCE = '''
class Mine:
    """One measured number."""

class _Hidden:
    pass

VALUE = 3
'''


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let packages announce the entry points {name: value}, one each."""

    def patch(*entries: tuple[str, str]) -> None:
        found = [EntryPoint(name, value, "globalfit.likelihoods") for name, value in entries]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        registry._announced.cache_clear()

    yield patch
    monkeypatch.undo()
    registry._announced.cache_clear()


def test_built_ins_are_announced_like_any_other() -> None:
    assert registry.load("likelihood", "muon-g2") is MuonG2
    assert registry.load("model", "t3r-muon") is T3RMuon
    assert registry.load("prior", "log-uniform") is LogUniform
    assert registry.origin("likelihood", "muon-g2").startswith("globalfit ")
    assert registry.names("constraint") == ("mass-ordering", "perturbativity")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("muon-g2", "likelihood"), ("b-xl", "model"), ("normal", "prior"), ("mass-ordering", "constraint")],
)
def test_kind_of_a_name(name: str, kind: str) -> None:
    assert registry.find(name) == kind


def test_unknown_names() -> None:
    with pytest.raises(PluginError) as caught:
        registry.find("muon-g3")
    assert str(caught.value) == "no plug-in named 'muon-g3'; did you mean 'muon-g2'?"
    with pytest.raises(PluginError) as caught:
        registry.load("model", "standard")
    assert str(caught.value) == (
        "no model named 'standard'; known: 'b-xl', 't3r-electron', 't3r-muon', 't3r-second-generation'"
    )


def test_a_class_that_cannot_be_imported(announce: Any) -> None:
    announce(("far", "package_that_nobody_has.sub:Far"), ("no-class", "globalfit.arrays:Nowhere"))
    with pytest.raises(PluginError) as caught:
        registry.load("likelihood", "far")
    assert str(caught.value) == (
        "far: cannot be imported from 'package_that_nobody_has.sub:Far': "
        "no module named 'package_that_nobody_has'; pip install package_that_nobody_has"
    )
    with pytest.raises(PluginError, match=r"AttributeError.*Nowhere"):
        registry.load("likelihood", "no-class")


def test_a_broken_package_does_not_hide_the_others(announce: Any) -> None:
    from globalfit.describe import plugin_rows

    announce(("far", "package_that_nobody_has:Far"), ("muon-g2", "globalfit.likelihoods.muon_g2:MuonG2"))
    rows = {row["name"]: row["what"] for row in plugin_rows()}
    assert rows["far"].startswith("cannot be loaded: far: cannot be imported")
    assert rows["muon-g2"].startswith("Muon g-2")


def test_a_name_announced_twice(announce: Any) -> None:
    announce(("mine", "globalfit.likelihoods.muon_g2:MuonG2"), ("mine", "globalfit.models.t3r:T3RMuon"))
    with pytest.raises(PluginError) as caught:
        registry.load("likelihood", "mine")
    assert str(caught.value) == (
        "mine: the likelihood is announced by 'globalfit.likelihoods.muon_g2:MuonG2' "
        "and 'globalfit.models.t3r:T3RMuon'; uninstall one of the two packages"
    )


def test_the_same_class_announced_by_two_installations_is_one(announce: Any) -> None:
    """A checkout beside an installation announces everything twice."""
    announce(*[("muon-g2", "globalfit.likelihoods.muon_g2:MuonG2")] * 2)
    assert registry.load("likelihood", "muon-g2") is MuonG2


def test_nothing_announced_at_all(announce: Any) -> None:
    announce()
    with pytest.raises(PluginError, match="install globalfit with pip"):
        registry.load("likelihood", "muon-g2")


def test_an_entry_point_that_is_no_class(announce: Any) -> None:
    announce(("sum", "globalfit.statistics:gaussian"))
    with pytest.raises(PluginError, match="'sum' is of type 'function'; a plug-in is a class"):
        registry.load("likelihood", "sum")


def test_loose_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    cls = registry.load_file("mine.py:Mine", tmp_path)
    assert cls.__name__ == "Mine"
    assert registry.load_file(f"{tmp_path / 'mine.py'}:Mine", Path("/")).__name__ == "Mine"
    before = registry.source_hash(cls)
    assert len(before) == 64
    (tmp_path / "mine.py").write_text(SOURCE + "# longer\n")
    assert registry.source_hash(registry.load_file("mine.py:Mine", tmp_path)) != before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mine.py:Mien", "'mine.py' has no class 'Mien'; did you mean 'Mine'?"),
        ("mine.py:Else", "'mine.py' has no class 'Else'; known: 'Mine'"),
        ("mine.py:VALUE", "'mine.py:VALUE' is of type 'int'; a plug-in is a class"),
        ("mine.py:", "'mine.py:' is not of the form 'file.py:Class'; name a file and its class"),
        ("mine:Mine", "'mine:Mine' is not of the form 'file.py:Class'; name a file and its class"),
        ("mine.py:a.b", "'mine.py:a.b' is not of the form 'file.py:Class'; name a file and its class"),
    ],
)
def test_loose_file_refused(tmp_path: Path, spec: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    with pytest.raises(PluginError) as caught:
        registry.load_file(spec, tmp_path)
    assert message in str(caught.value)


def test_files_of_one_name_in_two_folders_do_not_mix(tmp_path: Path) -> None:
    classes = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f'class Mine:\n    name = "{folder}"\n')
        classes.append(registry.load_file("mine.py:Mine", tmp_path / folder))
    assert [cls.name for cls in classes] == ["a", "b"]


def test_a_file_that_fails_to_import_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise ValueError('not today')\n")
    with pytest.raises(PluginError, match="ValueError: not today"):
        registry.load_file("mine.py:Mine", tmp_path)
    (tmp_path / "mine.py").write_text(SOURCE)
    assert registry.load_file("mine.py:Mine", tmp_path).__name__ == "Mine"
