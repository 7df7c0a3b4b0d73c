from __future__ import annotations

from pathlib import Path

import pytest
import torch
from valence.service.errors import ConfigurationError
from valence.training.char_lm import store
from valence.training.char_lm.store import Saved


def test_a_loaded_model_equals_the_saved_one(toy: Saved, tmp_path: Path) -> None:
    path = store.path(tmp_path / "deep", "toy")
    store.save(toy, path)
    back = store.load(path)
    assert back.configuration == toy.configuration
    assert back.alphabet.characters == toy.alphabet.characters
    assert (back.history, back.test_bits) == (toy.history, toy.test_bits)
    assert all(torch.equal(value, toy.best[name]) for name, value in back.best.items())
    assert [item.name for item in path.parent.iterdir()] == ["toy.safetensors"]


def test_a_failed_write_keeps_the_previous_model(
    toy: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path(tmp_path, "toy")
    store.save(toy, path)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space"):
        store.save(toy, path)
    assert store.load(path).test_bits == toy.test_bits


def test_another_file_is_refused_with_a_remedy(toy: Saved, tmp_path: Path) -> None:
    path = store.path(tmp_path, "toy")
    with pytest.raises(ConfigurationError, match="no such model; train one"):
        store.load(path)
    store.save(toy, path)
    whole = path.read_bytes()
    for damaged in (b"", b"no model", whole[:100], whole[:-1], whole.replace(b"lstm", b"xstm")):
        path.write_bytes(damaged)
        with pytest.raises(ConfigurationError, match="train it anew"):
            store.load(path)
