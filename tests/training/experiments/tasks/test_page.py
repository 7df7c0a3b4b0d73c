from __future__ import annotations

from pathlib import Path

from valence.training.experiments.tasks import page, task
from valence.training.experiments.tasks.records import Record


def record(name: str, seed: int, score: float, **changes: object) -> Record:
    return Record(
        **{
            "task": name,
            "seed": seed,
            "recipe": "r",
            "data": "d",
            "tag": f"{name}:1",
            "train": 4_800,
            "dev": 530,
            "own_dev": True,
            "score": score,
            "baseline": 0.855,
            "minutes": 1.0 + seed,
            "hardware": "a machine",
            "code_version": "c",
            **changes,
        }
    )


def test_a_row_has_fixed_seed_mean_and_linear_model() -> None:
    (trec6,) = task.load_tasks(["trec6"])
    scores = {2: 0.89, 0: 0.9, 1: 0.88}
    line = page.format_row(
        trec6, {seed: record("trec6", seed, score) for seed, score in scores.items()}
    )
    assert line == (
        "| trec6 | 4,800 / 530 (own) | accuracy | **90.0** | 89.0 (0, 1, 2) | 85.5 | 94.5 | 2.0 | "
        "a machine |"
    )


def test_a_mean_without_the_fixed_seed_is_marked() -> None:
    (tweets,) = task.load_tasks(["tweeteval_sentiment"])
    line = page.format_row(tweets, {1: record(tweets.name, 1, 0.651, own_dev=False)})
    assert "| 4,800 / 530 | macro recall |  | 65.1 (1) |" in line


def test_a_repeated_task_changes_only_its_own_row(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "page.md"
    page.update_row(path, "imdb", "| imdb | old |")
    page.update_row(path, "trec6", "| trec6 | first |")
    path.write_text(f"{path.read_text()}What follows.\n")
    page.update_row(path, "imdb", "| imdb | new |")
    text = path.read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| imdb", "| trec6"))]
    assert rows == ["| trec6 | first |", "| imdb | new |"]
    assert text.startswith("# Public tasks")
    assert text.endswith("What follows.\n")


def test_a_page_without_a_table_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Mine\n\nSomething.\n")
    page.update_row(path, "sst2", "| sst2 | row |")
    assert path.read_text().startswith("# Mine\n\nSomething.\n\n<!-- experiments -->\n| task |")
