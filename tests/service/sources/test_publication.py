"""A version is pushed to each kind of source, whole, and an alias moves to what is there."""

from __future__ import annotations

import pytest
from valence.service.errors import ArtifactError, SourceError
from valence.service.sources.publication import move_alias, push_version

from tests.service.sources.conftest import copy_report, spoil
from tests.support.tiny_models import save_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


def name_version(version: str):
    return lambda before: (version, f'{{"version": "{version}"}}'.encode())


@pytest.mark.parametrize("kind", ["file", "s3", "oci"])
def test_what_is_pushed_can_be_copied(kind, make_place, store, tmp_path):
    place = make_place(kind)
    model = save_tiny_model(tmp_path / "trained", version="7")
    copy_report(model)
    source = place.open()
    assert push_version(source, model)
    assert not push_version(source, model), "it is there already"
    assert move_alias(source, "sentiment", "champion", name_version("7")) == "7"
    assert place.replica().refresh("sentiment") == (("7",), ("champion",))
    copied = store / "sentiment" / "7"
    assert (copied / "SHA256SUMS").read_bytes() == (model / "SHA256SUMS").read_bytes()
    with pytest.raises(SourceError, match="does not hold the version 8; it holds 7"):
        move_alias(source, "sentiment", "champion", name_version("8"))
    other = save_tiny_model(tmp_path / "other", version="7", seed=3)
    with pytest.raises(SourceError, match="holds another model as this version"):
        push_version(source, other)


def test_a_damaged_folder_is_not_pushed(make_place, tmp_path):
    place = make_place("file")
    model = save_tiny_model(tmp_path / "trained")
    spoil(model / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"model\.safetensors: the checksum"):
        push_version(place.open(), model)
    assert not any(place.folder.iterdir())


def test_a_push_that_was_interrupted_is_completed(make_place, store, tmp_path):
    place = make_place("file")
    model = save_tiny_model(tmp_path / "trained")
    push_version(place.open(), model)
    (place.folder / "sentiment" / "1" / "SHA256SUMS").unlink()
    (place.folder / "sentiment" / "1" / "vocabulary.txt").write_text("cut")
    assert push_version(place.open(), model)
    assert place.replica().refresh("sentiment") == (("1",), ())
