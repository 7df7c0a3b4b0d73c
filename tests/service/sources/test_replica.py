"""Every kind of source is copied whole, verified, and followed; what is bad is refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from valence.service.classifier import seal
from valence.service.errors import SourceError
from valence.service.sources.replica import Replica

from tests.service.sources.conftest import KINDS, SECRET, copy_report, spoil
from tests.support.model_stores import models_in

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture(params=KINDS)
def place(request, make_place, store):
    return make_place(request.param)


@pytest.fixture
def folder(make_place, store):
    """Return a source that is a folder, with a promoted version that was copied."""
    made = make_place("file")
    made.put("1")
    made.promote("1")
    return made


def refused(replica: Replica, **options) -> SourceError:
    with pytest.raises(SourceError) as error:
        replica.refresh("sentiment", **options)
    return error.value


def test_a_champion_and_its_successor_are_copied(place, store):
    copy_report(place.put("1"))
    place.promote("1")
    replica = place.replica()
    assert replica.refresh("sentiment") == (("1",), ("champion",))
    assert seal.verify(store / "sentiment" / "1").version == "1"
    assert (store / "sentiment" / "1" / "report" / "MODEL_CARD.md").is_file()
    assert replica.refresh("sentiment") == ((), ())
    place.put("2", seed=2)
    assert replica.refresh("sentiment") == ((), ()), "a version that nobody promoted"
    place.promote("2")
    assert replica.refresh("sentiment") == (("2",), ("champion",))
    place.promote("1")
    assert replica.refresh("sentiment") == ((), ("champion",)), "a rollback downloads nothing"
    assert (store / "sentiment" / "champion.json").read_text() == '{"version": "1"}'


def test_what_is_bad_is_refused_and_the_copy_stays(place, store):
    place.put("1")
    place.promote("1")
    replica = place.replica()
    replica.refresh("sentiment")
    for version, damage, outcome, told in (
        ("2", spoil, "damaged", "2/model.safetensors: the checksum is not"),
        ("3", lambda path: os.truncate(path, 100), "damaged", "3/model.safetensors: the checksum"),
        ("4", lambda path: path.unlink(), "missing", "4/model.safetensors: missing"),
    ):
        damage(place.put(version) / "model.safetensors")
        place.promote(version)
        error = refused(replica)
        assert error.outcome == outcome
        assert f"{place.address}/sentiment/{told}" in str(error)
        assert '"1"' in (store / "sentiment" / "champion.json").read_text()
        assert not (store / "sentiment" / version).exists()
    place.put("4")
    assert replica.refresh("sentiment") == (("4",), ("champion",)), "pushed again"


def test_a_version_is_measured_before_it_is_downloaded(place, store):
    size = sum(path.stat().st_size for path in place.put("1").iterdir())
    place.promote("1")
    error = refused(place.replica(max_bytes=size // 2))
    assert error.outcome == "too_large"
    assert f"{size // 2:,} are allowed (VALENCE_MODEL_MAX_BYTES)" in str(error)
    left = [path.name for path in (store.parent / "downloads").rglob("*") if path.is_file()]
    assert left == ["SHA256SUMS"]


def test_an_unknown_model_is_missing_by_name(place):
    place.put("1")
    with pytest.raises(SourceError, match="topic: the source holds no model") as error:
        place.replica().refresh("topic")
    assert error.value.outcome == "missing"


@pytest.mark.parametrize("kind", ["s3", "hf", "oci"])
def test_a_refusal_does_not_tell_the_credentials(
    kind, make_place, store, monkeypatch, tmp_path, caplog, capfd
):
    caplog.set_level("DEBUG", logger="valence")
    place = make_place(kind)
    place.put("1")
    place.promote("1")
    if kind == "s3":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    elif kind == "hf":
        monkeypatch.setenv("HF_TOKEN", f"wrong-{SECRET}")
    else:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    error = refused(place.replica())
    said = "".join((str(error), repr(error.__cause__), caplog.text, *capfd.readouterr()))
    assert SECRET not in said
    assert "someone" not in said
    assert "credentials" in str(error) or "no model" in str(error)


def test_without_a_champion_the_latest_version_is_copied(folder, store):
    (folder.folder / "sentiment" / "champion.json").unlink()
    folder.put("2")
    assert folder.replica().refresh("sentiment") == (("2",), ())
    assert (store / "sentiment" / "latest").read_text() == "2"


def test_a_version_that_the_settings_name_is_copied_too(folder, store):
    folder.put("2")
    assert folder.replica().refresh("sentiment", "2").versions == ("2", "1")


def test_every_alias_is_followed_and_ends(folder, store):
    folder.put("2")
    folder.promote("2", alias="blue")
    replica = folder.replica()
    assert set(replica.refresh("sentiment").aliases) == {"champion", "blue"}
    (folder.folder / "sentiment" / "blue.json").unlink()
    replica.refresh("sentiment")
    assert [path.stem for path in (store / "sentiment").glob("*.json")] == ["champion"]


def test_a_bad_alias_does_not_hold_up_the_champion(folder, store):
    folder.promote("missing", alias="blue")
    error = refused(folder.replica())
    assert "missing/SHA256SUMS: missing at the source" in str(error)
    assert (store / "sentiment" / "champion.json").is_file()


@pytest.mark.parametrize("version", ["../2", "", "a/b", ".hidden", "x" * 200])
def test_an_alias_leads_nowhere_else(folder, store, version):
    folder.promote(version)
    assert refused(folder.replica()).outcome == "damaged"
    assert not (store / "sentiment").exists()


def test_a_listing_names_no_file_elsewhere(folder, store):
    listing = folder.folder / "sentiment" / "1" / "SHA256SUMS"
    listing.write_text(f"{'0' * 64}  report/../../../escaped\n")
    error = refused(folder.replica())
    assert error.outcome == "damaged"
    assert "escaped" in str(error)


def test_a_copy_that_was_damaged_is_copied_again_at_a_start(folder, store):
    folder.replica().refresh("sentiment")
    spoil(store / "sentiment" / "1" / "model.safetensors")
    assert folder.replica().refresh("sentiment", verify=True).versions == ("1",)
    seal.verify(store / "sentiment" / "1")


def test_a_download_goes_on_behind_its_last_whole_file(folder, store, monkeypatch):
    replica = folder.replica()
    source = replica._source
    opened = []

    def fail_at_the_weights(name, version, file):
        opened.append(file)
        if file == "model.safetensors":
            raise ConnectionResetError
        return type(source).open(source, name, version, file)

    monkeypatch.setattr(source, "open", fail_at_the_weights)
    assert refused(replica).outcome == "unreachable"
    assert opened == ["SHA256SUMS", "model.json", "model.safetensors"]
    monkeypatch.undo()
    opened.clear()
    monkeypatch.setattr(
        source, "open", lambda *file: opened.append(file[2]) or type(source).open(source, *file)
    )
    assert replica.refresh("sentiment").versions == ("1",)
    assert opened == ["SHA256SUMS", "model.safetensors", "vocabulary.txt"]
    assert not any((store.parent / "downloads").iterdir())


def test_a_source_that_sends_more_than_it_said_is_stopped(folder, store, monkeypatch):
    replica = folder.replica()
    measure = replica._source.measure
    monkeypatch.setattr(
        replica._source,
        "measure",
        lambda *asked: {file: size - 1 for file, size in measure(*asked).items()},
    )
    error = refused(replica)
    assert "the source sent more than" in str(error)


def test_old_versions_end_and_the_last_ones_stay(folder, store):
    replica = folder.replica()
    for version in map(str, range(2, 9)):
        folder.put(version)
        folder.promote(version)
        replica.refresh("sentiment")
    held = sorted(path.name for path in (store / "sentiment").iterdir() if path.is_dir())
    assert held == ["4", "5", "6", "7", "8"]


def test_a_full_disk_is_told_before_the_download(folder, store, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100}))
    assert "do not fit twice on the disk" in str(refused(folder.replica()))


COPIED = """
import itertools, sys
from pathlib import Path
from valence.service.registry import bento_store
from valence.service.registry.address import Address
from valence.service.sources.replica import Replica
from valence.service.sources.kinds import open_source
for number in itertools.count():
    bento_store.use(Path(sys.argv[2], str(number), "models"))
    Replica(open_source(Address.parse(sys.argv[1])), max_bytes=2**20).refresh("sentiment")
    print("copied", flush=True)
"""


@pytest.mark.integration
def test_a_process_killed_while_it_copies_leaves_no_half_version(folder, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", COPIED, str(folder.folder)]
    for moment in range(4):
        stores = tmp_path / str(moment)
        process = subprocess.Popen([*command, str(stores)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"copied\n"
        time.sleep(0.011 * moment)
        process.kill()
        process.wait()
        process.stdout.close()
        for store in stores.glob("*/models"):
            champion = store / "sentiment" / "champion.json"
            for version in store.glob("sentiment/*/"):
                seal.verify(version)
            assert not champion.exists() or (store / "sentiment" / "1").is_dir()
            with models_in(store):
                folder.replica().refresh("sentiment", verify=True)
            assert seal.verify(store / "sentiment" / "1").version == "1"
            assert champion.is_file()
            assert not any((store.parent / "downloads").glob("*"))


def test_another_process_that_copies_is_left_to_its_work(folder, store):
    with folder.replica()._lock(wait=False) as held:
        assert held
        assert folder.replica().refresh("sentiment") == ((), ())
