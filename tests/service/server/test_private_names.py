"""The tables in service/server/README.md against the installed packages, and against the code."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
README = ROOT / "service" / "server" / "README.md"
PACKAGES = {
    "bentoml", "circus", "httptools", "prometheus_client", "starlette", "uvicorn", "uvloop",
}  # fmt: skip
# variables of our code that hold an object of one of these packages
OBJECTS = {"arbiter", "controller", "cycle", "_cycle", "flow", "server_state"}
# their methods are documented in Python's own library
DOCUMENTED = ("asyncio", "builtins", "typing")
# documented names of Python's own library
PYTHON = {"_asdict", "_exit", "_replace"}


class Row(NamedTuple):
    owner: str
    names: tuple[str, ...]
    files: tuple[str, ...]


def names_in(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def tables() -> tuple[dict[str, str], list[Row]]:
    """The version of each package, and all rows."""
    versions: dict[str, str] = {}
    rows: list[Row] = []
    for line in README.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## (\S+) (\S+)", line):
            versions[heading[1]] = heading[2]
        elif versions and line.startswith("| `"):
            owner, names, _, files = line.strip("| ").split(" | ")
            rows.append(Row(names_in(owner)[0], names_in(names), names_in(files)))
    return versions, rows


VERSIONS, ROWS = tables()
KNOWN = {name.strip('"=') for row in ROWS for name in row.names}
SOURCES = sorted(path for part in ("service", "training") for path in (ROOT / part).rglob("*.py"))


def resolve(dotted: str) -> Any:
    """The module, class or function of that name."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(dotted)


def assigned_to_self(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def attributes_of(owner: type) -> set[str]:
    """Attributes of the class, and those that its methods assign."""
    found = set(dir(owner))
    for base in owner.__mro__:
        try:
            source = inspect.getsource(base)
        except (OSError, TypeError):
            # a built-in or compiled class
            continue
        found |= assigned_to_self(ast.parse(textwrap.dedent(source)))
    return found


def has(owner: Any, name: str) -> bool:
    if name.endswith("/"):
        return (Path(owner.__file__).parent / name).is_dir()
    if name.endswith("="):
        return name[:-1] in inspect.signature(owner).parameters
    if name.startswith('"'):
        return name in inspect.getsource(owner)
    if isinstance(owner, type):
        return name in attributes_of(owner)
    return hasattr(owner, name)


def imported_from(tree: ast.AST) -> set[str]:
    """Everything that ``tree`` imports of :data:`PACKAGES`, by its full name."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0].removeprefix("_") in PACKAGES}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(tree: ast.AST) -> set[str]:
    """Names that the file itself defines."""
    found = assigned_to_self(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def private_names(source: str, beside: Iterable[str] = ()) -> set[str]:
    """Names that ``source`` uses of :data:`PACKAGES`, as far as the text of it tells.

    ``beside`` are the other sources in its folder: what these define is no name of a package.
    """
    tree = ast.parse(source)
    imported = imported_from(tree)
    if not imported:
        return set()
    own = PYTHON.union(defined(tree), *(defined(ast.parse(other)) for other in beside))
    # what is imported from a private module is known by its last name
    found = {name.rpartition(".")[2] for name in imported if any(map(is_private, name.split(".")))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            receiver = ast.unparse(node.value).rpartition(".")[2]
            if receiver in OBJECTS or (is_private(node.attr) and node.attr not in own):
                found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg and is_private(node.arg):
            found.add(node.arg)
    return found


def inherited_names(module: Any) -> Iterator[tuple[str, str]]:
    """Names of classes of :data:`PACKAGES` that their subclasses in ``module`` use or override."""
    for cls in vars(module).values():
        if not isinstance(cls, type) or cls.__module__ != module.__name__:
            continue
        foreign = [base for base in cls.__mro__ if base.__module__.split(".")[0] in PACKAGES]
        if not foreign:
            continue
        documented = {
            name
            for base in cls.__mro__
            if base.__module__.split(".")[0] in DOCUMENTED
            for name in dir(base)
        }
        theirs = set().union(*map(attributes_of, foreign)) - documented
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for name in sorted(used & theirs):
            yield cls.__name__, name


@pytest.mark.parametrize("package", VERSIONS)
def test_the_tables_are_of_the_installed_version(package: str) -> None:
    assert VERSIONS[package] == metadata.version(package)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.owner}:{row.files[0]}")
def test_the_installed_package_has_each_name(row: Row) -> None:
    owner = resolve(row.owner)
    assert not [name for name in row.names if not has(owner, name)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.owner}:{row.files[0]}")
def test_each_file_uses_the_names_of_its_rows(row: Row) -> None:
    for file in row.files:
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in row.names:
            for part in filter(None, name.strip('"=').split("/")):
                assert re.search(rf"\b{part}\b", source), f"{file}: {part}"


def test_the_tables_list_each_private_name_in_the_code() -> None:
    unlisted = {}
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        if any(package in source for package in PACKAGES):
            beside = [other.read_text(encoding="utf-8") for other in path.parent.glob("*.py")]
            unlisted[path.relative_to(ROOT).as_posix()] = private_names(source, beside) - KNOWN
    assert unlisted["service/server/protocol.py"] == set()
    assert not {path: names for path, names in unlisted.items() if names}


@pytest.mark.parametrize("name", ["bounded_connection", "event_loop", "protocol"])
def test_the_tables_list_each_inherited_name_in_the_code(name: str) -> None:
    module = importlib.import_module(f"valence.service.server.{name}")
    listed = {n for row in ROWS for n in row.names if f"service/server/{name}.py" in row.files}
    used = list(inherited_names(module))
    assert not [(owner, attribute) for owner, attribute in used if attribute not in listed]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import uvicorn\nuvicorn.config._x()", {"_x"}),
        ("from bentoml._internal.models import Other", {"Other"}),
        ("import bentoml\nbentoml.models.get('a', _store=1)", {"_store"}),
        ("from uvicorn import Server\nself.cycle.body", {"body"}),
        ("import bentoml\nself._x = 1\nself._x", set()),
        ("import asyncio\nasyncio._x()", set()),
    ],
)
def test_private_names_are_found_in_source(source: str, found: set[str]) -> None:
    assert private_names(source) == found


def test_a_name_that_a_package_lacks_is_found() -> None:
    owner = resolve("uvicorn.protocols.http.httptools_impl.HttpToolsProtocol")
    assert has(owner, "cycle")
    assert not has(owner, "cycles")
    assert has(resolve("bentoml.models.create"), "_model_store=")
    assert not has(resolve("bentoml"), "_internal/server/static/")
