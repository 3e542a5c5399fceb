from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import globalfit

GROUP = "globalfit.likelihoods"
ROOT = Path(__file__).parent.parent
BESIDE = {"likelihoods", "priors", "chains"}  # folders beside the package that are installed inside it

# From the bottom to the top; a module imports from its own layer and those below.
LAYERS = (
    {"globalfit", "arrays", "constants", "errors", "identity"},
    {"coordinates", "parameters", "priors", "statistics", "gaussian", "poisson", "limits", "physics"},
    {"model", "likelihood", "regions"},
    {"returned", "variants", "models", "one_point", "trial", "prior_trial", "testing"},
    {"posterior"},
    {"null", "smoke", "sampling", "chains", "progress"},
    {"inference"},
    {
        "registry",
        "problems",
        "settings",
        "refusals",
        "admission",
        "tables",
        "plugins",
        "scope",
        "ties",
        "skeleton",
    },
    {"fit", "assembly", "fitfile", "schema", "stored"},
    {
        "build",
        "checking",
        "conformance",
        "pointwise",
        "describe",
        "show",
        "show_comparison",
        "validation",
        "analysis",
        "report",
    },
    {"commands"},
    {"cli"},
    {"__main__"},
)
EXPERIMENT = {
    "arrays", "constants", "errors", "parameters", "priors", "statistics", "physics", "model", "likelihood",
    "likelihoods",
}  # fmt: skip


def sources():
    """Each module of the distribution with its file."""
    for folder in ("globalfit", *sorted(BESIDE)):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = (
                path.relative_to(ROOT / "globalfit" if folder == "globalfit" else ROOT).with_suffix("").parts
            )
            yield ".".join(part for part in parts if part != "__init__") or "globalfit", path


def imports(path):
    """Modules of globalfit that a file imports, those under TYPE_CHECKING left out."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    own = set()
    for name in found:
        words = name.split(".")
        if words[0] == "globalfit":
            own.add(words[1] if len(words) > 1 and not words[1].startswith("__version") else "globalfit")
    return own


def layer(name):
    top = name.split(".")[0]
    (found,) = [i for i, names in enumerate(LAYERS) if top in names] or [None]
    assert found is not None, f"globalfit.{name} is in no layer: give it one in this test"
    return found


MODULES = [each for each in sources() if not each[0].startswith("likelihoods")]
EXPERIMENTS = [each for each in sources() if each[0].startswith("likelihoods")]


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_run_downwards(name, path):
    mine = layer(name)
    for other in imports(path):
        assert other != "likelihoods", f"{name} imports an experiment"
        assert layer(other) <= mine, f"{name} imports {other} from above"


@pytest.mark.parametrize(("name", "path"), EXPERIMENTS, ids=[name for name, _ in EXPERIMENTS])
def test_an_experiment_imports_only_the_contracts(name, path):
    building = {"build"} if name == "likelihoods.flavio_observable" else set()  # builds forms on first use
    assert imports(path) <= EXPERIMENT | {"likelihoods"} | building
    others = set(re.findall(r"from globalfit\.likelihoods\.(\w+)", path.read_text()))
    plugins = {entry.value.split(":")[0].rpartition(".")[2] for entry in entry_points(group=GROUP)}
    assert not others & plugins, f"{name} imports another experiment"


def test_the_framework_names_no_experiment_module():
    for _, path in MODULES:
        assert "globalfit.likelihoods" not in re.sub(r'"globalfit\.likelihoods"', "", path.read_text()), path


def test_packages_are_the_folders_on_disk():
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["setuptools"]
    folders = settings["package-dir"]
    listed = {}
    for package in settings["packages"]:
        listed[package] = folders.get(package, package.replace(".", "/"))
        assert (ROOT / listed[package]).is_dir(), package
    kept = {".py", ".toml", ".csv", ".json", ".npz"}
    on_disk = {
        str(path.parent.relative_to(ROOT))
        for top in ("globalfit", *BESIDE)
        for path in (ROOT / top).rglob("*")
        if path.suffix in kept and "__pycache__" not in path.parts
    }
    assert set(listed.values()) == on_disk
    data = settings["package-data"]
    for package, folder in listed.items():
        for path in (ROOT / folder).iterdir():
            if path.is_file() and path.suffix != ".py":
                assert any(path.match(pattern) for pattern in data.get(package, ())), f"{path} is not shipped"


def test_types_are_shipped():
    assert (ROOT / "globalfit" / "py.typed").is_file()


def test_version_is_said_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+", globalfit.__version__)
    assert version("globalfit") == globalfit.__version__
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "globalfit.__version__"}


def test_entry_points_are_those_of_the_project_file():
    with (ROOT / "pyproject.toml").open("rb") as file:
        groups = tomllib.load(file)["project"]["entry-points"]
    for group, names in groups.items():
        for name, value in names.items():
            (point,) = [each for each in entry_points(group=group, name=name) if each.value == value]
            assert point.load().__name__ == value.split(":")[1]


NOT_A_NOUN = re.compile(r"class \w*(Manager|Handler|Helper|Utils)\b|def \w*(_helper|_utils)\b")
PLACES = re.compile(r"/(work|home|root|tmp|Users)/\w|localhost:\d|https?://[\w.]*(artifactory|nexus|devpi)")


@pytest.mark.parametrize("folder", ["globalfit", "likelihoods", "priors", "chains", "fits", "docs"])
def test_no_machine_and_no_empty_words(folder):
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in {".py", ".toml", ".md"}:
            text = path.read_text()
            assert not PLACES.search(text), f"{path}: a path or host of one machine"
            assert not NOT_A_NOUN.search(text), f"{path}: a name that says nothing"


GUARD = """
import sys
sys.argv = ["globalfit", *sys.argv[1:]]
from globalfit.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {heavy!r}
loaded = sorted(heavy & {{name.split(".")[0] for name in sys.modules}})
print("LOADED", *loaded, file=sys.stderr)
"""
HEAVY = {"flavio", "matplotlib", "dask", "pandas", "arviz", "numba"}


def loaded_by(folder, heavy, *words):
    done = subprocess.run(
        [sys.executable, "-c", GUARD.format(heavy=heavy), *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.split("LOADED")[1].split()


def test_help_imports_next_to_nothing(tmp_path):
    heavy = HEAVY | {"numpy", "scipy", "emcee", "h5py", "pydantic"}
    assert loaded_by(tmp_path, heavy, "--help") == []


def test_a_run_imports_no_plots_and_no_optional_packages(tmp_path):
    fit = ROOT / "tests" / "fits" / "t3r-muon.toml"
    assert loaded_by(tmp_path, HEAVY, "run", str(fit), "--steps", "2", "-o", "out.h5", "--quiet") == []
    assert (tmp_path / "out.h5").is_file()


@pytest.mark.slow
def test_wheel_and_sdist_hold_one_package(tmp_path):
    tree, dist = tmp_path / "tree", tmp_path / "dist"  # a build leaves metadata beside the sources
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, tree, ignore=ignored)
    command = [sys.executable, "-m", "build", "--outdir", str(dist), str(tree)]
    subprocess.run(command, check=True, timeout=600)
    (wheel,) = dist.glob("*.whl")
    (_,) = dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"globalfit", f"globalfit-{globalfit.__version__}.dist-info"}
    for name in ("globalfit/py.typed", "globalfit/likelihoods/muon_g2.py", "globalfit/chains/corner.py",
                 "globalfit/likelihoods/data/muon_g2.toml", "globalfit/priors/shapes.py"):  # fmt: skip
        assert name in names
    assert not any(name.startswith(("tests", "globalfit/tests")) for name in names)
