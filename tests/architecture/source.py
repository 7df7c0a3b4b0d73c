"""The sources of both packages, read and not run: modules, imports, folders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("service", "training")


def find_sources() -> list[Path]:
    """Every Python file of both packages, sorted."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    """The path of a file from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """The name that a file is imported by."""
    module = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"valence.{module}"


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def find_imports(tree: ast.AST) -> Iterator[str]:
    """Every module that ``tree`` imports, at any depth and for type checkers too.

    Of ``from a import b`` both ``a`` and ``a.b``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_imports_at_once(tree: ast.Module) -> set[str]:
    """What importing the module imports: not what functions and type checkers import."""
    imports: set[str] = set()
    nodes: list[ast.AST] = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(find_imports(node))
        nodes.extend(ast.iter_child_nodes(node))
    return imports


def is_within(module: str, packages: set[str] | tuple[str, ...]) -> bool:
    """Whether ``module`` is one of ``packages`` or lies in one of them."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
