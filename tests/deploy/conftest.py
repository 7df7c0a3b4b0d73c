"""The rendered manifests, and copies of their sources in which tests plant mistakes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.rendering import ROOT, Rendered, render


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(ROOT / "deploy", tmp_path_factory.mktemp("rendered"))


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies ``deploy/`` and ``docs/`` and changes one text in one file."""

    def copy_and_change(file: str, before: str, after: str) -> Path:
        root = tmp_path / "planted"
        if not root.exists():
            for folder in ("deploy", "docs"):
                shutil.copytree(ROOT / folder, root / folder)
        path = root / file
        text = path.read_text("utf-8")
        assert before in text, f"{file} has changed: there is no {before!r} to spoil"
        path.write_text(text.replace(before, after), "utf-8")
        return root

    return copy_and_change
