from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.files import formats
from valence.service.score import run
from valence.service.score.options import Options, ScoreOptions
from valence.service.score.texts import TextScorer

Score = Callable[..., int]


@pytest.fixture
def score(tiny_artifact, counting_engine) -> Score:
    """Return a function that scores a file into another with the tiny model, 8 rows a part."""

    def score(
        source: Path, out: Path, *, engine=counting_engine, advance=lambda *_: None, **given
    ) -> int:
        chosen = {field.name for field in fields(ScoreOptions)} & given.keys()
        scoring = ScoreOptions(**{name: given.pop(name) for name in chosen})
        options = Options(
            text_column=given.pop("text_column", "text"),
            in_format=formats.require_format(source),
            out_format=formats.require_output_format(out),
            encoding=given.pop("encoding", "utf-8"),
            part_rows=8,
            **given,
        )
        scorer = TextScorer(Classifier(tiny_artifact), engine, scoring)
        tally = run.score_file(source, out, scorer=scorer, options=options, advance=advance)
        return tally.rows

    return score
