"""NOTICE, README and the guide name every published source with its licence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from valence.training.char_lm import source_code
from valence.training.corpora.archive import Package
from valence.training.corpora.catalog import CORPORA
from valence.training.embeddings import encoder_model, glove

ROOT = Path(__file__).parents[2]
SOURCES: dict[str, Package] = {
    **{name: corpus.package for name, corpus in CORPORA.items()},
    glove.NAME: glove.PACKAGE,
    encoder_model.MINILM: encoder_model.PACKAGE,
    **source_code.PACKAGES,
}


def paragraph_of(name: str) -> str:
    """What NOTICE says about a source: its line, and the deeper lines after it."""
    text = (ROOT / "NOTICE").read_text("utf-8")
    found = re.search(rf"^  {re.escape(name)} .*\n(?:   .*\n)*", text, re.MULTILINE)
    assert found, f"NOTICE does not name {name}"
    return " ".join(found[0].split())


@pytest.mark.parametrize("name", SOURCES)
def test_the_notice_names_package_version_and_licence(name: str) -> None:
    package = SOURCES[name]
    said = paragraph_of(name)
    assert f"{package.name} {package.version}, {package.license.split()[0]}" in said
    assert ("for research" in said) == ("research" in package.license)


@pytest.mark.parametrize("page", ["README.md", "docs/guide/models.md"])
@pytest.mark.parametrize("name", SOURCES)
def test_a_page_names_each_source_with_its_licence(page: str, name: str) -> None:
    licence = SOURCES[name].license
    lines = (ROOT / page).read_text("utf-8").splitlines()
    named = [line for line in lines if line.startswith("|") and f"`{name}`" in line]
    assert any(
        licence.split()[0] in line and ("research" in line) == ("research" in licence)
        for line in named
    )


def test_the_notice_is_installed_with_the_package() -> None:
    assert 'license-files = ["LICENSE", "NOTICE"]' in (ROOT / "pyproject.toml").read_text("utf-8")
