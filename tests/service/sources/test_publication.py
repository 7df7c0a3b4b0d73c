"""A version is pushed to each kind of source, whole, and an alias moves to what is there."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from valence.service.errors import ArtifactError, SourceError
from valence.service.sources.publication import move_alias, push_version
from valence.service.sources.source import AliasMoved

from tests.service.sources.conftest import KINDS, copy_report, spoil
from tests.support.tiny_models import save_tiny_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
    # how the library of the Hub uploads a large file
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


def name_version(version: str):
    return lambda before: (version, f'{{"version": "{version}"}}'.encode())


def append_version(version: str):
    """Promote ``version``, and keep the versions before."""

    def change(before: bytes | None) -> tuple[str, bytes]:
        held = json.loads(before) if before else {"previous": []}
        previous = [*held["previous"], *([held["version"]] if before else [])]
        return version, json.dumps({"version": version, "previous": previous}).encode()

    return change


@pytest.mark.parametrize("kind", KINDS)
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
    written = {path.relative_to(copied) for path in copied.rglob("*") if path.is_file()}
    # BentoML's own file is in each folder of a store
    assert written - {Path("model.yaml")} == {
        path.relative_to(model) for path in model.rglob("*") if path.is_file()
    }
    for file in written - {Path("model.yaml")}:
        assert (copied / file).read_bytes() == (model / file).read_bytes()
    if kind == "hf":
        # what the page of the repository shows
        page = (place.folder / "README.md").read_text()
        assert page.startswith("---\nlibrary_name: valence\n")
        assert page.endswith("---\n\n# A card\n")
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False], ids=["the first", "a further one"])
def test_a_promotion_loses_none_that_came_between(kind, first, make_place, tmp_path):
    """The second promoter reads the alias; the first one writes it before the second writes."""
    place = make_place(kind)
    source, other = place.open(), place.open()
    for version in ("1", "2", "3"):
        push_version(source, save_tiny_model(tmp_path / version, version=version))
    if not first:
        move_alias(source, "sentiment", "champion", append_version("1"))
    asked = []

    def promote_late(before):
        asked.append(before)
        if len(asked) == 1:
            move_alias(other, "sentiment", "champion", append_version("2"))
        return append_version("3")(before)

    assert move_alias(source, "sentiment", "champion", promote_late) == "3"
    content = json.loads(source.read_alias("sentiment", "champion", limit=1_000))
    assert content["version"] == "3"
    assert content["previous"] == (["2"] if first else ["1", "2"])
    assert len(asked) == 2


@pytest.mark.parametrize("kind", ["file", "s3", "gs", "hf"])
def test_promotions_at_once_lose_none(kind, make_place, tmp_path):
    place = make_place(kind)
    versions = [str(number) for number in range(1, 5)]
    for version in versions:
        push_version(place.open(), save_tiny_model(tmp_path / version, version=version))
    with ThreadPoolExecutor(len(versions)) as pool:
        sources = [place.open() for _ in versions]
        list(
            pool.map(
                lambda source, version: move_alias(
                    source, "sentiment", "champion", append_version(version)
                ),
                sources,
                versions,
            )
        )
    content = json.loads(place.open().read_alias("sentiment", "champion", limit=1_000))
    assert sorted((*content["previous"], content["version"])) == versions


def test_a_write_whose_answer_was_lost_is_not_repeated(make_place, tmp_path):
    """A library sends a write again if its answer is lost, and then meets its own file."""
    place = make_place("file")
    source = place.open()
    push_version(source, save_tiny_model(tmp_path / "trained"))
    write, asked = source.write_alias, []

    def lose_answer(*arguments, **options):
        write(*arguments, **options)
        raise AliasMoved

    source.write_alias = lose_answer

    def change(before):
        asked.append(before)
        return append_version("1")(before)

    assert move_alias(source, "sentiment", "champion", change) == "1"
    assert asked == [None]


def test_an_alias_that_others_move_again_and_again_is_told(make_place, tmp_path):
    place = make_place("file")
    source = place.open()
    push_version(source, save_tiny_model(tmp_path / "trained"))

    def give_way(*_, **__):
        raise AliasMoved

    source.write_alias = give_way
    with pytest.raises(SourceError, match="moved the alias 10 times meanwhile; let one process"):
        move_alias(source, "sentiment", "champion", append_version("1"))
