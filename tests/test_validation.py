"""Every published number the project claims: the rows hold, the page is what the command prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from globalfit.cli import app
from globalfit.errors import GlobalfitError
from globalfit.validation.row import Row, markdown
from globalfit.validation.topics import TOPICS, validate

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"


@pytest.fixture(scope="module")
def rows():
    return validate()


def test_every_row_is_as_stated(rows):
    wrong = [
        f"{row.status}: {row.quantity}: {row.published:g}, here {row.ours:g}" for row in rows if not row.sound
    ]
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 80


def test_no_tolerance_hides_everything(rows):
    """A row that a prediction of zero would pass compares nothing, but for counts that should be zero."""
    for row in rows:
        assert row.tolerance > 0.0
        assert row.reason
        assert row.source
        assert row.published == 0.0 or row.tolerance < abs(row.published), row.quantity


def cells(text):
    """{(quantity, source): (published, here, status)} of the tables of a page."""
    found = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if len(parts) == 6 and re.match(r"-?\d", parts[1]):
            found[parts[0], parts[5]] = (float(parts[1]), float(parts[2]), parts[4])
    return found


def test_the_page_is_what_the_command_prints(rows):
    page, now = cells(PAGE.read_text()), cells(markdown(rows))
    assert page.keys() == now.keys(), "run 'globalfit validate --markdown > docs/validation.md'"
    for key, (published, here, status) in now.items():
        assert (page[key][0], page[key][2]) == (published, status), key
        assert page[key][1] == pytest.approx(here, rel=5e-3, abs=2e-3 * abs(published)), key


@pytest.mark.parametrize(
    ("ours", "why", "status"),
    [
        (1.04, "", "agrees"),
        (1.2, "", "FAILS"),
        (1.2, "x", "differs"),
        (1.0, "x", "STALE"),
        (float("nan"), "", "FAILS"),
    ],
)
def test_status(ours, why, status):
    row = Row("t", "q", "", 1.0, ours, 0.05, "5 %", "s", why)
    assert row.status == status
    assert row.sound == (status in ("agrees", "differs"))


def test_command(monkeypatch):
    done = CliRunner().invoke(app, ["validate", "meson-decays", "--json"])
    assert done.exit_code == 0
    assert {row["topic"] for row in json.loads(done.stdout)} == {"Meson decays"}
    shown = CliRunner().invoke(app, ["validate", "muon-g2"])
    assert shown.exit_code == 0
    assert "5 of 5 as stated" in shown.stdout
    monkeypatch.setitem(TOPICS, "meson-decays", lambda: iter([Row("t", "q", "", 1.0, 2.0, 0.1, "r", "s")]))
    assert CliRunner().invoke(app, ["validate", "meson-decays"]).exit_code == 1


def test_unknown_topic():
    with pytest.raises(GlobalfitError, match="validate: no topic named 'flavor'; did you mean 'flavour'"):
        validate(["flavor"])
