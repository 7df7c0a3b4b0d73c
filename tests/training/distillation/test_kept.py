from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from valence.training.distillation import logit_cache
from valence.training.distillation.logit_cache import LogitCache
from valence.training.runtime.progress import Reporter


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), 0] for text in texts], dtype=np.float32)


def test_what_was_said_before_is_found_by_its_text_and_no_text_is_written(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    path = tmp_path / "of.safetensors"
    # an unpaired surrogate is a text too
    texts = ["a secret", "\ud800", "a secret", ""]
    first = LogitCache(path)
    assert first.missing(texts) == ["a secret", "\ud800", ""]
    first.add(first.missing(texts), lengths, who="it", reporter=silent())
    later = LogitCache(path)
    assert later.missing([*texts, "another"]) == ["another"]
    assert later.of(texts)[:, 0].tolist() == [8, 1, 8, 0]
    assert b"secret" not in path.read_bytes()


def test_an_interruption_loses_what_is_being_answered_alone(
    tmp_path: Path, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logit_cache, "_TEXTS_AT_ONCE", 2)

    def stops(texts: Sequence[str]) -> NDArray[np.float32]:
        if "four" in texts:
            raise KeyboardInterrupt
        return lengths(texts)

    path, texts = tmp_path / "of.safetensors", ["one", "two", "three", "four"]
    reporter = silent()
    with pytest.raises(KeyboardInterrupt):
        LogitCache(path).add(texts, stops, who="it", reporter=reporter)
    assert "it answers 4 texts" in reporter.said
    assert reporter.said[1].startswith("it answers: 50%, ")
    assert LogitCache(path).missing(texts) == ["three", "four"]


def test_a_damaged_file_holds_nothing_and_is_replaced(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    path = tmp_path / "of.safetensors"
    LogitCache(path).add(["one"], lengths, who="it", reporter=silent())
    path.write_bytes(path.read_bytes()[:-3])
    again = LogitCache(path)
    assert again.missing(["one"]) == ["one"]
    again.add(["one"], lengths, who="it", reporter=silent())
    assert LogitCache(path).of(["one"]).tolist() == [[3, 0]]


def test_nothing_is_said_or_written_where_nothing_is_asked(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    reporter = silent()
    LogitCache(tmp_path / "of.safetensors").add([], lengths, who="it", reporter=reporter)
    assert reporter.said == []
    assert list(tmp_path.iterdir()) == []
