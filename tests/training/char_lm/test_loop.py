from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from valence.service.errors import ConfigurationError
from valence.training.char_lm import checkpoint, loop
from valence.training.char_lm.checkpoint import CharacterCheckpoint
from valence.training.char_lm.config import Expected
from valence.training.char_lm.documents import Document, DocumentSplits

from tests.training.char_lm.conftest import configuration, train

pytestmark = pytest.mark.integration


def test_the_model_reaches_the_entropy_of_the_text(toy: CharacterCheckpoint) -> None:
    # every fourth character is one of four digits: two bits per sentence of four characters
    assert toy.test_bits is not None
    assert 0.49 < toy.test_bits < 0.6
    assert len(toy.history) == 3


def test_an_untrained_model_needs_the_log_of_the_alphabet_size(toy: CharacterCheckpoint) -> None:
    model = toy.build_network()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    text = toy.alphabet.encode("ab0.ab1.ab2.")
    assert loop.measure_bits(model, text) == pytest.approx(np.log2(len(toy.alphabet)))


def test_chunks_hold_every_character_and_its_successor_once() -> None:
    text = np.arange(24)
    pairs = list(loop.iterate_chunks(text, streams=2, length=4))
    read = torch.cat([pair[0] for pair in pairs])  # (T, B)
    following = torch.cat([pair[1] for pair in pairs])
    assert read[:, 0].tolist() == list(range(11))
    assert read[:, 1].tolist() == list(range(11, 22))
    assert torch.equal(following, read + 1)
    assert [len(pair[0]) for pair in pairs] == [4, 4, 3]


class _Stopped(Exception):
    pass


def test_a_resumed_run_ends_with_the_same_weights(
    texts: DocumentSplits, toy: CharacterCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "toy.safetensors"
    save = checkpoint.save_checkpoint

    def stopped(saved: CharacterCheckpoint, path: Path) -> None:
        save(saved, path)
        if len(saved.history) == 2:
            raise _Stopped

    monkeypatch.setattr(checkpoint, "save_checkpoint", stopped)
    with pytest.raises(_Stopped):
        train(configuration(), texts, target)
    assert checkpoint.load_checkpoint(target).test_bits is None
    monkeypatch.setattr(checkpoint, "save_checkpoint", save)
    done = train(configuration(), texts, target)
    assert done.test_bits == toy.test_bits
    assert all(torch.equal(value, toy.best[name]) for name, value in done.best.items())


def test_a_finished_model_is_not_retrained_by_default(
    texts: DocumentSplits, toy: CharacterCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "toy.safetensors"
    checkpoint.save_checkpoint(toy, target)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_train_epoch", None)
        assert train(configuration(), texts, target).test_bits == toy.test_bits
        # another expected result needs no other weights
        expecting = configuration().model_copy(update={"expected": Expected(bits=0.5)})
        assert train(expecting, texts, target).test_bits == toy.test_bits
    once = configuration(epochs=1)
    assert len(train(once, texts, target, fresh=True).history) == 1


def test_another_configuration_or_text_starts_a_new_run(
    texts: DocumentSplits, toy: CharacterCheckpoint, tmp_path: Path
) -> None:
    target = tmp_path / "toy.safetensors"
    checkpoint.save_checkpoint(toy, target)
    assert len(train(configuration(epochs=1), texts, target).history) == 1
    other = DocumentSplits((Document(texts.train[0].text + "ab"),), texts.dev, texts.test)
    checkpoint.save_checkpoint(toy, target)
    again = train(configuration(), other, target)
    assert again.data_sha256 != toy.data_sha256
    assert again.history[0] != toy.history[0]


def test_too_little_text_is_refused_with_a_remedy(tmp_path: Path) -> None:
    little = DocumentSplits(*((Document("ab0." * 10),) for _ in range(3)))
    with pytest.raises(ConfigurationError, match=r"40 characters .* lower optimization\.streams"):
        train(configuration(), little, tmp_path / "toy.safetensors")


def test_divergence_names_the_settings_to_lower(texts: DocumentSplits, tmp_path: Path) -> None:
    wild = configuration(learning_rate=1e38, optimizer="adamw", epochs=1)
    with pytest.raises(ConfigurationError, match=r"lower optimization\.learning_rate"):
        train(wild, texts, tmp_path / "toy.safetensors")
