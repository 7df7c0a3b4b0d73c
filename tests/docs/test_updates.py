"""The configuration of dependency updates finds its files, and leaves the choice of registries."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / ".github" / "dependabot.yml"
# what an ecosystem reads in a folder
FILES = {
    "pip": ("pyproject.toml", "*.txt"),
    "npm": ("package-lock.json",),
    "docker": ("Dockerfile",),
    "docker-compose": ("compose.yaml",),
}


def test_each_folder_of_updates_has_files_of_its_ecosystem() -> None:
    updates = yaml.safe_load(CONFIGURATION.read_text("utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == FILES.keys()
    for update in updates:
        for folder in update.get("directories", [update.get("directory")]):
            path = ROOT / folder.strip("/")
            assert any(
                found for kind in FILES[update["package-ecosystem"]] for found in path.glob(kind)
            ), f"{folder} has nothing to update"


def test_every_pinned_file_is_updated() -> None:
    """A new Dockerfile, compose.yaml or package.json needs an entry."""
    updates = yaml.safe_load(CONFIGURATION.read_text("utf-8"))["updates"]
    known = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    for part in ("deploy", "service", "tests", "training", "docs"):
        for kind, name in (
            ("docker", "Dockerfile*"),
            ("docker-compose", "compose*.yaml"),
            ("npm", "package.json"),
        ):
            for path in (ROOT / part).rglob(name):
                assert (kind, path.parent.relative_to(ROOT).as_posix()) in known


def test_no_registry_is_named() -> None:
    text = CONFIGURATION.read_text("utf-8")
    settings = "\n".join(line.partition("#")[0] for line in text.splitlines())
    assert not re.search(r"registries|https?:|\b[\w-]+\.(?:com|org|io|net|dev)\b", settings)


def test_an_audit_fails_if_a_package_cannot_be_looked_up() -> None:
    """Without --strict, pip-audit passes over such a package and ends with success."""
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\naudit: ")[2].partition("\n\n")[0]
    assert "pip-audit --strict" in recipe
    assert "$(wildcard requirements/locks/*.txt)" in recipe
