"""A version is loaded and freed in pieces, so that no request waits for all of it."""

import gc
import weakref
from itertools import product

import pytest
from valence.service.classifier import artifact, seal
from valence.service.classifier.spelling import SpellingIndex
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import TextTooLong
from valence.service.inference.reload import release as module
from valence.service.inference.reload.load_thread import LoadThread
from valence.service.inference.reload.release import release
from valence.service.inference.scored import ScoreRequest
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
    assert len(pauses) - split >= 4 * len(WORDS) // background.PIECE_WORDS
    assert read._ids == {word: number for number, word in enumerate(WORDS)}


def test_typos_are_found_whatever_the_pieces(pauses, monkeypatch):
    in_pieces = SpellingIndex(WORDS)
    assert len(pauses) >= 2 * len(WORDS) // background.PIECE_WORDS
    monkeypatch.setattr(background, "PIECE_WORDS", len(WORDS))
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
    monkeypatch.setattr(background, "PIECE_WORDS", 2)
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


async def test_a_version_is_freed_without_the_collector_of_garbage(make_service, monkeypatch):
    """The collector would hold the interpreter's lock for as long as it looks at all objects."""
    monkeypatch.setattr(module.gc, "collect", lambda: pytest.fail("the collector looked"))
    service = make_service(monitor=True)
    scorer = service.loader.load(service.store / "sentiment" / "1")
    gc.disable()
    try:
        for request in (
            ScoreRequest(["a good film", "a bad film. " * 300]),
            ScoreRequest(["a good film. a bad film."], sentences=True),
            ScoreRequest(["a good film"], explain=True),
            ScoreRequest(["a good film. " * 300], truncation="window"),
            ScoreRequest(["a good film. " * 300, "good"], truncation="error", partial=True),
        ):
            await scorer.score(request)
        await scorer.drain()
        scorer.leave_service(version_stays=False)
        gone = [weakref.ref(scorer), weakref.ref(scorer.classifier), weakref.ref(scorer.engine)]
        held = [scorer]
        del scorer
        release(held)
        assert [one() for one in gone] == [None] * len(gone)
    finally:
        gc.enable()


async def test_a_version_that_an_error_keeps_is_freed(make_service):
    """The error knows the frames that it went through, and one of them the error."""
    service = make_service()
    scorer = service.loader.load(service.store / "sentiment" / "1")
    with pytest.raises(TextTooLong):
        await scorer.score(ScoreRequest(["a good film. " * 300], truncation="error"))
    gone = weakref.ref(scorer.engine)
    held = [scorer]
    del scorer
    release(held)
    assert gone() is None
