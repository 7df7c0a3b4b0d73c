"""Links of the documents lead somewhere, and the README stays short."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs/**/", "deploy/**/", "service/**/", "training/**/")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}*.md"))
MAX_README_LINES = 150


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code(page: Path) -> str:
    """The text of ``page`` without blocks and spans of code, which may hold brackets."""
    text = page.read_text("utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)[^`]+\1", "x", text)


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that the headings of ``page`` get."""
    found: set[str] = set()
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (numbered := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(numbered)
    return frozenset(found)


def broken(page: Path, link: str) -> str | None:
    """What is wrong with ``link`` in ``page``, or None."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    if not target.exists():
        return f"{link}: there is no such file"
    if not target.resolve().is_relative_to(ROOT):
        return f"{link}: outside of the repository"
    if anchor and (target.suffix != ".md" or anchor not in anchors(target.resolve())):
        return f"{link}: there is no such heading"
    return None


def test_the_pages_are_found() -> None:
    names = set(map(name_of, PAGES))
    assert {"README.md", "CONTRIBUTING.md", "docs/guide/install.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)", without_code(page))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert not [fault for link in relative if (fault := broken(page, link))]


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= MAX_README_LINES
