from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Distillation, Words
from valence.training.experiments.tasks import task
from valence.training.experiments.tasks.task import TaskFiles


def write(path: Path, *labels: str) -> str:
    with gzip.open(path, "wt") as file:
        for number, label in enumerate(labels):
            file.write(json.dumps({"text": f"text {number}", "label": label}) + "\n")
    return str(path)


def test_every_recipe_is_a_task_named_after_its_file() -> None:
    assert {path.stem for path in task.FOLDER.glob("*.toml")} == set(task.list_task_names())
    assert [recipe.name for recipe in task.load_tasks(())] == list(task.list_task_names())


def test_tasks_come_in_a_fixed_order() -> None:
    assert [recipe.name for recipe in task.load_tasks(["imdb", "trec6"])] == ["trec6", "imdb"]


def test_an_unknown_task_is_refused_with_the_known_tasks() -> None:
    with pytest.raises(
        ConfigurationError, match="there is no task 'sst3'; known tasks are trec6, banking77"
    ):
        task.load_tasks(["trec6", "sst3"])


def test_labels_come_from_train_and_dev(tmp_path: Path) -> None:
    (one,) = task.load_tasks(["trec6"])
    train = write(tmp_path / "train.jsonl.gz", "NUM", "LOC", "NUM", "LOC", "NUM")
    dev = write(tmp_path / "dev.jsonl.gz", "ABBR")
    made = one.make_configuration(TaskFiles((train,), (dev,)), seed=0)
    assert made.labels == ("ABBR", "LOC", "NUM")
    assert made.polarity is None
    assert (made.data.files, made.data.dev, made.data.has_test) == ((train,), (dev,), False)


def test_sentiment_has_a_polarity(tmp_path: Path) -> None:
    (one,) = task.load_tasks(["sst2"])
    train = write(tmp_path / "train.jsonl.gz", *("positive", "negative") * 2)
    assert one.make_configuration(TaskFiles((train,), ()), seed=0).polarity == {
        "negative": -1.0,
        "positive": 1.0,
    }


def test_without_dev_texts_a_tenth_of_train_is_held_out(tmp_path: Path) -> None:
    (one,) = task.load_tasks(["trec6"])
    train = write(tmp_path / "train.jsonl.gz", "NUM", "LOC", "NUM", "LOC")
    made = one.make_configuration(TaskFiles((train,), ()), seed=0)
    assert (made.data.split, made.data.dev, made.data.has_test) == ("stratified", (), False)


def test_the_name_of_a_task_is_that_of_the_fixed_seed(tmp_path: Path) -> None:
    (one,) = task.load_tasks(["trec6"])
    found = TaskFiles((write(tmp_path / "train.jsonl.gz", "NUM", "LOC", "NUM", "LOC"),), ())
    first, other = (one.make_configuration(found, seed=seed) for seed in (0, 2))
    assert (first.name, other.name) == ("trec6", "trec6-seed2")
    assert (first.optimization.seed, other.optimization.seed) == (0, 2)
    assert first.words == other.words == one.words


def test_every_seed_has_the_same_teacher(tmp_path: Path) -> None:
    (one,) = task.load_tasks(["trec6"])
    found = TaskFiles((write(tmp_path / "train.jsonl.gz", "NUM", "LOC", "NUM", "LOC"),), ())
    taught = Distillation(networks=5, copies=8, seed=3)
    one = one.model_copy(update={"distillation": taught})
    assert [one.make_configuration(found, seed=seed).distillation for seed in (0, 2)] == [
        taught
    ] * 2


def test_unlabelled_texts_are_for_teachers_or_word_vectors(
    tmp_path: Path,
) -> None:
    (one,) = task.load_tasks(["trec6"])
    train = write(tmp_path / "train.jsonl.gz", "NUM", "LOC", "NUM", "LOC")
    found = TaskFiles((train,), (), "question", "label", ("more.jsonl",))
    one = one.model_copy(update={"distillation": Distillation(limit=7)})
    with pytest.raises(ConfigurationError, match="no column 'question'"):
        one.make_configuration(found, seed=0)
    found = TaskFiles((train,), (), unlabelled=("more.jsonl",))
    learned = {"distillation": None, "words": Words(vectors=("in-domain",))}
    for other in (one, one.model_copy(update=learned)):
        made = other.make_configuration(found, seed=0).unlabelled
        assert made is not None
        assert (made.files, made.text) == (("more.jsonl",), "text")
    with pytest.raises(ConfigurationError, match="only a teacher or in-domain vectors use"):
        one.model_copy(update={"distillation": None}).make_configuration(found, seed=0)
    with pytest.raises(ValidationError, match=r"only a teacher or in-domain vectors"):
        task.Task.model_validate(
            one.model_dump() | {"distillation": None, "unlabelled": ("trec6",)}
        )
