from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.pipeline.curve.points import list_sizes, measure_points
from valence.training.pipeline.selection import recipes
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


@pytest.mark.parametrize(
    ("most", "sizes"), [(200, [25, 50, 100, 200]), (41, [20, 41]), (90_000, None)]
)
def test_each_point_has_twice_the_labels(most: int, sizes: list[int] | None) -> None:
    found = list_sizes(most)
    assert sizes is None or found == sizes
    assert found[0] >= 20
    assert found[-1] <= 20_000


@pytest.mark.integration
def test_more_labels_of_the_toy_are_better(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    encoder_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipes, "SOURCES", (str(encoder_folder),))
    points = list(measure_points(configured(), Run(workspace, silent())))
    assert {point.model for point in points} == {recipes.LINEAR, recipes.VECTORS}
    linear = [point for point in points if point.model == recipes.LINEAR]
    assert [point.labels for point in linear] == sorted({point.labels for point in linear})
    assert linear[-1].accuracy > 0.95
    assert linear[-1].accuracy >= linear[0].accuracy
    assert all(0.0 <= each <= 1.0 for point in points for each in point.accuracies)


@pytest.mark.integration
def test_a_curve_needs_texts(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    tmp_path: Path,
) -> None:
    path = tmp_path / "few.csv"
    rows = [
        f"text number {number},{'positive' if number % 2 else 'negative'}" for number in range(40)
    ]
    path.write_text("\n".join(["text,label", *rows]))
    few = configured(data={"files": str(path), "corpora": []})
    with pytest.raises(ConfigurationError, match="are too few for a curve; give 60 or more"):
        list(measure_points(few, Run(workspace, silent())))
