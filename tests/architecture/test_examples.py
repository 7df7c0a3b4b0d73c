"""The examples are outside of the product: nothing imports or installs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from setuptools import find_packages
from valence.service.registry import bento

from tests.architecture.source import ROOT, find_imports, find_sources, tree_of

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def test_the_product_imports_no_example() -> None:
    names = {"examples", "recurrent_networks", *(path.stem for path in EXAMPLES)}
    for source in find_sources():
        found = {name.split(".")[0] for name in find_imports(tree_of(source))}
        assert not found & names, source


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "recurrent_networks").glob("*.py")), ids=lambda p: p.stem
)
def test_an_example_is_one_file_to_read(path: Path) -> None:
    """It imports neither the product nor another example, and says what it is."""
    tree = tree_of(path)
    found = {name.split(".")[0] for name in find_imports(tree)}
    assert not found & {"valence", "examples", *(other.stem for other in EXAMPLES)}
    assert f"python examples/recurrent_networks/{path.name}" in (ast.get_docstring(tree) or "")


def test_the_wheel_has_no_example() -> None:
    (call,) = (
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "find_packages"
    )
    include = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}["include"]
    found = find_packages(where=str(ROOT), include=include)
    assert {"service", "training.char_lm"} <= set(found)
    assert {name.split(".")[0] for name in found} == {"service", "training"}


def test_the_bento_has_no_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    content = (ROOT / "bentofile.yaml").read_text("utf-8")
    include = yaml.safe_load(content)["include"]
    assert include
    assert all(pattern.startswith("valence/") for pattern in include)
    bento.lay_out_context(content, tmp_path)
    held = {path.name for path in tmp_path.rglob("*.py")}
    assert "app.py" in held
    assert not held & {path.name for path in (ROOT / "examples" / "recurrent_networks").glob("*")}


def test_the_image_has_no_example() -> None:
    for path in (ROOT / "deploy" / "image").iterdir():
        if path.is_file():
            assert "examples" not in path.read_text("utf-8"), path
