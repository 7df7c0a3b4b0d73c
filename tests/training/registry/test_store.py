from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import bentoml
import pytest
from valence.service.classifier import artifact
from valence.service.errors import ArtifactError
from valence.service.registry import placement
from valence.training.registry import store

pytestmark = pytest.mark.usefixtures("model_store")


def test_the_store_holds_artifact_labels_and_lineage(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest
    assert store.publish_model(tiny_folder, manifest) == "sentiment:1"
    model = bentoml.models.get("sentiment:1")
    assert artifact.load(Path(model.path)).manifest == manifest
    assert model.info.labels == {"task": "single_label", "framework": "valence"}
    assert model.info.metadata["labels"] == ["negative", "neutral", "positive"]
    assert model.info.metadata["data_sha256"] == {"none": "0" * 64}
    assert model.info.metadata["macro_f1"] == 0.5
    assert model.info.metadata["code_version"] == "test"


def test_the_latest_version_is_the_last_published_one(tmp_path: Path, save_tiny) -> None:
    for version in ("2", "10"):
        folder = save_tiny(tmp_path / version, version=version)
        store.publish_model(folder, artifact.load(folder).manifest)
    assert store.find_model("sentiment").name == "10"
    assert store.find_model("sentiment:2").name == "2"


def test_missing_metrics_are_left_out(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest.model_copy(update={"metrics": {}})
    store.publish_model(tiny_folder, manifest)
    assert "macro_f1" not in bentoml.models.get("sentiment").info.metadata


def test_a_full_disk_keeps_the_last_good_model(
    tmp_path: Path, save_tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (save_tiny(tmp_path / version, version=version) for version in ("1", "2"))
    store.publish_model(first, artifact.load(first).manifest)

    def full(source: Path, target: str, **options: object) -> None:
        (Path(target) / artifact.MANIFEST).write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(placement.shutil, "copytree", full)
        with pytest.raises(OSError, match="No space left"):
            store.publish_model(second, artifact.load(second).manifest)
    assert artifact.load(store.find_model("sentiment")).manifest.version == "1"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left on device")])
def test_a_failed_publication_leaves_nothing(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    copytree = placement.shutil.copytree

    def fail_midway(source: Path, target: str, **options: object) -> None:
        (Path(target) / artifact.MANIFEST).write_text("{}")
        raise error

    manifest = artifact.load(tiny_folder).manifest
    with monkeypatch.context() as patch:
        patch.setattr(placement.shutil, "copytree", fail_midway)
        with pytest.raises((KeyboardInterrupt, OSError)):
            store.publish_model(tiny_folder, manifest)
    assert bentoml.models.list() == []
    with pytest.raises(ArtifactError, match="does not have 'sentiment'"):
        store.find_model("sentiment")
    assert placement.shutil.copytree is copytree
    assert store.publish_model(tiny_folder, manifest) == "sentiment:1"
    artifact.load(store.find_model("sentiment"))


@pytest.mark.parametrize("tag", ["absent", "absent:1"])
def test_a_missing_model_is_named(tag: str) -> None:
    with pytest.raises(
        ArtifactError, match=rf"does not have '{tag}'; it is empty; train it with `valence train`"
    ):
        store.find_model(tag)


@pytest.mark.parametrize("tag", ["../../etc", "A:B:C", "", ":1"])
def test_an_invalid_tag_is_refused(tag: str) -> None:
    with pytest.raises(ArtifactError):
        store.find_model(tag)


@pytest.fixture
def three(model_store: Path, tmp_path: Path, save_tiny) -> None:
    """Save versions 1, 2 and 3 of ``sentiment`` without a champion."""
    for version in ("1", "2", "3"):
        folder = save_tiny(tmp_path / version, version=version)
        store.publish_model(folder, artifact.load(folder).manifest)


def named(tag: str = "sentiment") -> str:
    return store.find_model(tag).name


@pytest.mark.usefixtures("three")
def test_a_bare_name_is_the_champion_or_else_the_latest(tmp_path: Path, save_tiny) -> None:
    assert named() == "3"
    assert store.read_champion("sentiment") is None
    with pytest.raises(ArtifactError, match="has no champion; promote one"):
        store.find_model("sentiment:champion")
    store.promote_version("sentiment:1")
    folder = save_tiny(tmp_path / "4", version="4")
    store.publish_model(folder, artifact.load(folder).manifest)
    assert named() == named("sentiment:champion") == "1"
    assert named("sentiment:latest") == "4"
    assert named("sentiment:2") == "2"
    assert bentoml.models.get("sentiment").tag.version == "4"


@pytest.mark.usefixtures("three")
def test_repeated_rollbacks_stop_at_the_first_champion() -> None:
    for version in ("2", "1", "3"):
        store.promote_version(f"sentiment:{version}")
    assert [store.roll_back("sentiment").version for _ in range(2)] == ["1", "2"]
    with pytest.raises(ArtifactError, match=r"no champion of sentiment to go back to.*1, 2, 3"):
        store.roll_back("sentiment")
    assert named() == "2"
    found = store.promote_version("sentiment:3")
    assert found.previous == ("2",)
    assert [(change.how, change.version) for change in found.changes] == [
        ("promoted", "2"),
        ("promoted", "1"),
        ("promoted", "3"),
        ("rolled back", "1"),
        ("rolled back", "2"),
        ("promoted", "3"),
    ]
    assert store.list_versions("sentiment") == ["1", "2", "3"]


@pytest.mark.usefixtures("three")
def test_promoting_the_champion_changes_nothing() -> None:
    assert store.promote_version("sentiment:2") == store.promote_version("sentiment:2")
    assert store.promote_version("sentiment:latest").version == "3"


@pytest.mark.usefixtures("three")
def test_an_invalid_champion_is_refused_and_the_old_one_stays() -> None:
    store.promote_version("sentiment:1")
    with pytest.raises(ArtifactError, match=r"'sentiment' names no version.*1, 2, 3"):
        store.promote_version("sentiment")
    with pytest.raises(ArtifactError, match="does not have 'sentiment:9'"):
        store.promote_version("sentiment:9")
    with pytest.raises(ArtifactError, match="does not have 'other'"):
        store.roll_back("other")
    assert named() == "1"


@pytest.mark.usefixtures("three")
def test_a_deleted_champion_is_reported_with_both_remedies() -> None:
    for version in ("1", "2"):
        store.promote_version(f"sentiment:{version}")
    bentoml.models.delete("sentiment:2")
    with pytest.raises(
        ArtifactError, match=r"sentiment:2 is not.*valence promote.*valence rollback"
    ):
        store.find_model("sentiment")
    store.roll_back("sentiment")
    assert named() == "1"
    store.promote_version("sentiment:3")
    bentoml.models.delete("sentiment:1")
    with pytest.raises(ArtifactError, match="sentiment:1, the previous champion, is not"):
        store.roll_back("sentiment")
    assert named() == "3"


@pytest.mark.usefixtures("three")
def test_a_damaged_record_is_refused_by_name(model_store: Path) -> None:
    (model_store / "sentiment" / "champion.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"champion\.json cannot be read; remove it"):
        store.find_model("sentiment")


@pytest.mark.usefixtures("three")
def test_bentoml_lists_each_version_once(model_store: Path) -> None:
    store.promote_version("sentiment:1")
    tags = [str(model.tag) for model in bentoml.models.list()]
    assert tags == ["sentiment:1", "sentiment:2", "sentiment:3"]


def test_an_existing_version_is_not_overwritten(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest
    store.publish_model(tiny_folder, manifest)
    with pytest.raises(ArtifactError, match="holds sentiment:1 already"):
        store.publish_model(tiny_folder, manifest)


def test_the_remains_of_a_killed_publication_are_removed(
    tmp_path: Path, tiny_folder: Path, model_store: Path
) -> None:
    """They are no model."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from bentoml._internal.configuration.containers import BentoMLContainer\n"
        "from bentoml._internal.models import ModelStore\n"
        "from valence.service.classifier import artifact\n"
        "from valence.service.registry import placement\n"
        "from valence.training.registry import store\n"
        "BentoMLContainer.model_store.set(ModelStore(sys.argv[1]))\n"
        "def die(source, target, **_):\n"
        "    (Path(target) / 'model.json').write_text('{')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "placement.shutil.copytree = die\n"
        "folder = Path(sys.argv[2])\n"
        "store.publish_model(folder, artifact.load(folder).manifest)\n"
    )
    command = [sys.executable, "-c", program, str(model_store), str(tiny_folder)]
    assert subprocess.run(command, check=False).returncode == -9
    assert bentoml.models.list() == []
    (left,) = tmp_path.glob(".unfinished-*")
    store.publish_model(tiny_folder, artifact.load(tiny_folder).manifest)
    assert left.exists()  # another process may be writing it
    hours = time.time() - 7_200
    os.utime(left, (hours, hours))
    manifest = artifact.load(tiny_folder).manifest.model_copy(update={"version": "2"})
    store.publish_model(tiny_folder, manifest)
    assert not left.exists()


@pytest.mark.usefixtures("three")
def test_an_alias_is_set_moved_listed_and_deleted() -> None:
    assert store.set_alias("sentiment@blue", "1").version == named("sentiment@blue") == "1"
    assert store.set_alias("sentiment@blue", "2").previous == ("1",)
    assert store.set_alias("sentiment@green", "@blue").version == "2"
    store.promote_version("sentiment:3")
    assert {alias: one.version for alias, one in store.list_aliases("sentiment").items()} == {
        "blue": "2", "champion": "3", "green": "2",
    }  # fmt: skip
    assert [change.how for change in store.list_aliases("sentiment")["blue"].changes] == ["set"] * 2
    assert store.delete_alias("sentiment@blue").version == "2"
    assert sorted(store.list_aliases("sentiment")) == ["champion", "green"]
    assert named("sentiment:2") == "2"


@pytest.mark.usefixtures("three")
def test_the_champion_is_an_alias_like_the_others() -> None:
    """A champion of an earlier version of Valence is one too: its file is the same."""
    assert store.set_alias("sentiment@champion", "1").changes[-1].how == "promoted"
    assert named() == named("sentiment@champion") == named("sentiment:champion") == "1"
    store.promote_version("sentiment:2")
    assert store.roll_back("sentiment").version == named("sentiment@champion") == "1"
    store.set_alias("sentiment@challenger", "3")
    assert store.set_alias("sentiment@champion", "@challenger").version == named() == "3"
    with pytest.raises(ArtifactError, match="cannot be deleted"):
        store.delete_alias("sentiment@champion")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("sentiment@blue", "9", "does not have 'sentiment:9'"),
        ("sentiment@blue", "@green", "has no alias green"),
        ("sentiment@Blue", "1", "'Blue' cannot name an alias: use 1 to 63"),
        ("sentiment@latest", "1", "cannot name an alias"),
        ("sentiment@../x", "1", "cannot name an alias"),
        ("sentiment", "1", "'sentiment' names no alias; give NAME@ALIAS"),
        ("sentiment:1@blue", "1", "names no alias"),
        ("other@blue", "1", "does not have 'other:1'"),
    ],
)
def test_an_alias_that_cannot_be_changes_nothing(tag: str, version: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        store.set_alias(tag, version)
    assert store.list_aliases("sentiment") == {}


@pytest.mark.usefixtures("three")
def test_an_alias_that_is_not_there_cannot_be_deleted() -> None:
    store.set_alias("sentiment@blue", "1")
    with pytest.raises(ArtifactError, match="has no alias green; it has blue"):
        store.delete_alias("sentiment@green")
    with pytest.raises(ArtifactError, match="does not have 'other'"):
        store.delete_alias("other@green")
