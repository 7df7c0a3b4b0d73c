"""The command line tells what is not installed, and by which extra it would be."""

from __future__ import annotations

import sys

import pytest
from valence.training.cli import entry


class Missing:
    """A finder that knows no package called ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(
    ("package", "arguments", "told"),
    [
        ("typer", (), "the command line needs .* typer, .*'valence.train.' .*'valence.serve.'"),
        ("typer", ("serve", "--port", "1"), "`valence serve` needs .* typer, .*'valence.serve.'$"),
        ("typer", ("score", "a", "b"), "`valence score` needs .* typer, .*'valence.score.'$"),
        ("rich", ("train",), "`valence train` needs the package rich, .*'valence.train.'$"),
        ("bentoml", ("serve",), "`valence serve` needs .* bentoml, .*'valence.serve.'$"),
        ("bentoml", ("show", "no"), "`valence show` needs .* bentoml, .*'valence.train.'$"),
    ],
)
def test_a_missing_package_is_one_line_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, arguments: tuple[str, ...], told: str
) -> None:
    loaded = [
        name
        for name in sys.modules
        if name.partition(".")[0] == package or name.startswith("valence.training.cli.")
    ]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("valence.training.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(package), *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["valence", *arguments])
    with pytest.raises(SystemExit, match=f"error: {told}") as ended:
        entry.main()
    assert "\n" not in str(ended.value.code)


def test_a_fault_of_valence_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'valence.nothing'", name="valence.nothing")

    monkeypatch.setattr("valence.training.cli.main.main", fail)
    with pytest.raises(ModuleNotFoundError, match=r"valence\.nothing"):
        entry.main()
