"""The notebooks run from their first cell to their last, each in a folder of its own.

`make docs-test` runs them: they train and serve, which takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
_SECONDS = 3_600


def read_cells(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return cells


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_tells_what_it_does(path: Path) -> None:
    cells = read_cells(path)
    assert cells[0]["cell_type"] == "markdown"
    assert cells[0]["source"][0].startswith("# ")
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    text = "".join(line for cell in cells for line in cell["source"])
    assert "assert " in text, "a notebook says what must hold, or its test could not fail"


def test_the_notebooks_are_listed_for_readers() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for path in (*NOTEBOOKS, EXAMPLES / "page.html"):
        assert f"]({path.name})" in page


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("nbclient", reason="`make docs-test` installs nbclient")
    nbformat = pytest.importorskip("nbformat")
    for module in EXAMPLES.glob("*.py"):
        shutil.copy(module, tmp_path)
    # the store and the cache are those of the folder, and `valence` is that of this Python
    for name in [name for name in os.environ if name.startswith(("VALENCE_", "BENTOML_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    runner = client.NotebookClient(
        notebook, timeout=_SECONDS, resources={"metadata": {"path": str(tmp_path)}}
    )
    try:
        runner.execute()
    finally:
        # pytest shows them if a cell fails: a command of `!` that fails ends no cell
        said = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        sys.stdout.writelines(output.get("text", "") for output in said)
    for output in said:
        assert not re.search("^error: ", output.get("text", ""), re.MULTILINE)


def test_the_made_reviews_are_the_same_each_time(tmp_path: Path) -> None:
    program = "import made_data; made_data.write_reviews('a.csv', 300, seed=4)"
    written = []
    for hashed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(EXAMPLES), "PYTHONHASHSEED": hashed}
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
        written.append((tmp_path / "a.csv").read_text("utf-8"))
    assert written[0] == written[1]
    assert len(set(written[0].splitlines())) > 290
