import pytest
from valence.service.registry.champion import Champion
from valence.service.registry.champion_watch import ChampionWatch

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def folder(put, tmp_path):
    put("sentiment", "1")
    put("sentiment", "2")
    return tmp_path / "models" / "sentiment"


def promote(folder, version):
    path = folder / ".champion.json"
    path.write_text(Champion(version=version).model_dump_json())
    path.replace(folder / "champion.json")


def test_a_sighting_changes_with_the_champion(folder):
    watch = ChampionWatch(folder)
    assert watch.look().version == ""
    promote(folder, "1")
    first = watch.look()
    assert first.version == "1"
    assert watch.look() == first
    promote(folder, "2")
    assert watch.look().version == "2"


def test_a_sighting_changes_with_the_files_of_the_version(folder):
    promote(folder, "1")
    watch = ChampionWatch(folder)
    first = watch.look()
    with (folder / "1" / "vocabulary.txt").open("a") as file:
        file.write("more\n")
    second = watch.look()
    assert second != first
    (folder / "1" / "SHA256SUMS").unlink()
    assert watch.look() != second


def test_the_file_is_read_only_after_a_change(folder, monkeypatch):
    promote(folder, "1")
    watch = ChampionWatch(folder)
    watch.look()
    monkeypatch.setattr("valence.service.registry.champion.read", lambda _: 1 / 0)
    assert watch.look().version == "1"


def test_a_fault_of_the_store_is_a_sighting(folder):
    watch = ChampionWatch(folder)
    (folder / "champion.json").write_text("{")
    assert "champion.json" in watch.look().fault
    promote(folder, "1")
    assert watch.look().version == "1"


def test_a_champion_without_a_folder_is_seen(folder):
    promote(folder, "9")
    assert ChampionWatch(folder).look() == ("9", "", ())
