import pytest
from valence.service.registry.alias_watch import AliasWatch, Sighting
from valence.service.registry.aliases import Alias

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def folder(put, tmp_path):
    put("sentiment", "1")
    put("sentiment", "2")
    return tmp_path / "models" / "sentiment"


def promote(folder, version, alias="champion"):
    path = folder / ".unfinished"
    path.write_text(Alias(version=version).model_dump_json())
    path.replace(folder / f"{alias}.json")


def test_a_sighting_changes_with_the_champion(folder):
    watch = AliasWatch(folder)
    assert watch.look() == {}
    promote(folder, "1")
    first = watch.look()
    assert first["champion"].version == "1"
    assert watch.look() == first
    promote(folder, "2")
    assert watch.look()["champion"].version == "2"


def test_a_sighting_changes_with_the_files_of_the_version(folder):
    promote(folder, "1")
    watch = AliasWatch(folder)
    first = watch.look()
    with (folder / "1" / "vocabulary.txt").open("a") as file:
        file.write("more\n")
    second = watch.look()
    assert second != first
    (folder / "1" / "SHA256SUMS").unlink()
    assert watch.look() != second


def test_the_file_is_read_only_after_a_change(folder, monkeypatch):
    promote(folder, "1")
    watch = AliasWatch(folder)
    watch.look()
    monkeypatch.setattr("valence.service.registry.aliases.read", lambda *_: 1 / 0)
    assert watch.look()["champion"].version == "1"


def test_a_fault_of_the_store_is_a_sighting(folder):
    watch = AliasWatch(folder)
    (folder / "champion.json").write_text("{")
    assert "champion.json" in watch.look()["champion"].fault
    promote(folder, "1")
    assert watch.look()["champion"].version == "1"


def test_a_champion_without_a_folder_is_seen(folder):
    promote(folder, "9")
    assert AliasWatch(folder).look() == {"champion": Sighting("9", "", ())}


def test_each_alias_has_its_own_sighting(folder):
    watch = AliasWatch(folder)
    promote(folder, "1")
    promote(folder, "2", "blue")
    (folder / "green.json").write_text("{")
    seen = watch.look()
    assert {alias: one.version for alias, one in seen.items()} == {
        "champion": "1", "blue": "2", "green": "",
    }  # fmt: skip
    assert "green.json" in seen["green"].fault
    assert "valence alias set sentiment@green VERSION" in seen["green"].fault
    promote(folder, "1", "blue")
    assert watch.look()["champion"] == seen["champion"]
    (folder / "blue.json").unlink()
    assert sorted(watch.look()) == ["champion", "green"]


def test_a_folder_that_is_gone_is_a_fault_of_each_alias(folder):
    """An alias that was not deleted does not end because a volume is away."""
    promote(folder, "1")
    watch = AliasWatch(folder)
    assert watch.look()["champion"].fault == ""
    folder.rename(folder.with_name("away"))
    assert "No such file" in watch.look()["champion"].fault
    folder.with_name("away").rename(folder)
    assert watch.look()["champion"].version == "1"
