from __future__ import annotations

import json
import sys
import time

import pytest
import torch

from tests.trials.gpu import __main__ as check
from tests.trials.gpu import report

PART = """
import json, sys, time
print(json.dumps({"part": sys.argv[1]}), flush=True)
if sys.argv[1] == "broken":
    sys.exit(3)
if sys.argv[1] == "slow":
    print('{"half":', end="", flush=True)
    time.sleep(60)
"""


def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = report.PAGE.read_bytes()
    assert check.main([]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("skipped: torch finds no GPU here")
    assert said.err.count("\n") == 1
    assert not said.out
    assert report.PAGE.read_bytes() == before


def test_the_parts_end_before_eight_minutes() -> None:
    assert sum(seconds for _, seconds in check.PARTS.values()) <= check.MOST_SECONDS < 480


def test_a_slow_part_is_stopped_and_keeps_its_rows() -> None:
    started = time.perf_counter()
    found, faults = check.run_parts(
        [sys.executable, "-c", PART],
        {"quick": 30.0, "slow": 1.5, "broken": 30.0},
        most_seconds=60.0,
    )
    assert time.perf_counter() - started < 45.0
    assert found == {name: [{"part": name}] for name in ("quick", "slow", "broken")}
    assert faults == ["the part slow was stopped after 2 s", "the part broken ended with 3"]


def test_without_time_no_part_starts() -> None:
    found, faults = check.run_parts(["/nowhere"], {"speed": 30.0}, most_seconds=0.0)
    assert found == {}
    assert faults == ["no time was left for the part speed"]


def test_a_part_prints_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--device", "cpu", "--part", "limits"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["operations_per_second"] > 0
    assert row["bytes_per_second"] > 0
