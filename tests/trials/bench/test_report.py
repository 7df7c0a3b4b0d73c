from __future__ import annotations

import pytest

from tests.trials.bench import report
from tests.trials.bench.report import Goal, Section, Table, figure, write, write_index


def section(name, figures="1", **goal):
    goals = [Goal(f"goal of {name}", 2.0, 3.0, **goal)]
    return Section(name.title(), f"Text of {name}.", [Table(["a", "b"], [["x", figures]])], goals)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.0012, "0.0012"), (0.5, "0.50"), (1.234, "1.23"), (12.34, "12.3"),
        (123.4, "123"), (12345.6, "12,346"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_figures_have_three_digits(value, shown):
    assert figure(value) == shown


def test_a_table_is_markdown_with_right_aligned_figures():
    table = Table(["name", "1 | 2"], [["x", "3"]], note="Note:")
    assert table.markdown() == "Note:\n\n| name | 1 \\| 2 |\n|---|---:|\n| x | 3 |"


def test_a_row_with_a_wrong_number_of_cells_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(["a", "b"], [["x"]]).markdown()


@pytest.mark.parametrize(
    ("measured", "at_least", "met"),
    [(8.0, True, True), (7.99, True, False), (8.0, False, True), (8.01, False, False)],
)
def test_a_goal_is_met_up_to_its_limit(measured, at_least, met):
    goal = Goal("g", 8.0, measured, at_least=at_least)
    assert goal.met is met
    assert ("| yes |" in goal.row("part")) is met


def test_replacing_a_part_keeps_the_figures_of_the_others(tmp_path):
    path = tmp_path / "docs" / "benchmarks.md"
    order = ["first", "second"]
    write(path, {"first": section("first"), "second": section("second")}, order=order)
    write(path, {"second": section("second", "2", at_least=False)}, order=order)
    text = path.read_text(encoding="utf-8")
    assert "| first | goal of first | ≥ 2.00x | 3.00x | yes |" in text
    assert "| second | goal of second | ≤ 2.00x | 3.00x | **no** |" in text
    assert text.count("goal of second") == 1
    assert text.count("## First") == text.count("## Second") == 1
    assert text.index("## Goals") < text.index("## First") < text.index("## Second")
    assert "| x | 1 |" in text.partition("## Second")[0]
    assert "| x | 2 |" in text.partition("## Second")[2]


def test_a_picture_stands_beside_its_page(tmp_path):
    path = tmp_path / "a-processor.md"
    section = report.Section("Costs", "Told.", [], picture="<svg/>")
    report.write(path, {"peers": section}, order=["peers"])
    assert (tmp_path / "a-processor-peers.svg").read_text() == "<svg/>"
    assert "![Costs](a-processor-peers.svg)" in path.read_text()


def test_writing_the_same_part_again_changes_nothing(tmp_path):
    path = tmp_path / "benchmarks.md"
    write(path, {"one": section("one")}, order=["one", "other"])
    before = path.read_text(encoding="utf-8")
    write(path, {"one": section("one")}, order=["one", "other"])
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("Intel(R) Xeon(R) Processor", {"avx2", "avx512f", "amx_bf16"},
         "intel-xeon-processor-amx-bf16.md"),
        ("AMD EPYC", {"avx2", "fma"}, "amd-epyc-avx2.md"),
        ("aarch64", set(), "aarch64.md"),
    ],
)  # fmt: skip
def test_a_page_is_named_by_processor_and_best_instructions(name, flags, expected):
    assert report.file_name(name, flags) == expected


def test_the_index_lists_all_pages_with_their_goals(tmp_path):
    folder = tmp_path / "benchmarks"
    for name, at_least in (("Old CPU", True), ("New CPU", False)):
        sections = {"one": section("one"), "two": section("two", at_least=at_least)}
        write(folder / report.file_name(name, {"avx2"}), sections, order=["one", "two"])
    index = tmp_path / "benchmarks.md"
    write_index(index, folder)
    rows = [line for line in index.read_text(encoding="utf-8").splitlines() if "](" in line]
    assert [row.partition("](")[2].partition(")")[0] for row in rows] == [
        "benchmarks/new-cpu-avx2.md",
        "benchmarks/old-cpu-avx2.md",
    ]
    assert all(report.find_processor()[0] in row for row in rows)
    assert rows[0].endswith("| 1 of 2 |")
    assert rows[1].endswith("| 2 of 2 |")


def test_a_page_without_a_machine_is_refused(tmp_path):
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "x.md").write_text("# Notes\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.md names no machine"):
        write_index(tmp_path / "benchmarks.md", folder)
