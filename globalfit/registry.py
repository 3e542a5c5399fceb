"""Plug-ins by name: installed entry points, or a class in a loose file ``file.py:Class``."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal

from globalfit.errors import PluginError, did_you_mean

Kind = Literal["likelihood", "model", "prior", "constraint"]

GROUPS: dict[Kind, str] = {
    "likelihood": "globalfit.likelihoods",
    "model": "globalfit.models",
    "prior": "globalfit.priors",
    "constraint": "globalfit.constraints",
}


@cache
def _announced(kind: Kind) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=GROUPS[kind]):
        found.setdefault(entry.name, {})[entry.value] = entry
    return {name: tuple(entries.values()) for name, entries in sorted(found.items())}


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all installed plug-ins of a kind."""
    return tuple(_announced(kind))


def find(name: str) -> Kind:
    """Return the kind of an installed plug-in.

    Raises
    ------
    PluginError
        If no plug-in has that name.
    """
    for kind in GROUPS:
        if name in _announced(kind):
            return kind
    raise PluginError(
        "", f"no plug-in named '{name}'", did_you_mean(name, [n for k in GROUPS for n in names(k)])
    )


def origin(kind: Kind, name: str) -> str:
    """Return the distribution and version that provide a plug-in."""
    entry = _announced(kind)[name][0]
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""


def load(kind: Kind, name: str) -> type[Any]:
    """Return the class of an installed plug-in.

    Raises
    ------
    PluginError
        If there is none of that name, two packages claim the name, or it cannot be imported.
    """
    announced = _announced(kind)
    if name not in announced:
        hint = did_you_mean(name, announced)
        if not announced:
            hint = "install globalfit with pip (a checkout alone registers nothing)"
        raise PluginError("", f"no {kind} named '{name}'", hint)
    entries = announced[name]
    if len(entries) > 1:
        values = " and ".join(f"'{entry.value}'" for entry in entries)
        raise PluginError(name, f"the {kind} is announced by {values}", "uninstall one of the two packages")
    entry = entries[0]
    try:
        loaded = entry.load()
    except ModuleNotFoundError as error:
        raise PluginError(
            name,
            f"cannot be imported from '{entry.value}': no module named '{error.name}'",
            f"pip install {(error.name or '').partition('.')[0]}",
        ) from error
    except (Exception, SystemExit) as error:
        raise PluginError(
            name, f"cannot be imported from '{entry.value}': {type(error).__name__}: {error}"
        ) from error
    return _class(name, loaded)


def load_file(spec: str, base: Path, where: str = "") -> type[Any]:
    """Return the class named by ``file.py:Class``; a relative path starts at `base`.

    Raises
    ------
    PluginError
        If the file or the class is missing, or the file cannot be imported.
    """
    file, colon, name = spec.rpartition(":")
    where = where or f"'{spec}'"
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise PluginError(where, f"'{spec}' is not of the form 'file.py:Class'", "name a file and its class")
    path = (base / file).resolve()
    if not path.is_file():
        raise PluginError(where, f"there is no file '{path}'", "paths are relative to the fit file")
    module = _module(path, where)
    if not hasattr(module, name):
        classes = [
            key for key, value in vars(module).items() if inspect.isclass(value) and not key.startswith("_")
        ]
        raise PluginError(where, f"'{file}' has no class '{name}'", did_you_mean(name, classes))
    return _class(spec, getattr(module, name))


def _module(path: Path, where: str) -> Any:
    key = f"globalfit_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise PluginError(where, f"'{path.name}' cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[key]
        raise PluginError(where, *_import_problem(path, error)) from error
    return module


def _import_problem(path: Path, error: BaseException) -> tuple[str, str]:
    """Return why a loose file cannot be imported, with its line, and what to do."""
    if isinstance(error, SyntaxError):
        return f"'{path.name}' is not valid Python in line {error.lineno}: {error.msg}", "correct it there"
    if isinstance(error, ModuleNotFoundError) and error.name:
        problem = f"'{path.name}' cannot be imported: no module named '{error.name}'"
        return problem, f"pip install {error.name.partition('.')[0]}"
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = f" (line {lines[-1]})" if lines else ""
    return f"'{path.name}' cannot be imported: {type(error).__name__}: {error}{line}", "correct the file"


def _class(name: str, loaded: object) -> type[Any]:
    if not inspect.isclass(loaded):
        raise PluginError("", f"'{name}' is of type '{type(loaded).__name__}'", "a plug-in is a class")
    return loaded


def source_hash(cls: type[Any]) -> str:
    """Return the sha256 of the file a plug-in class stands in."""
    try:
        return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""
