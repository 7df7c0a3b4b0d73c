"""The tables of the README agree with the code in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from valence.service.api.application import ROUTES
from valence.service.api.http.problems import KINDS, UNEXPECTED
from valence.service.api.v1.schemas import ClassifyRequest

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
# answered by the connection, before a request exists
HEADERS_TOO_LARGE = 431


def rows(heading: str) -> list[list[str]]:
    """Return the cells of each row of the tables under a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def spellings(path: str) -> Iterator[str]:
    """Yield every path that a path with optional parts in square brackets stands for."""
    before, bracket, rest = path.partition("[")
    if not bracket:
        yield path
        return
    optional, _, after = rest.partition("]")
    for spelling in spellings(after):
        yield before + spelling
        yield before + optional + spelling


def endpoints() -> Iterator[tuple[str, str]]:
    for row in rows("Endpoints"):
        method = ""
        for span in re.findall(r"`([^`]+)`", " ".join(row)):
            match = re.fullmatch(r"(?:(GET|POST) )?(/\S*)", span)
            if match:
                method = match[1] or method
                yield from ((method, path) for path in spellings(match[2]))


def test_the_table_of_endpoints_lists_the_routes():
    served = {(route.method, route.path) for route in ROUTES if "/assets/" not in route.path}
    assert set(endpoints()) == served


def test_the_table_of_statuses_lists_the_errors():
    told = {int(row[0]) for row in rows("Endpoints") if row[0].isdigit()}
    assert told == {HEADERS_TOO_LARGE, *(kind.status for kind in (*KINDS.values(), UNEXPECTED))}


def test_the_table_of_options_lists_the_request_fields():
    told = {name for row in rows("Options") for name in re.findall(r"`(\w+)`", row[0])}
    assert told == ClassifyRequest.model_fields.keys() - {"text", "texts"}


@pytest.mark.parametrize("row", rows("Switching to Valence")[2:], ids=lambda row: row[0])
def test_each_row_on_switching_names_a_served_path(row):
    paths = {route.path for route in ROUTES}
    for path in re.findall(r"(?:\$URL|GET |POST |URL \+ \")(/\w+)", row[1]):
        assert path in paths or path == "/models"
