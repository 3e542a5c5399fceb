"""Titles with formulas are readable without LaTeX, and remain text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from globalfit.report.formulas import title_of


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("No formula {MiniBooNE}", "No formula MiniBooNE"),
        (r"$B^0_s\to\mu^+\mu^-$ decay", "B<sup>0</sup><sub>s</sub> → μ<sup>+</sup>μ<sup>−</sup> decay"),
        (r"$\bar{\nu}_e$ and $\nu\bar\nu$", "ν̄<sub>e</sub> and νν̄"),
        (r"$R_{K^{(*)}}$ at $\sqrt{s}$ = 13", "R<sub>K<sup>(*)</sup></sub> at √s = 13"),
        (r"$B \rightarrow K$ and $\unheard{x}$", "B → K and unheardx"),
        (r"$<script>$ & $x_$", "&lt;script&gt; &amp; x<sub />"),
        ("one $ alone }", "one alone"),
    ],
)
def test_titles(title, expected):
    assert ElementTree.tostring(title_of(title), encoding="unicode") == f"<span>{expected}</span>"
