from __future__ import annotations

import io
import sys

import pytest
from valence.service.score import __main__ as command


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal, True), (io.StringIO, False)])
def test_a_progress_bar_is_drawn_only_on_a_terminal(monkeypatch, stream, drawn):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", stream())
    with command._progress() as advance:
        advance(1_234, 0.5)
    assert ("1,234 rows" in sys.stderr.getvalue()) == drawn
    assert ("50%" in sys.stderr.getvalue()) == drawn
    assert bool(sys.stderr.getvalue()) == drawn


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("in.txt", "out.csv"), "in.txt: the extension must be one of csv, tsv, jsonl, parquet"),
        (("in.csv", "out.parquet.gz"), "out.parquet.gz: the extension must be one of"),
        (("in.csv", "out.csv"), "in.csv is not a file"),
    ],
)
def test_input_that_cannot_be_scored_is_one_line_and_status_1(monkeypatch, capsys, given, told):
    monkeypatch.setattr(sys, "argv", ["score", *given])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {told}")
    assert said.count("\n") == 1
