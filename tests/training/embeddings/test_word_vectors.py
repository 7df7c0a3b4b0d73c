from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ConfigurationError
from valence.training.config.schema import IN_DOMAIN, MINILM, Words
from valence.training.embeddings import encoder_model, glove, sentence_encoder, word_vectors
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.word_vectors import SCALE, WordVectors

VOCABULARY = Vocabulary(("<unk>", "good", "#bad", "#own", "xyzzy"))
LINES = "good 1 2 3\nbad -1 0 1e0\nown 5 5 5\n#own 0.5 0.25 0\nrest 9 9 9\n"


def load(source: str, vocabulary: Vocabulary, *, cache: Path, encoder_size: int = 4) -> WordVectors:
    return word_vectors.load_word_vectors(
        Words(vectors=(source,), encoder_size=encoder_size), vocabulary, texts=(), cache=cache
    )


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("header", ["", "5 3\n"], ids=["GloVe", "word2vec"])
def test_both_file_formats_give_the_rows_of_their_words(tmp_path: Path, header: str) -> None:
    found = load(write(tmp_path / "v.txt", header + LINES), VOCABULARY, cache=tmp_path)
    assert found.found.tolist() == [False, True, True, True, False]
    # a hashtag without a vector gets that of its word
    raw = np.array([[1, 2, 3], [-1, 0, 1], [0.5, 0.25, 0]], dtype=np.float32)
    np.testing.assert_allclose(found.values[1:4], raw * SCALE / raw.std(), rtol=1e-6)
    assert not found.values[[0, 4]].any()
    assert found.values.dtype == np.float32


def test_vectors_have_the_scale_that_training_expects(tmp_path: Path) -> None:
    for factor in (0.01, 1, 100):
        text = "".join(f"good {factor} {-factor}\nbad {3 * factor} {factor}\n" for _ in range(1))
        found = load(write(tmp_path / "v.txt", text), VOCABULARY, cache=tmp_path)
        assert found.values[found.found].std() == pytest.approx(SCALE)


def test_constant_vectors_are_not_scaled_by_a_zero_deviation(tmp_path: Path) -> None:
    found = load(write(tmp_path / "v.txt", "good 2 2\n"), VOCABULARY, cache=tmp_path)
    assert found.values[1].tolist() == [2, 2]


def test_a_file_without_known_words_leaves_all_rows_zero(tmp_path: Path) -> None:
    found = load(write(tmp_path / "v.txt", "other 1 2\n"), VOCABULARY, cache=tmp_path)
    assert not found.found.any()
    assert found.values.shape == (5, 2)
    assert not found.values.any()


def test_the_first_vector_of_a_duplicate_word_counts(tmp_path: Path) -> None:
    found = load(write(tmp_path / "v.txt", "good 1 0\ngood 0 1\n"), VOCABULARY, cache=tmp_path)
    assert found.values[1, 0] > found.values[1, 1] == 0


def test_unusual_words_and_trailing_blanks_are_accepted(tmp_path: Path) -> None:
    """Words may hold blanks and unusual characters."""
    text = "other 1 2 3 \n. . . 1 2 3\nat me@home.org 1 2 3\n\u2028\x85 4 5 6\ngood 7 8 9 \r\n"
    found = load(write(tmp_path / "v.txt", text), VOCABULARY, cache=tmp_path)
    assert found.found.tolist() == [False, True, False, False, False]
    assert found.values[1, 2] > found.values[1, 0] > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("good 1 2\nbad 1\n", "line 2 is not in .*: it holds 1 numbers, expected 2"),
        ("good 1 2\n\nbad 1 2\n", "line 2 is not in .*: it holds 0 numbers, expected 2"),
        ("good 1 x\n", "line 1 is not in"),
        ("good\nbad 1 2\n", "line 1 is not in .*: it holds 0 numbers, expected some"),
        ("good 1 2\nbad nan 2\n", "line 2 is not in .*: it holds a number that is not finite"),
        ("good 1 1e99\n", "line 1 is not in .*not finite"),
        ("", "holds no vectors"),
        ("5 3\n", "holds no vectors"),
        (b"3 2\n\xff\xfe\x00\x01", "not UTF-8 after line .*binary files of vectors"),
        (b"\xff" * 50, "not UTF-8 after line 0"),
    ],
)
def test_an_invalid_vector_file_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = write(tmp_path / "v.txt", content)
    with pytest.raises(ConfigurationError, match=rf"words.vectors: .*v.txt: {message}"):
        load(path, VOCABULARY, cache=tmp_path)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent: no such file.*published ones"):
        load(str(tmp_path / "absent"), VOCABULARY, cache=tmp_path)
    (tmp_path / "locked").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"words.vectors: .*locked/in: Not a directory"):
        load(str(tmp_path / "locked" / "in"), VOCABULARY, cache=tmp_path)


def test_glove_is_read_from_its_wheel(tmp_path: Path, publish_glove: Callable[..., None]) -> None:
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    publish_glove(tmp_path, ["the", "good", "bad"], table)
    found = load(glove.NAME, VOCABULARY, cache=tmp_path)
    assert found.found.tolist() == [False, True, True, False, False]
    np.testing.assert_allclose(found.values[1:3], table[1:] * SCALE / table[1:].std(), rtol=1e-6)


def test_an_encoder_has_a_vector_for_every_known_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    asked = []

    def encode(source: Encoder, words: list[str], **_: object) -> object:
        asked.append(words)
        return rows

    monkeypatch.setattr(sentence_encoder, "encode_words", encode)
    found = load(str(tmp_path), VOCABULARY, cache=tmp_path, encoder_size=3)
    assert asked == [["good", "#bad", "#own", "xyzzy"]]
    assert found.found.tolist() == [False, True, True, True, True]
    assert found.values.shape == (5, 3)
    assert not found.values[0].any()
    assert found.values[1:].std() == pytest.approx(SCALE)


def test_the_source_of_vectors_is_recorded_without_its_folder(tmp_path: Path) -> None:
    for name, package in ((glove.NAME, glove.PACKAGE), (MINILM, encoder_model.PACKAGE)):
        recorded = word_vectors.make_record(name, ())
        assert (recorded.source, recorded.sha256) == (package.requirement, package.sha256)
        assert recorded.license == package.license
    folder = tmp_path / "mine"
    folder.mkdir()
    of_file = word_vectors.make_record(write(folder / "v.txt", LINES), ())
    of_folder = word_vectors.make_record(str(folder), ())
    assert (of_file.name, of_folder.name) == ("v.txt", "mine")
    assert str(tmp_path) not in of_file.source + of_folder.source
    (folder / "v.txt").write_text("other")
    assert word_vectors.make_record(str(folder), ()) != of_folder


def test_in_domain_vectors_record_the_hash_of_their_texts() -> None:
    one, same, other = (
        word_vectors.make_record(IN_DOMAIN, texts) for texts in (["a", "b"], ["a", "b"], ["ab"])
    )
    assert (one.name, one.source) == ("in-domain", "2 of one's own texts")
    assert one == same
    assert one.sha256 != other.sha256


def test_in_domain_vectors_are_learnt_from_the_texts(tmp_path: Path) -> None:
    said: list[str] = []
    found = word_vectors.load_word_vectors(
        Words(vectors=(IN_DOMAIN,), in_domain_size=2),
        VOCABULARY,
        texts=["A good bad day.", "a bad good day!"] * 5,
        cache=tmp_path,
        progress=said.append,
    )
    # a hashtag has the vector of its word
    assert found.found.tolist() == [False, True, True, False, False]
    assert found.values.shape == (5, 2)
    assert found.values[1:3].std() == pytest.approx(SCALE)
    assert said == [
        "in-domain: learning vectors from 10 texts",
        "in-domain: vectors for 40% of the words",
    ]


def test_several_sources_are_joined_each_with_its_own_scale(tmp_path: Path) -> None:
    small, large = (
        write(tmp_path / name, text)
        for name, text in (("a.txt", "good 0.1 -0.1\n"), ("b.txt", "xyzzy 9 -9 9\ngood 1 1 1\n"))
    )
    said: list[str] = []
    found = word_vectors.load_word_vectors(
        Words(vectors=(small, large)),
        VOCABULARY,
        texts=(),
        cache=tmp_path,
        progress=said.append,
    )
    assert found.values.shape == (5, 5)
    assert found.found.tolist() == [False, True, False, False, True]
    assert not found.values[4, :2].any()
    assert found.values[1, :2].std() == pytest.approx(SCALE)
    assert found.values[[1, 4], 2:].std() == pytest.approx(SCALE)
    assert said == [
        f"{small}: vectors for 20% of the words",
        f"{large}: vectors for 40% of the words",
    ]
