from __future__ import annotations

from pathlib import Path

import pytest
import torch
from valence.service.errors import ConfigurationError
from valence.training.char_lm import checkpoint
from valence.training.char_lm.checkpoint import CharacterCheckpoint


def test_a_loaded_model_equals_the_saved_one(toy: CharacterCheckpoint, tmp_path: Path) -> None:
    path = checkpoint.checkpoint_path(tmp_path / "deep", "toy")
    checkpoint.save_checkpoint(toy, path)
    back = checkpoint.load_checkpoint(path)
    assert back.configuration == toy.configuration
    assert back.alphabet.characters == toy.alphabet.characters
    assert (back.history, back.test_bits) == (toy.history, toy.test_bits)
    assert all(torch.equal(value, toy.best[name]) for name, value in back.best.items())
    assert [item.name for item in path.parent.iterdir()] == ["toy.safetensors"]


def test_a_failed_write_keeps_the_previous_model(
    toy: CharacterCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint.checkpoint_path(tmp_path, "toy")
    checkpoint.save_checkpoint(toy, path)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_checkpoint(toy, path)
    assert checkpoint.load_checkpoint(path).test_bits == toy.test_bits


def test_another_file_is_refused_with_a_remedy(toy: CharacterCheckpoint, tmp_path: Path) -> None:
    path = checkpoint.checkpoint_path(tmp_path, "toy")
    with pytest.raises(ConfigurationError, match="there is no such model; train one"):
        checkpoint.load_checkpoint(path)
    checkpoint.save_checkpoint(toy, path)
    whole = path.read_bytes()
    for damaged in (b"", b"no model", whole[:100], whole[:-1], whole.replace(b"lstm", b"xstm")):
        path.write_bytes(damaged)
        with pytest.raises(ConfigurationError, match="train the model again"):
            checkpoint.load_checkpoint(path)
