"""The wheel in a new environment, for each Python of this machine.

``make test ARGS='-m slow tests/e2e/test_wheel.py'``, or ``python -m tests.trials.wheel`` for a line
of figures for each Python. Both need a compiler and a package index.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trials.wheel.installation import (
    build_wheel,
    copy_sources,
    find_pythons,
    list_names,
    try_wheel,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("version", find_pythons())
def test_the_wheel_predicts_where_nothing_else_is(
    tmp_path: Path, tiny_folder: Path, version: str
) -> None:
    python = find_pythons()[version]
    wheel = build_wheel(copy_sources(tmp_path / "sources"), python)
    assert {name.partition("-")[0] for name in list_names(wheel)} == {"valence"}
    assert "-manylinux_2_" in wheel.name
    tried = try_wheel(wheel, python, tiny_folder, tmp_path / "environment")
    assert tried.engine.startswith("native-")
    assert tried.label in ("negative", "neutral", "positive", "uncertain")
    assert tried.install_seconds + tried.answer_seconds < 60
    assert not {"torch", "bentoml", "starlette", "uvloop", "typer"} & set(tried.packages)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    """From another folder, and after another build that left files behind."""
    python = next(iter(find_pythons().values()))
    one, two = (copy_sources(tmp_path / name) for name in ("one", "two-with-a-longer-name"))
    (two / "service" / "left_over.py").write_text("X = 1\n")
    other = build_wheel(two, python).read_bytes()
    (two / "service" / "left_over.py").unlink()
    shutil.rmtree(two / "dist")
    first = build_wheel(one, python)
    assert build_wheel(two, python).read_bytes() == first.read_bytes() != other
    assert build_wheel(one, python).read_bytes() == first.read_bytes()


@pytest.mark.skipif(
    not all(map(shutil.which, ("aarch64-linux-gnu-g++", "qemu-aarch64-static", "apt-get"))),
    reason="Debian's g++-aarch64-linux-gnu or qemu-user-static is not installed",
)
def test_the_wheel_for_arm_answers_in_an_emulator(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    done = subprocess.run(
        ["make", "--silent", "wheel-arm", f"PYTHON={sys.executable}"],
        cwd=sources,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "native-neon: " in done.stdout
    (wheel,) = (sources / "dist" / "arm64").glob("valence-*-manylinux_2_*_aarch64.whl")
    assert {name.partition("-")[0] for name in list_names(wheel)} == {"valence"}
