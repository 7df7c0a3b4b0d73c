"""Every command in the documents exists, with every option that it is given there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from valence.service.keys import __main__ as keys
from valence.service.score import __main__ as score
from valence.training.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
# arguments of these are read by the commands of the service
FORWARDED = {"score", "keys", "bento"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def find_lines(page: Path) -> Iterator[str]:
    """The lines of the shell snippets of a page; a backslash joins two lines."""
    for snippet in re.findall(
        r"^```(?:sh|bash|console)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        for line in snippet.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ")


def find_commands(name: str) -> list[tuple[str, str]]:
    """The page and the line of each snippet that calls ``name``."""
    found = []
    for page in PAGES:
        for line in find_lines(page):
            match = re.search(rf"(?:^|[;&|(] *)(?:\.venv/bin/)?({name} [^;&|#<>)]*)", line)
            if match and not line.lstrip().startswith("#"):
                found.append((page.relative_to(ROOT).as_posix(), match[1].strip()))
    return found


@pytest.mark.parametrize(("page", "line"), find_commands("valence"))
def test_a_command_of_a_page_is_accepted(page: str, line: str) -> None:
    """The command is parsed, and does not run."""
    name, *arguments = shlex.split(line)[1:]
    if name == "--help":
        return
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    if name == "score":
        score._parser().parse_args(arguments)
    elif name == "keys":
        assert arguments[:1] == ["new"]
        assert callable(keys.main)
    elif name not in FORWARDED:
        # a placeholder such as NAME is a word like any other
        command.make_context(name, arguments, resilient_parsing="--help" in arguments)


@pytest.mark.parametrize(("page", "line"), find_commands("make"))
def test_a_target_of_a_page_exists(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    assert targets
    assert set(targets) <= TARGETS


def test_the_pages_name_most_commands() -> None:
    """The pages document the command line: a test that finds no snippet tests nothing."""
    named = {shlex.split(line)[1] for _, line in find_commands("valence")}
    assert {"train", "evaluate", "score", "search", "check"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_that_a_sentence_names_exist(page: Path) -> None:
    known = get_command(app).commands.keys()  # type: ignore[attr-defined]
    assert set(re.findall(r"`(?:\.venv/bin/)?valence ([a-z]+)", page.read_text("utf-8"))) <= known


# the log names the targets of its time
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "training-log.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_targets_that_a_sentence_names_exist(page: Path) -> None:
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))) <= TARGETS
