from __future__ import annotations

import errno
from pathlib import Path

import bentoml
import pytest

from service.classifier import artifact
from service.errors import ArtifactError
from training import store

pytestmark = pytest.mark.usefixtures("model_store")


def test_an_artifact_is_in_the_store_whole_with_its_labels_and_lineage(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest
    assert store.publish(tiny_folder, manifest) == "sentiment:1"
    model = bentoml.models.get("sentiment:1")
    assert artifact.load(Path(model.path)).manifest == manifest
    assert model.info.labels == {"task": "single_label", "framework": "valence"}
    assert model.info.metadata["labels"] == ["negative", "neutral", "positive"]
    assert model.info.metadata["data_sha256"] == {"none": "0" * 64}
    assert model.info.metadata["macro_f1"] == 0.5
    assert model.info.metadata["code_version"] == "test"


def test_the_latest_version_is_the_one_published_last(tmp_path: Path, save_tiny) -> None:
    for version in ("2", "10"):
        folder = save_tiny(tmp_path / version, version=version)
        store.publish(folder, artifact.load(folder).manifest)
    assert store.path("sentiment").name == "10"
    assert store.path("sentiment:2").name == "2"


def test_metrics_that_are_not_there_are_left_out(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest.model_copy(update={"metrics": {}})
    store.publish(tiny_folder, manifest)
    assert "macro_f1" not in bentoml.models.get("sentiment").info.metadata


def test_a_full_disk_leaves_the_last_good_model(
    tmp_path: Path, save_tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (save_tiny(tmp_path / version, version=version) for version in ("1", "2"))
    store.publish(first, artifact.load(first).manifest)

    def full(source: Path, target: str, **options: object) -> None:
        (Path(target) / artifact.MANIFEST).write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "copytree", full)
        with pytest.raises(OSError, match="No space left"):
            store.publish(second, artifact.load(second).manifest)
    assert artifact.load(store.path("sentiment")).manifest.version == "1"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left on device")])
def test_a_publication_that_breaks_off_leaves_nothing(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    copytree = store.shutil.copytree

    def break_off(source: Path, target: str, **options: object) -> None:
        (Path(target) / artifact.MANIFEST).write_text("{}")
        raise error

    manifest = artifact.load(tiny_folder).manifest
    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "copytree", break_off)
        with pytest.raises((KeyboardInterrupt, OSError)):
            store.publish(tiny_folder, manifest)
    assert bentoml.models.list() == []
    with pytest.raises(ArtifactError, match="holds no 'sentiment'"):
        store.path("sentiment")
    assert store.shutil.copytree is copytree
    assert store.publish(tiny_folder, manifest) == "sentiment:1"
    artifact.load(store.path("sentiment"))


@pytest.mark.parametrize("tag", ["absent", "absent:1"])
def test_a_model_that_is_not_there_is_named(tag: str) -> None:
    with pytest.raises(ArtifactError, match=rf"holds no '{tag}'; train one with `make train`"):
        store.path(tag)


@pytest.mark.parametrize("tag", ["../../etc", "A:B:C", "", ":1"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ArtifactError):
        store.path(tag)
