"""A version is loaded and freed in pieces, so that no request waits for all of it."""

import weakref
from itertools import product

import pytest
from valence.service.classifier import artifact, seal, spelling, vocabulary
from valence.service.classifier.spelling import SpellingIndex
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.inference.reload import release as module
from valence.service.inference.reload.load_thread import LoadThread
from valence.service.inference.reload.release import release
from valence.service.pacing import background

WORDS = ("<unk>", *("".join(letters) for letters in product("abcdefghij", repeat=4)))


@pytest.fixture
def pauses(monkeypatch):
    """The pauses so far, each as the pieces that were looked at before it."""
    taken: list[None] = []
    monkeypatch.setattr(background, "pause", lambda: taken.append(None))
    return taken


def test_a_vocabulary_is_read_in_pieces(pauses):
    """Its words have the same ids as if they were read at once."""
    words = artifact._split_lines("".join(f"{word}\n" for word in WORDS))
    split = len(pauses)
    assert tuple(words) == WORDS
    assert split >= len("".join(WORDS)) / artifact._PIECE_CHARACTERS / 2
    read = Vocabulary(words, misspelled="nearest")
    assert len(pauses) - split >= 4 * len(WORDS) // vocabulary._PIECE
    assert read._ids == {word: number for number, word in enumerate(WORDS)}


def test_typos_are_found_whatever_the_pieces(pauses, monkeypatch):
    in_pieces = SpellingIndex(WORDS)
    assert len(pauses) >= 2 * len(WORDS) // spelling._PIECE
    monkeypatch.setattr(spelling, "_PIECE", len(WORDS))
    at_once = SpellingIndex(WORDS)
    assert (in_pieces._keys == at_once._keys).all()
    for word in ("abcdd", "xbcd", "fghji", "jjjjj"):
        assert in_pieces.find(word) == at_once.find(word) is not None


def test_lines_end_with_line_feeds_alone():
    assert artifact._split_lines("a\u2028b\nc\n") == ["a\u2028b", "c"]
    assert artifact._split_lines("a\n\nb") == ["a", "", "b"]


def test_a_file_is_hashed_in_pieces(pauses, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a" * 1_000_000)
    # sha256sum of a million times the letter a, as FIPS 180-2 gives it
    assert seal.sha256(path) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    assert len(pauses) == 4


async def test_a_version_is_loaded_in_the_background(make_service):
    service = make_service()
    thread = LoadThread()
    try:
        assert await thread.run(background.entered)
        folder = service.store / "sentiment" / "1"
        loaded = await thread.run(lambda: service.loader.load(folder))
        here = service.loader.load(folder)
        text = loaded.classifier.encode_head("a good film").ids
        assert (loaded.engine.logits([text]) == here.engine.logits([text])).all()
    finally:
        thread.close()


async def test_a_version_is_freed_in_pieces(make_service, monkeypatch, pauses):
    service = make_service()
    monkeypatch.setattr(module, "_PIECE", 2)
    monkeypatch.setattr(vocabulary, "_PIECE", 2)
    scorer = service.loader.load(service.store / "sentiment" / "1")
    words = len(scorer.classifier.artifact.vocabulary)
    for text in ("a good film", "a bad film", "an unknown qzxv"):
        scorer.classifier.encode_head(text)
    gone = weakref.ref(scorer.classifier.artifact.vocabulary)
    held, before = [scorer], len(pauses)
    del scorer
    release(held)
    assert held == []
    assert gone() is None
    assert len(pauses) - before >= (words + 6) // 2
