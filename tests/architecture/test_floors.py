"""Which folder may import which: a folder imports lower floors only.

A new folder gets a line here, on the lowest floor that lies above everything it imports.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.source import (
    PACKAGES,
    ROOT,
    find_sources,
    module_of,
    name_of,
    tree_of,
)

# from the lowest floor up; a file that lies in no folder of its package has a floor of its own
FLOORS = {
    "service": (
        (
            "service",
            "service/errors.py",
            "service/version.py",
            "service/command",
            "service/feedback/migrations/versions",
            "service/machine",
            "service/pacing",
            "service/inference/engines/kernel",
        ),
        ("service/files",),
        (
            "service/settings.py",
            "service/classifier",
            "service/keys",
            "service/observability",
            "service/server",
        ),
        (
            "service/annotation",
            "service/observability/metrics",
            "service/registry",
            "service/inference/engines",
            "service/feedback",
        ),
        (
            "service/feedback/migrations",
            "service/inference/explain",
            "service/monitoring",
            "service/sources",
        ),
        ("service/sampling",),
        ("service/inference", "service/score"),
        (
            "service/inference/reload",
            "service/inference/shadow",
            "service/estimator",
            "service/cluster",
        ),
        ("service/api/http",),
        ("service/api/v1", "service/api/operations"),
        (
            "service/api/dialects/detectors",
            "service/api/dialects/huggingface",
            "service/client",
            "service/api/dialects/open_inference",
        ),
        ("service/api/dialects", "service/api/dialects/sagemaker", "service/api/grpc"),
        ("service/api",),
        ("service/app.py", "service/python"),
    ),
    "training": (
        (
            "training",
            "training/runtime",
            "training/config",
            "training/metrics",
            "training/registry",
            "training/experiments",
            "training/shadow",
        ),
        ("training/corpora", "training/behaviour", "training/monitoring"),
        ("training/embeddings", "training/counterfactuals"),
        ("training/data",),
        ("training/linear", "training/labelling"),
        ("training/checks", "training/trainer"),
        (
            "training/char_lm",
            "training/distillation",
            "training/report",
            "training/evaluation",
            "training/outside",
        ),
        (
            "training/active_learning",
            "training/evaluation/assessment",
            "training/tracking",
            "training/pipeline/gate",
            "training/pipeline/selection",
        ),
        ("training/pipeline", "training/pipeline/curve", "training/experiments/search"),
        ("training/experiments/tasks",),
        ("training/cli",),
        ("training/__main__.py",),
    ),
}
LOOSE = {
    "service": {"__init__.py", "app.py", "settings.py", "errors.py", "version.py"},
    "training": {"__init__.py", "__main__.py"},
}
MODULES = {module_of(path): path for path in find_sources()}


def room_of(path: Path) -> str:
    """The folder of a file, or the file itself if it lies in no folder of its package."""
    name = name_of(path)
    folder = name.rpartition("/")[0]
    return folder if folder not in PACKAGES or name.endswith("__init__.py") else name


def needed_modules(path: Path) -> set[str]:
    """The modules of both packages that a file imports.

    Of ``from a import b`` only ``a.b``, if it is a module.
    """
    needed = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                needed.add(module if module in MODULES else str(node.module))
    return (needed & MODULES.keys()) - {module_of(path)}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_has_one_floor(package: str) -> None:
    rooms = sorted(
        {room_of(path) for path in MODULES.values() if name_of(path).startswith(package)}
    )
    assert sorted(room for floor in FLOORS[package] for room in floor) == rooms


@pytest.mark.parametrize("package", PACKAGES)
def test_only_named_files_lie_in_no_folder(package: str) -> None:
    assert {path.name for path in (ROOT / package).glob("*.py")} == LOOSE[package]


@pytest.mark.parametrize("path", MODULES.values(), ids=name_of)
def test_a_folder_imports_lower_floors_only(path: Path) -> None:
    package = name_of(path).partition("/")[0]
    floors = {room: number for number, floor in enumerate(FLOORS[package]) for room in floor}
    room = room_of(path)
    for module in needed_modules(path):
        imported = room_of(MODULES[module])
        if imported.startswith(package) and imported != room:
            assert floors[imported] < floors[room], f"{name_of(path)} imports {module}"


def test_no_two_files_import_each_other_in_a_circle() -> None:
    """Imports for type checkers and imports inside functions count too."""
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for imported in needed_modules(MODULES[module]):
                visit(imported, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("path", sorted({path.parent for path in MODULES.values()}), ids=name_of)
def test_every_folder_says_in_its_docstring_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(tree_of(path / "__init__.py")), path
