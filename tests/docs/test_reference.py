"""The tables of the guide and the reference agree with the code."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from valence.service.api.application import ROUTES
from valence.service.api.http.problems import KINDS, UNEXPECTED
from valence.service.api.v1.schemas import ClassifyRequest
from valence.service.server.refusals import REFUSALS
from valence.training.char_lm.config import CharacterConfiguration
from valence.training.config.schema import Configuration

from tests.docs import settings_table

DOCS = Path(__file__).parents[2] / "docs"
API = DOCS / "reference" / "api.md"
CONFIGURATION = DOCS / "reference" / "configuration.md"
INSTALL = DOCS / "guide" / "install.md"
SWITCHING = DOCS / "guide" / "switching.md"


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of each row of the tables under a heading, without the heads of the tables."""
    text = page.read_text("utf-8")
    level = "#" if text.startswith(f"# {heading}\n") else "##"
    section = f"\n{text}".partition(f"\n{level} {heading}\n")[2].partition("\n## ")[0]
    section = re.sub(r"^.*\n\|[-:| ]+\|$", "", section, flags=re.MULTILINE)
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    assert found, f"{page} has no table under {heading}"
    return found


def spellings(path: str) -> Iterator[str]:
    """Every path that one with parts in square brackets stands for."""
    before, bracket, rest = path.partition("[")
    if not bracket:
        yield path
        return
    optional, _, after = rest.partition("]")
    for spelling in spellings(after):
        yield before + spelling
        yield before + optional + spelling


def endpoints() -> Iterator[tuple[str, str]]:
    for row in rows(API, "Endpoints"):
        method = ""
        for span in re.findall(r"`([^`]+)`", " ".join(row)):
            match = re.fullmatch(r"(?:(GET|POST) )?(/\S*)", span)
            if match:
                method = match[1] or method
                yield from ((method, path) for path in spellings(match[2]))


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a section that may be absent, or None for a key."""
    options = (field.annotation, *get_args(field.annotation))
    models = (one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return next(models, None)


def default_of(field: FieldInfo) -> str:
    """The default as the tables write it."""
    if field.is_required():
        return "required"
    return "" if field.default is None else f"`{json.dumps(field.default)}`".replace("|", r"\|")


def keys(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """The default of each key of ``model`` that is not a section."""
    return {
        prefix + name: default_of(field)
        for name, field in model.model_fields.items()
        if section_of(field) is None
    }


def described(heading: str) -> dict[str, str]:
    """The keys and defaults of the table under a heading of the reference."""
    return {row[0].strip("`"): row[1] for row in rows(CONFIGURATION, heading)}


def test_the_endpoints_are_the_routes() -> None:
    served = {(route.method, route.path) for route in ROUTES if "/assets/" not in route.path}
    assert set(endpoints()) == served


def test_the_statuses_are_those_of_errors() -> None:
    listed = {int(row[0]) for row in rows(API, "Statuses")}
    assert listed == {kind.status for kind in (*KINDS.values(), UNEXPECTED, *REFUSALS)}


def test_the_options_are_the_fields_of_a_request() -> None:
    listed = {name for row in rows(API, "Options") for name in re.findall(r"`(\w+)`", row[0])}
    assert listed == ClassifyRequest.model_fields.keys() - {"text", "texts"}


@pytest.mark.parametrize("row", rows(SWITCHING, "Clients of other servers"), ids=lambda row: row[0])
def test_a_line_to_switch_names_a_path_that_is_served(row: list[str]) -> None:
    paths = {route.path for route in ROUTES}
    for path in re.findall(r"(?:\$URL|GET |POST |URL \+ \")(/[\w/]+)", row[1]):
        assert path in paths or path.startswith("/models/")


def test_the_extras_are_listed() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    listed = {row[0].strip("`") for row in rows(INSTALL, "Packages that only some commands need")}
    assert listed - {""} == project["optional-dependencies"].keys()


def test_the_settings_are_listed_with_default_and_meaning() -> None:
    page = settings_table.PAGE.read_text("utf-8")
    assert settings_table.table() in page, "run `python -m tests.docs.settings_table`"


def test_the_keys_of_a_configuration_are_listed_with_default() -> None:
    assert described("Top level") == keys(Configuration)


@pytest.mark.parametrize(
    "section", [name for name, field in Configuration.model_fields.items() if section_of(field)]
)
def test_the_keys_of_a_section_are_listed_with_default(section: str) -> None:
    model = section_of(Configuration.model_fields[section])
    assert model is not None
    assert described(f"`[{section}]`") == keys(model)


def test_the_keys_of_a_character_model_are_listed_with_default() -> None:
    expected = keys(CharacterConfiguration)
    for name, field in CharacterConfiguration.model_fields.items():
        if model := section_of(field):
            expected |= keys(model, f"{name}.")
    assert described("Character models") == expected
