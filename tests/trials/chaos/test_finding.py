import subprocess
import sys

from tests.trials.chaos.finding import Finding, markdown, publish

KEPT = Finding("a fault", "once", "nothing", "nothing lost", held=True)
BROKEN = Finding("another", "twice", "a request", "nothing lost", held=False)


def test_a_broken_promise_is_printed_in_bold():
    rows = markdown([KEPT, BROKEN]).splitlines()[2:]
    assert rows[0].endswith("| yes |")
    assert rows[1].endswith("| **no** |")


def test_the_next_run_of_a_part_replaces_its_section(tmp_path):
    page = tmp_path / "faults.md"
    publish("one", [BROKEN], page)
    publish("two", [KEPT], page)
    before = page.read_text()
    assert "cores" in before
    publish("one", [KEPT, KEPT], page)
    text = page.read_text()
    assert text.count("# Faults") == 1
    assert f"| {BROKEN.fault} |" not in text
    assert text.count(f"| {KEPT.fault} |") == 3
    publish("one", [BROKEN], page)
    assert page.read_text() == before


def test_an_unknown_part_is_refused_by_name():
    done = subprocess.run(
        [sys.executable, "-m", "tests.trials.chaos", "--only", "nothing"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "no part nothing" in done.stderr
