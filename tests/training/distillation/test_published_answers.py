"""Answers in the repository fit the preset and the corpora that are pinned."""

from __future__ import annotations

import re

import pytest
from valence.training.config import loader
from valence.training.config.locations import PRESETS
from valence.training.config.schema import Distillation
from valence.training.corpora.catalog import CORPORA
from valence.training.distillation import answer_file

MOST_BYTES = 4_000_000
NAMES = sorted(path.stem for path in answer_file.PUBLISHED.glob(f"*{answer_file.SUFFIX}"))


def test_the_published_answers_are_few_bytes() -> None:
    assert NAMES == ["sentiment"]
    assert sum(path.stat().st_size for path in answer_file.PUBLISHED.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_published_answers_fit_their_preset(name: str) -> None:
    configuration = loader.load_configuration(PRESETS / f"{name}.toml")
    distillation = configuration.distillation
    assert distillation is not None
    assert distillation.answers == name
    stored = answer_file.read_answers(
        answer_file.find_answers(name), labels=configuration.labels, task=configuration.task
    )
    record = stored.record
    # a student may weigh the same answers in another way
    weights = {"answers", "weight", "temperature", "counterfactuals"}
    settings = distillation.model_dump(mode="json", exclude=weights)
    # a setting that is younger than the answers had its default
    defaults = Distillation().model_dump(mode="json")
    assert {key: record.settings.get(key, defaults[key]) for key in settings} == settings
    assert tuple(corpus.name for corpus in record.corpora) == configuration.data.corpora
    for corpus in record.corpora:
        package = CORPORA[corpus.name].package
        assert corpus.sha256 == package.sha256
        assert corpus.license == package.license
        assert "research" not in package.license
    assert record.command == f"valence teach {name} {name}.safetensors"
    assert len(stored.keys) == len(set(stored.keys.tolist()))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record.date)
