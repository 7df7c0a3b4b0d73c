from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from valence.training.runtime import progress
from valence.training.runtime.progress import Reporter, time_left


def report(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, highlight=False)
    reporter = Reporter(console)
    reporter.say("[bold]a label[/bold] " + "long " * 60 + "end")
    with reporter.bar("epoch 2/2", total=4, done=2, note="dev macro-F1 0.7") as advance:
        advance(tokens_per_second=12_345.6)
        advance(tokens_per_second=12_345.6)
    return text.getvalue()


def test_a_log_has_one_plain_line_per_message_and_no_bar() -> None:
    said = report(terminal=False)
    assert said == "[bold]a label[/bold] " + "long " * 60 + "end\n"


@pytest.mark.parametrize(
    ("message", "colour"),
    [
        ("warning: the data are few", "\x1b[33m"),
        ("next: `valence serve`", "\x1b[1;32m"),
        ("warnings: 3", ""),
        ("report: next: no", ""),
    ],
)
def test_warnings_and_the_next_step_have_colours(
    monkeypatch: pytest.MonkeyPatch, message: str, colour: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", highlight=False)
    Reporter(console).say(message)
    assert text.getvalue() == (f"{colour}{message}\x1b[0m\n" if colour else f"{message}\n")


def test_a_log_has_lines_with_speed_time_and_dev_metric(monkeypatch) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.0)
    first, last = report(terminal=False).splitlines()[1:]
    assert re.fullmatch(r"epoch 2/2: 3/4, 12,346 tokens/s, 0:00:0\d left, dev macro-F1 0.7", first)
    assert last == "epoch 2/2: 4/4, 12,346 tokens/s, 0:00:00 left, dev macro-F1 0.7"


def test_a_terminal_has_a_bar_with_speed_time_and_dev_metric() -> None:
    said = report(terminal=True)
    assert "epoch 2/2" in said
    assert "12,346 tokens/s" in said
    assert "4/4" in said
    assert re.search(r"\d:\d\d:\d\d\S* left dev macro-F1 0.7", said)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("value", "live"), [("true", False), ("1", False), ("", True), ("false", True), ("0", True)]
)
def test_a_terminal_in_ci_gets_a_log(
    monkeypatch: pytest.MonkeyPatch, value: str, live: bool
) -> None:
    monkeypatch.setenv("CI", value)
    monkeypatch.setenv("FORCE_COLOR", "1")
    # the properties of a stream that rich uses
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    reporter = Reporter()
    assert reporter.console.is_terminal is live
    with reporter.bar("epoch 1/2", total=1) as advance:
        advance(tokens_per_second=1.0)
    reporter.say("epoch 1/2: done")
    assert ("\x1b" in terminal.getvalue()) is live
    assert terminal.getvalue().endswith("epoch 1/2: done\n")
    assert live or terminal.getvalue() == "epoch 1/2: done\n"


def test_without_a_console_standard_error_is_used() -> None:
    assert Reporter().console.stderr


def test_the_time_left_is_proportional_to_the_work_left() -> None:
    assert str(time_left(30.0, 10, 40)) == "0:01:30"
    assert str(time_left(30.0, 40, 40)) == "0:00:00"
    assert str(time_left(0.1, 1, 3)) == "0:00:01"
