from __future__ import annotations

from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Distillation
from valence.training.corpora import hub, torchtext_sets
from valence.training.experiments.tasks import files as places
from valence.training.experiments.tasks import task
from valence.training.experiments.tasks.files import find_task_files
from valence.training.experiments.tasks.task import TaskFiles

ROW = '{"text": "a b", "label": "x"}\n'


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / "trec6" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ROW)
    return folder


def found(folder: Path, *, said: list[str] | None = None) -> TaskFiles:
    (trec6,) = task.load_tasks(["trec6"])
    said = [] if said is None else said
    return find_task_files(trec6, str(folder), cache=folder / "cache", say=said.append)


@pytest.mark.parametrize(
    ("train", "dev"),
    [
        ("train.jsonl.gz", "dev.jsonl.gz"),
        ("train.csv", "valid.tsv"),
        ("train.parquet", "validation.parquet"),
        ("train-00000-of-00001.parquet", "validation-00000-of-00001.parquet"),
        ("trec_train.csv", "trec_val.csv"),
    ],
)
def test_train_and_dev_files_are_recognized_by_name(tmp_path: Path, train: str, dev: str) -> None:
    folder = put(tmp_path, train, dev)
    assert found(folder) == TaskFiles(
        (str(folder / "trec6" / train),), (str(folder / "trec6" / dev),), "text", "label"
    )


def test_without_a_dev_file_there_is_no_dev_set(tmp_path: Path) -> None:
    assert found(put(tmp_path, "train.csv")).dev == ()


def test_shards_are_all_read(tmp_path: Path) -> None:
    names = ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet")
    assert [Path(path).name for path in found(put(tmp_path, *names)).train] == list(names)


def test_test_files_are_ignored_with_a_message(tmp_path: Path) -> None:
    said: list[str] = []
    texts = found(put(tmp_path, "train.csv", "test.csv", "unlabelled.csv", "README.md"), said=said)
    assert [Path(path).name for path in (*texts.train, *texts.dev)] == ["train.csv"]
    assert said == ["trec6: 2 other files are ignored"]


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"trec6: no such folder; --data is a folder with"):
        found(tmp_path)
    with pytest.raises(ConfigurationError, match=r"called train .*, found: dev\.csv"):
        found(put(tmp_path, "dev.csv"))


def test_the_data_set_of_a_task_is_fetched_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the columns of the task."""
    asked = []

    def files(pattern: str, cache: Path) -> list[Path]:
        asked.append((pattern, cache))
        return [tmp_path / f"trec-{split}.parquet" for split in ("train", "test")]

    monkeypatch.setattr(hub, "fetch_files", files)
    (trec6,) = task.load_tasks(["trec6"])
    texts = find_task_files(trec6, places.HUB, cache=tmp_path, say=lambda _: None)
    assert asked == [("hf:CogComp/trec", tmp_path)]
    assert texts == TaskFiles((str(tmp_path / "trec-train.parquet"),), (), "text", "coarse_label")


def test_data_sets_of_torchtext_are_fetched_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trec-train.jsonl"
    asked = []
    monkeypatch.setattr(torchtext_sets, "fetch_files", lambda name, _: asked.append(name) or [path])
    trec6, sst2 = task.load_tasks(["trec6", "sst2"])
    texts = find_task_files(trec6, places.TORCHTEXT, cache=tmp_path, say=lambda _: None)
    assert (asked, texts) == (["torchtext:trec"], TaskFiles((str(path),), ()))
    with pytest.raises(ConfigurationError, match="torchtext has no sst2; give a folder"):
        find_task_files(sst2, places.TORCHTEXT, cache=tmp_path, say=lambda _: None)


def test_unlabelled_texts_come_from_the_tasks_of_the_recipe(tmp_path: Path) -> None:
    folder = put(tmp_path, "train.csv")
    (trec6,) = task.load_tasks(["trec6"])
    recipe = trec6.model_copy(
        update={"distillation": Distillation(), "unlabelled": ("trec6", "imdb", "sst2")}
    )
    said: list[str] = []
    texts = find_task_files(recipe, str(folder), cache=folder, say=said.append)
    assert texts.unlabelled == ()
    assert said == [
        (
            "trec6: its recipe uses unlabelled texts of trec6, imdb, sst2, but "
            f"{folder} has none, so the training goes without them"
        )
    ]
    put(tmp_path, "unlabelled.csv")
    (tmp_path / "imdb").mkdir()
    for name in ("train.jsonl", "unsupervised-00000-of-00001.parquet"):
        (tmp_path / "imdb" / name).write_text(ROW)
    said.clear()
    texts = find_task_files(recipe, str(folder), cache=folder, say=said.append)
    assert [Path(path).relative_to(folder).as_posix() for path in texts.unlabelled] == [
        "trec6/unlabelled.csv",
        "imdb/unsupervised-00000-of-00001.parquet",
    ]
    assert said == []
