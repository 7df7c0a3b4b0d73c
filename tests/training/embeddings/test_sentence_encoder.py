from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.sentence_encoder import encode_words, reduce_dimensions

pytestmark = pytest.mark.integration

WORDS = ("good", "#bad", "understand", "xyzzy", "#")


def test_a_word_is_the_mean_of_its_pieces(encoder_folder: Path, tmp_path: Path) -> None:
    """The other words of the batch do not matter."""
    rows = encode_words(Encoder(str(encoder_folder)), WORDS, cache=tmp_path / "together")
    assert rows.shape == (5, 32)
    model = transformers.AutoModel.from_pretrained(encoder_folder).eval()
    # begin, un, ##der, ##stand, end; a hashtag is encoded as its word
    for word, ids in (("understand", [2, 6, 7, 8, 3]), ("#bad", [2, 5, 3])):
        with torch.inference_mode():
            expected = model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(rows[WORDS.index(word)], expected, atol=1e-5)
    alone = encode_words(Encoder(str(encoder_folder)), ["good"], cache=tmp_path / "alone")
    np.testing.assert_allclose(alone[0], rows[0], atol=1e-5)


def test_an_encoded_word_is_not_encoded_again(encoder_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    one = Encoder(str(encoder_folder))
    first = encode_words(one, ["good", "bad", "good"], cache=tmp_path, progress=said.append)
    second = encode_words(one, ["under", "good"], cache=tmp_path, progress=said.append)
    assert np.array_equal(second[1], first[0])
    third = encode_words(one, ["bad", "under"], cache=tmp_path, progress=said.append)
    assert np.array_equal(third, [first[1], second[0]])
    assert said == [f"{encoder_folder}: encoding {count} words" for count in (2, 1)]


def test_the_words_of_a_damaged_cache_are_encoded_again(
    encoder_folder: Path, tmp_path: Path
) -> None:
    first = encode_words(Encoder(str(encoder_folder)), WORDS, cache=tmp_path)
    (kept,) = tmp_path.glob("encoded-*")
    kept.write_bytes(kept.read_bytes()[:-5])
    assert np.array_equal(encode_words(Encoder(str(encoder_folder)), WORDS, cache=tmp_path), first)


def test_each_encoder_has_its_own_cache(encoder_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    torch.manual_seed(1)
    transformers.BertModel(transformers.BertConfig.from_pretrained(encoder_folder)).save_pretrained(
        other
    )
    transformers.BertTokenizerFast.from_pretrained(encoder_folder).save_pretrained(other)
    first, second = (
        encode_words(Encoder(str(one)), ["good"], cache=tmp_path / "cache")
        for one in (encoder_folder, other)
    )
    assert not np.allclose(first, second)


def test_reduction_gives_scaled_principal_components() -> None:
    """The deviation of each is the square root of its original deviation."""
    generator = np.random.default_rng(0)
    rows = (generator.normal(size=(500, 6)) * [9, 5, 3, 1, 0.5, 0] + 7).astype(np.float32)
    found = reduce_dimensions(rows, 3)
    assert found.shape == (500, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    # uncorrelated; the deviation of each is the square root of its original deviation
    covariance = np.cov(found.T, bias=True)
    deviations = np.linalg.svd((rows - rows.mean(0)).astype(float), compute_uv=False)[:3] / 500**0.5
    np.testing.assert_allclose(covariance, np.diag(deviations), atol=1e-3)
    # a direction without variance is left out
    assert reduce_dimensions(rows, 6).shape == (500, 5)


def test_rows_outside_the_sample_do_not_move_the_components() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    strange = np.vstack([rows, np.full((50, 6), 9, dtype=np.float32)])
    sample = np.arange(len(strange)) < len(rows)
    alone, together = reduce_dimensions(rows, 3), reduce_dimensions(strange, 3, sample)
    np.testing.assert_allclose(together[:200], alone, atol=1e-5)
    assert np.abs(reduce_dimensions(strange, 3)[:200] - alone).max() > 0.1
