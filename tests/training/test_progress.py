from __future__ import annotations

import io

from rich.console import Console

from training.progress import Reporter


def report(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=60, highlight=False)
    reporter = Reporter(console)
    reporter.say("[bold]a label[/bold] " + "long " * 40 + "end")
    with reporter.bar("epoch 1/2", total=2) as advance:
        advance(tokens_per_second=12_345.6)
        advance(tokens_per_second=12_345.6)
    return text.getvalue()


def test_a_log_has_one_plain_line_a_message_and_no_bar() -> None:
    said = report(terminal=False)
    assert said == "[bold]a label[/bold] " + "long " * 40 + "end\n"


def test_a_terminal_has_a_bar_with_the_speed() -> None:
    said = report(terminal=True)
    assert "epoch 1/2" in said
    assert "12,346 tokens/s" in said
    assert "2/2" in said


def test_without_a_console_standard_error_is_used() -> None:
    assert Reporter().console.stderr
