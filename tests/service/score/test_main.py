from __future__ import annotations

import io
import math
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from valence.service.api.v1 import schemas
from valence.service.errors import ConfigurationError
from valence.service.score import __main__ as command
from valence.service.score import options


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
        (("missing.csv", "out.csv"), "missing.csv does not exist"),
        (("folder.csv", "out.csv"), "folder.csv is a folder; give the path of a file"),
        (("pipe.csv", "out.csv"), "pipe.csv is a device or a pipe; give the path of a file"),
    ],
)
def test_input_that_cannot_be_scored_is_one_line_and_status_1(
    monkeypatch, capsys, tmp_path, given, told
):
    monkeypatch.chdir(tmp_path)
    for name in ("in.txt", "in.csv"):
        (tmp_path / name).write_text("a text\n")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    monkeypatch.setattr(sys, "argv", ["score", *given])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {told}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--top-k", "-1"), "'-1' is not a whole number of labels from 1 on"),
        (("--top-k", "0"), "'0' is not a whole number"),
        (("--top-k", "1.5"), "'1.5' is not a whole number"),
        (("--min-confidence", "80"), "'80' is not a probability from 0 to 1"),
        (("--min-confidence", "-0.1"), "'-0.1' is not a probability"),
        (("--min-confidence", "nan"), "'nan' is not a probability"),
        (("--min-confidence", "inf"), "'inf' is not a probability"),
        (("--min-confidence", "80%"), "'80%' is not a probability"),
        (("--truncation", "middle"), "invalid choice: 'middle'"),
        (("--unreadable", "drop"), "invalid choice: 'drop'"),
        (("--jobs", "0"), "'0' is not a number of processes: give 1 or more, or auto"),
        (("--jobs", "all"), "'all' is not a number of processes"),
        (("--in-format", "xml"), "invalid choice: 'xml'"),
    ],
)
def test_an_option_that_the_api_refuses_is_refused_with_2(capsys, tmp_path, given, told):
    (tmp_path / "in.csv").write_text("text\ngood\n")
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), *given])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv"}


@given(st.integers(-3, 9) | st.none(), st.floats(-2, 2) | st.sampled_from([math.nan, math.inf]))
def test_the_rule_of_an_option_is_that_of_the_api(top_k, confidence):
    def is_accepted(parse, value) -> bool:
        try:
            parse(str(value))
        except ConfigurationError:
            return False
        return True

    def is_answered(**fields) -> bool:
        try:
            schemas.Options(**fields)
        except ValidationError:
            return False
        return True

    assert is_accepted(options.parse_top_k, top_k) == is_answered(top_k=top_k)
    assert is_accepted(options.parse_min_confidence, confidence) == is_answered(
        min_confidence=confidence
    )


def test_ctrl_c_ends_with_130_and_names_the_remedy(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run", interrupt)
    with pytest.raises(SystemExit) as ended:
        command.main(["in.csv", "out.csv"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"
