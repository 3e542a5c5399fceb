"""Broken fit files, one mistake each: refused in the one line their first comment says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from globalfit.errors import FitErrors
from globalfit.fitfile import MAX_BYTES, load_fit
from globalfit.registry import names

FOLDER = Path(__file__).parent / "broken_fits"
FILES = sorted(FOLDER.glob("*.toml"))

SOUND = """
model = { name = "t3r-muon" }
[parameters.vev]
prior = { shape = "log-uniform", low = 5_000.0, high = 20_000.0 }
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 5.0, high = 200.0 }
[parameters.m_phi]
prior = { shape = "log-uniform", low = 50.0, high = 150.0 }
[likelihoods.muon-g2]
"""


def expected(path: Path) -> str:
    """Return the message of a file's first comment, after the file's name."""
    comment = path.read_text(encoding="utf-8").splitlines()[0]
    assert comment.startswith("# ")
    known = ", ".join(f"'{name}'" for name in names("likelihood"))
    said = comment[2:].replace("{folder}", str(FOLDER)).replace("{likelihoods}", known)
    separator = " " if said.startswith(("[", "line ")) else ": "
    return f"{path}{separator}{said}"


def refused(path: Path, content: bytes | str) -> list[str]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FitErrors) as caught:
        load_fit(path)
    return [str(problem).removeprefix(str(path)).lstrip(": ") for problem in caught.value.problems]


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "globalfit", *map(str, words)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_there_are_enough() -> None:
    assert len(FILES) >= 45


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_refused_in_one_line(path: Path) -> None:
    with pytest.raises(FitErrors) as caught:
        load_fit(path)
    assert [str(problem) for problem in caught.value.problems] == [expected(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_says_where_what_and_what_to_do(path: Path) -> None:
    said = expected(path).removeprefix(str(path))
    assert re.match(r"(?: \[[^\n]+?\]| line \d+, column \d+)?: [^;]+(?:; .+)$", said)
    assert not said.rstrip("'?)\"}]").endswith(".")


def test_the_fit_they_are_made_from_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "fit.toml"
    path.write_text(SOUND)
    assert load_fit(path).posterior.space.names == ("vev", "m_aprime", "m_phi")


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "fit.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.encode())
    assert load_fit(path).posterior.space.dim == 3


def test_path_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FitErrors) as caught:
        load_fit("nowhere.toml")
    assert str(caught.value) == f"nowhere.toml: does not exist (looked in {tmp_path}); check the path"


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(FitErrors) as caught:
        load_fit(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a directory; name a fit file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; it needs model, [parameters.NAME] and [likelihoods.NAME]"),
        (b" \n\t\n", "is empty; it needs model, [parameters.NAME] and [likelihoods.NAME]"),
        (SOUND.encode("utf-16"), "is not UTF-8 text (byte 0); save it as UTF-8"),
        (SOUND.encode("utf-16-le"), "holds a NUL byte (at 1); a fit file is a TOML text file"),
        (SOUND.encode() + b"\0", f"holds a NUL byte (at {len(SOUND)}); a fit file is a TOML text file"),
        (b"\x89HDF\r\n\x1a\n", "is not UTF-8 text (byte 0); save it as UTF-8"),
        (SOUND.encode() + b"# caf\xe9\n", f"is not UTF-8 text (byte {len(SOUND) + 5}); save it as UTF-8"),
        (
            SOUND.encode() + b"#" * MAX_BYTES,
            f"is larger than {MAX_BYTES} bytes; a fit file is a short TOML file",
        ),
    ],
    ids=["empty", "blank", "utf-16", "utf-16 without mark", "nul", "binary", "latin-1", "large"],
)
def test_files_that_are_no_toml_text(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tmp_path / "fit.toml", content) == [message]


@pytest.mark.parametrize("nested", ["[" * 5000 + "]" * 5000, "{ a = " * 5000 + "1" + " }" * 5000])
def test_deep_nesting(tmp_path: Path, nested: str) -> None:
    assert refused(tmp_path / "fit.toml", f"x = {nested}\n{SOUND}") == [
        "is nested too deeply; a fit file has at most four levels"
    ]


def test_deep_nesting_by_dots(tmp_path: Path) -> None:
    deep = "x" + ".x" * 5000 + " = 1\n"
    assert refused(tmp_path / "fit.toml", deep + SOUND) == [
        "is nested too deeply; a fit file has at most four levels"
    ]


def test_number_of_thousands_of_digits(tmp_path: Path) -> None:
    text = SOUND + f"[sampler]\nseed = {'9' * 5000}\n"
    assert refused(tmp_path / "fit.toml", text) == ["holds a number of thousands of digits; shorten it"]


def test_infinite_number_of_steps(tmp_path: Path) -> None:
    assert refused(tmp_path / "fit.toml", SOUND + "[sampler]\nsteps = inf\n") == [
        "[sampler]: 'steps' = inf is not a whole number; give a whole number"
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "member", "kind"),
    [
        ('"t3r-muon"', '"mine.py:Mine"', "model", "name", "model"),
        (
            '"log-uniform", low = 5.0, high = 200.0',
            '"mine.py:Mine"',
            "parameters.m_aprime.prior", "scale", "prior",
        ),
        (
            "[likelihoods",
            '[constraints.c]\nclass = "mine.py:Mine"\n[likelihoods',
            "constraints.c", "name", "constraint",
        ),
    ],
)  # fmt: skip
def test_other_loose_classes_that_are_not_what_they_should_be(
    tmp_path: Path, old: str, new: str, place: str, member: str, kind: str
) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    pass\n")
    (line,) = refused(tmp_path / "fit.toml", SOUND.replace(old, new))
    assert line.startswith(f"[{place}]: class 'Mine' has no '{member}'; a {kind} has ")


def test_plugin_with_a_syntax_error(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine\n    pass\n")
    text = SOUND + '[likelihoods.mine]\nclass = "mine.py:Mine"\n'
    assert refused(tmp_path / "fit.toml", text) == [
        "[likelihoods.mine]: 'mine.py' is not valid Python in line 1: expected ':'; correct it there"
    ]


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (line,) = refused(tmp_path / "fit.toml", SOUND + '["likelihoods"."\\u001b[31mred\\n"]\n')
    assert line.isprintable()
    assert "\\x1b[31mred" in line


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    text = """
model = { name = "t3r-muon", kapa = "1" }
[parameters.vev]
prior = { shape = "log-uniform", low = 20_000.0, high = 5_000.0 }
[parameters.m_phi]
fixed = 60.0
[likelihoods.muon-g3]
[likelihoods.mine]
class = "mine.py:Mine"
[constraints.perturbative]
"""
    path = tmp_path / "fit.toml"
    assert refused(path, text) == [
        "[model]: unknown key 'kapa'; did you mean 'kappa'?",
        "[likelihoods.muon-g3]: no likelihood named 'muon-g3'; did you mean 'muon-g2'?",
        f"[likelihoods.mine]: there is no file '{tmp_path / 'mine.py'}'; paths are relative to the fit file",
        "[constraints.perturbative]: no constraint named 'perturbative'; did you mean 'perturbativity'?",
    ]
    assert refused(path, text.replace(', kapa = "1"', "").replace("muon-g3", "muon-g2")) == [
        f"[likelihoods.mine]: there is no file '{tmp_path / 'mine.py'}'; paths are relative to the fit file",
        "[constraints.perturbative]: no constraint named 'perturbative'; did you mean 'perturbativity'?",
        "[parameters.vev.prior]: 'low' = 20000.0 is not below 'high' = 5000.0; swap or correct them",
        "[parameters]: 'm_aprime' is missing, which 'muon-g2' needs; add [parameters.m_aprime]",
    ]


def test_tables_of_wrong_types_are_reported_together(tmp_path: Path) -> None:
    text = """
model = "t3r-muon"
parameters.vev = 10_000.0
likelihoods = ["muon-g2"]
sampler = { walkers = 64.0, seed = -1, target = 10_000 }
"""
    assert refused(tmp_path / "fit.toml", text) == [
        "'model' = 't3r-muon' is not a table; write model = { name = 't3r-muon' }",
        "[parameters]: 'vev' = 10000.0 is not a table; write [parameters.vev] and below it fixed = 10000.0",
        "'likelihoods' = ['muon-g2'] is not a table; write [likelihoods.muon-g2]",
        "[sampler]: 'walkers' = 64.0 is not a whole number; write 64",
        "[sampler]: 'seed' = -1 is too small; give 0 or more",
        "[sampler]: 'target' = 10000 is not a table; write target = { ess = 10_000 }",
    ]


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        (("check",), "likelihood-unknown"),
        (("run", "--steps", "5"), "prior-high-missing"),
        (("run", "--quiet"), "plugin-exits"),
        (("eval", "vev=10000"), "key-twice"),
        (("check", "--json"), "plugin-shares-data"),
        (("run", "-o", "chain.h5", "--fresh"), "point-outside"),
    ],
)
def test_the_command_refuses_in_one_line_and_writes_nothing(
    tmp_path: Path, words: tuple[str, ...], stem: str
) -> None:
    path = FOLDER / f"{stem}.toml"
    done = command(words[0], path, *words[1:], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"error: {expected(path)}\n"
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
