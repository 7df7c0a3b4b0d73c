from __future__ import annotations

import zipfile
from pathlib import Path

from valence.training.char_lm import source_code

LONG = "x = 1\n" * 200


def test_files_that_people_wrote_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("package/b.py", LONG)
        wheel.writestr("package/a.py", LONG + "# café\n")
        wheel.writestr("package/short.py", "import b\n")
        wheel.writestr("package/migrations/c.py", LONG)
        wheel.writestr("package/locale/d.py", LONG)
        wheel.writestr("package/style.css", LONG)
    found = list(source_code.read(path))
    assert [example.place for example in found] == ["package/a.py", "package/b.py"]
    assert found[0].text == LONG + "# café"
    assert {example.label for example in found} == {source_code.LABEL}
