"""Data with given splits, or with test texts in another file."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration, Distillation
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.counterfactuals.maker import RULES
from valence.training.data import large_files
from valence.training.data.batches import EncodedTexts
from valence.training.data.preparation import load_splits, prepare, split_counterfactuals
from valence.training.data.split import assign_split
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}


def write(path: Path, examples: Sequence[Example]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        rows.writerows((example.text, example.label) for example in examples)
    return str(path)


def texts(part: Sequence[Example]) -> set[str]:
    return {example.text for example in part}


@pytest.fixture
def given(
    configured: Callable[..., Configuration], tmp_path: Path, examples: list[Example]
) -> Callable[..., Configuration]:
    """Return a configuration with a train and a dev file, which share 50 texts."""

    def given(**data: object) -> Configuration:
        train = write(tmp_path / "train.csv", examples[:350])
        dev = write(tmp_path / "dev.csv", examples[300:])
        return configured(data={"corpora": [], "files": train, "dev": dev, **data})

    return given


def test_no_copy_of_a_dev_text_is_trained_on(
    given: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    examples: list[Example],
) -> None:
    """The dev texts are those of their file."""
    _, splits = load_splits(given(), Run(workspace, silent()))
    assert texts(splits.dev) == texts(examples[300:])
    assert texts(splits.train) <= texts(examples[:300])
    assert splits.test == ()


def test_files_with_the_same_name_are_distinguished(
    configured: Callable[..., Configuration],
    tmp_path: Path,
    workspace: Workspace,
    silent: type[Reporter],
    examples: list[Example],
) -> None:
    train = write(tmp_path / "train" / "texts.csv", examples[:350])
    dev = write(tmp_path / "dev" / "texts.csv", examples[350:])
    chosen = configured(data={"corpora": [], "files": train, "dev": dev})
    assert texts(load_splits(chosen, Run(workspace, silent()))[1].dev) == texts(examples[350:])


def test_without_test_texts_the_prepared_data_have_none(
    given: Callable[..., Configuration], workspace: Workspace, silent: type[Reporter]
) -> None:
    reporter = silent()
    prepared = prepare(given(), Run(workspace, reporter))
    assert (set(prepared.held_out), set(prepared.hashes)) == ({"dev"}, {"train", "dev"})
    assert any("texts in train / dev, " in line for line in reporter.said)


def test_a_dev_file_without_its_own_texts_is_refused(
    given: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    tmp_path: Path,
) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\n")
    with pytest.raises(ConfigurationError, match="the dev split is empty"):
        load_splits(given(dev=str(empty)), Run(workspace, silent()))


def test_texts_with_given_splits_are_never_streamed(
    given: Callable[..., Configuration], tmp_path: Path
) -> None:
    """Whatever their size."""
    with_dev, with_split, without = given(), given(dev=[], split="stratified"), given(dev=[])
    os.truncate(tmp_path / "train.csv", large_files.LARGE_BYTES + 1)  # a hole takes no space
    assert not large_files.is_streamed(with_dev.data)
    assert not large_files.is_streamed(with_split.data)
    assert large_files.is_streamed(without.data)


def test_a_class_with_one_held_out_text_is_trained_on(
    configured: Callable[..., Configuration],
    tmp_path: Path,
    workspace: Workspace,
    silent: type[Reporter],
    examples: list[Example],
) -> None:
    """And a line names it."""
    rare = next(
        one
        for number in range(100)
        if assign_split(one := Example(f"a single case {number}", "rare", "")) == "test"
    )
    path = write(tmp_path / "all.csv", [*examples, rare])
    chosen = configured(data={"corpora": [], "files": path}).model_copy(
        update={"labels": ("negative", "neutral", "positive", "rare")}
    )
    reporter = silent()
    _, splits = load_splits(chosen, Run(workspace, reporter))
    assert rare.text in texts(splits.train)
    assert rare.text not in texts(splits.test)
    assert any(line.startswith("'rare': train had no text of these") for line in reporter.said)


def test_a_dev_file_of_the_user_is_never_trained_on(
    given: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    tmp_path: Path,
    examples: list[Example],
) -> None:
    dev = [*examples[300:], Example("a single case", "rare", "")]
    chosen = given(dev=write(tmp_path / "rare.csv", dev)).model_copy(
        update={"labels": ("negative", "neutral", "positive", "rare")}
    )
    _, splits = load_splits(chosen, Run(workspace, silent()))
    assert "a single case" in texts(splits.dev)
    assert splits.kept == ()


def test_counterfactuals_are_trained_on_and_not_held_out(
    configured: Callable[..., Configuration], workspace: Workspace, silent: type[Reporter]
) -> None:
    plain, more = (
        prepare(configured(polarity=POLARITY, **sections), Run(workspace, silent()))
        for sections in ({}, {"counterfactuals": {"people": 0.5}})
    )
    made = more.raw.counterfactuals
    assert len(made) > 100
    assert not plain.raw.counterfactuals
    assert more.raw.splits == plain.raw.splits
    assert more.hashes == plain.hashes
    assert isinstance(more.train, EncodedTexts)
    assert isinstance(plain.train, EncodedTexts)
    assert len(more.train) == len(plain.train) + len(made)
    assert len(more.held_out["dev"]) == len(plain.held_out["dev"])


def test_texts_of_a_train_only_corpus_are_not_held_out(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Run(workspace, silent())
    _, before = load_splits(configured(), run)
    more = [Example(f"Fact number {place} of many.", "neutral", "stated") for place in range(300)]
    toy = catalog.CORPORA["toy"]
    stated = dataclasses.replace(toy, read=lambda _: iter(more), train_only=True)
    monkeypatch.setitem(catalog.CORPORA, "stated", stated)
    _, splits = load_splits(configured(data={"corpora": ["toy", "stated"]}), run)
    assert (splits.dev, splits.test) == (before.dev, before.test)
    assert texts(splits.train) == texts(before.train) | texts(more)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_weighted_teacher_is_asked_about_counterfactuals(weight: float) -> None:
    made = [Example(text, "neutral", "") for text in ("They left.", "They left \N{GRINNING FACE}")]
    made.append(Example("They left. They came.", "neutral", RULES))
    asked, others = split_counterfactuals(made, Distillation(counterfactuals=weight))
    assert [*asked, *others] == made
    assert len(asked) == (1 if weight else 0)
    assert split_counterfactuals(made, None) == ((), tuple(made))


def test_streamed_texts_have_no_counterfactuals(
    configured: Callable[..., Configuration],
    tmp_path: Path,
    workspace: Workspace,
    silent: type[Reporter],
    examples: list[Example],
) -> None:
    file = write(tmp_path / "texts.csv", examples)
    chosen = configured(
        data={"corpora": [], "files": file, "streamed": True},
        optimization={"steps": 5},
        polarity=POLARITY,
        counterfactuals={"people": 0.5},
    )
    with pytest.raises(ConfigurationError, match=r"counterfactuals: .*data\.streamed = false"):
        prepare(chosen, Run(workspace, silent()))
