"""The champion at a source moves as that of the store does, and only to versions that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from valence.service.errors import ArtifactError, ConfigurationError, SourceError
from valence.service.sources.source import Source
from valence.training.registry import source_champion


@pytest.fixture
def source(tmp_path: Path, save_tiny) -> Source:
    """Return a folder as a source, with versions 1, 2 and 3 and the champion 1."""
    opened = source_champion.open_address(str(tmp_path / "source"))
    for version in ("1", "2", "3"):
        folder = save_tiny(tmp_path / "sentiment" / version, version=version)
        assert source_champion.push_version(opened, folder)
    source_champion.promote_version(opened, "sentiment:1")
    return opened


def test_a_rollback_goes_back_one_by_one(source, tmp_path) -> None:
    for version in ("2", "3"):
        assert source_champion.promote_version(source, f"sentiment:{version}").version == version
    assert [source_champion.roll_back(source, "sentiment").version for _ in range(2)] == ["2", "1"]
    with pytest.raises(ArtifactError, match="no champion of sentiment to go back to"):
        source_champion.roll_back(source, "sentiment")
    written = json.loads((tmp_path / "source" / "sentiment" / "champion.json").read_text())
    assert [change["how"] for change in written["changes"]] == [
        "promoted", "promoted", "promoted", "rolled back", "rolled back",
    ]  # fmt: skip


def test_a_version_that_is_not_there_is_refused(source, tmp_path) -> None:
    before = (tmp_path / "source" / "sentiment" / "champion.json").read_text()
    with pytest.raises(SourceError, match="the version 4; it holds 1, 2, 3"):
        source_champion.promote_version(source, "sentiment:4")
    with pytest.raises(ArtifactError, match="names no version"):
        source_champion.promote_version(source, "sentiment")
    assert (tmp_path / "source" / "sentiment" / "champion.json").read_text() == before


def test_a_damaged_champion_is_not_overwritten(source, tmp_path) -> None:
    file = tmp_path / "source" / "sentiment" / "champion.json"
    file.write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read; delete it there"):
        source_champion.promote_version(source, "sentiment:2")
    assert file.read_text() == "{"


def test_a_published_version_is_the_champion_there(source, tmp_path, save_tiny) -> None:
    folder = save_tiny(tmp_path / "sentiment" / "4", version="4")
    assert source_champion.publish_version(source, folder) == "sentiment:4"
    assert source_champion.roll_back(source, "sentiment").version == "1"


def test_credentials_in_an_address_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="belong in the environment"):
        source_champion.open_address("s3://someone:secret@bucket/models")
