import subprocess
import sys

from tests.chaos.finding import Finding, markdown, publish

KEPT = Finding("a fault", "once", "nothing", "nothing lost", held=True)
BROKEN = Finding("another", "twice", "a request", "nothing lost", held=False)


def test_a_broken_promise_stands_out():
    rows = markdown([KEPT, BROKEN]).splitlines()[2:]
    assert rows[0].endswith("| yes |")
    assert rows[1].endswith("| **no** |")


def test_each_part_has_a_section_that_its_next_run_replaces(tmp_path):
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


def test_a_part_that_does_not_exist_is_refused_by_name():
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--only", "nothing"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "no part nothing" in done.stderr
