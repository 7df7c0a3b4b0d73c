"""Data sets that ``datasets`` loads from a folder; no test contacts the Hub."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import datasets
import huggingface_hub
import pytest
from pyarrow import parquet
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.corpora import catalog, files, hub

pytestmark = pytest.mark.integration

CARD = """---
configs:
- config_name: plain
  data_files:
  - {split: train, path: train.jsonl}
  - {split: test, path: test.jsonl}
- config_name: tags
  data_files: tags.jsonl
dataset_info:
- config_name: plain
  features:
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {"0": poor, "1": fine}}}}
  - {name: stars, dtype: int32}
- config_name: tags
  features:
  - {name: text, dtype: string}
  - {name: label, sequence: {class_label: {names: {"0": late, "1": cold}}}}
---
"""
TABLE = Columns(text="text", label="label")


def put(path: Path, *rows: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    first = {"text": "Fine.", "label": 1, "stars": 5}
    put(folder / "train.jsonl", first, {"text": "Poor.", "label": 0, "stars": 1})
    put(folder / "test.jsonl", {"text": "Secret.", "label": -1, "stars": 3}, first)
    put(
        folder / "tags.jsonl",
        {"text": "Late and cold.", "label": [0, 1]},
        {"text": "Nothing.", "label": []},
    )
    return f"hf:{folder}"


def test_classes_have_names_and_each_split_is_a_file(reviews: str, tmp_path: Path) -> None:
    found = files.find_files([f"{reviews}:plain"], tmp_path)
    assert [path.name for path in found] == ["reviews-train.parquet", "reviews-test.parquet"]
    train, test = (parquet.read_table(path).to_pylist() for path in found)
    assert train == [
        {"text": "Fine.", "label": "fine", "stars": 5},
        {"text": "Poor.", "label": "poor", "stars": 1},
    ]
    # an example without a class is left out
    assert test == train[:1]
    loaded = catalog.load_corpora((), cache=tmp_path, patterns=[f"{reviews}:plain"], columns=TABLE)
    assert [(example.text, example.label) for example in loaded.examples] == [
        ("Fine.", "fine"),
        ("Poor.", "poor"),
    ]


def test_several_classes_per_text_are_lists_of_names(reviews: str, tmp_path: Path) -> None:
    (path,) = files.find_files([f"{reviews}:tags"], tmp_path)
    assert parquet.read_table(path).to_pylist() == [
        {"text": "Late and cold.", "label": ["late", "cold"]},
        {"text": "Nothing.", "label": []},
    ]


def test_an_unchanged_data_set_is_written_once(reviews: str, tmp_path: Path) -> None:
    (first,) = files.find_files([f"{reviews}:tags"], tmp_path)
    written = first.stat().st_mtime_ns
    assert files.find_files([f"{reviews}:tags"], tmp_path) == (first,)
    assert first.stat().st_mtime_ns == written


def test_a_data_set_that_cannot_be_loaded_gives_a_remedy(
    reviews: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # without network the libraries would try the Hub again and again, for 20 seconds
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    for wrong in ("hf:nobody/nothing", "hf:/no/folder", reviews, f"{reviews}:absent"):
        with pytest.raises(
            ConfigurationError, match=r"cannot be fetched: .*HF_TOKEN.*its files"
        ) as caught:
            files.find_files([wrong], tmp_path)
        assert str(caught.value).startswith(f"{wrong}: ")
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'valence\[hub\]'"):
        files.find_files([reviews], tmp_path)


def test_a_model_is_named_after_its_data_set() -> None:
    assert hub.title("hf:stanfordnlp/imdb") == "imdb"
    assert hub.title("hf:nyu-mll/glue:sst2") == "glue"
    assert not hub.is_name("reviews.csv")
