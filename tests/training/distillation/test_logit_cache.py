from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from valence.training.distillation.logit_cache import LogitCache
from valence.training.runtime.progress import Reporter


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), 0] for text in texts], dtype=np.float32)


def test_cached_answers_are_found_by_text(tmp_path: Path, silent: type[Reporter]) -> None:
    """The file holds no text."""
    path = tmp_path / "of.safetensors"
    # an unpaired surrogate is a valid text
    texts = ["a secret", "\ud800", "a secret", ""]
    first = LogitCache(path)
    assert first.missing(texts) == ["a secret", "\ud800", ""]
    first.add(first.missing(texts), lengths, who="it", reporter=silent())
    later = LogitCache(path)
    assert later.missing([*texts, "another"]) == ["another"]
    assert later.get(texts)[:, 0].tolist() == [8, 1, 8, 0]
    assert b"secret" not in path.read_bytes()


def test_an_interruption_loses_only_the_current_batch(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    texts = [str(number) for number in range(16_384)]
    asked: list[Sequence[str]] = []

    def interrupted_answers(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.append(texts)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return lengths(texts)

    path, reporter = tmp_path / "of.safetensors", silent()
    with pytest.raises(KeyboardInterrupt):
        LogitCache(path).add(texts, interrupted_answers, who="it", reporter=reporter)
    assert "it answers 16,384 texts" in reporter.said
    assert reporter.said[1].startswith("it answers: 50%, ")
    assert LogitCache(path).missing(texts) == asked[1] == texts[8_192:]


def test_a_damaged_cache_counts_as_empty_and_is_replaced(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    path = tmp_path / "of.safetensors"
    LogitCache(path).add(["one"], lengths, who="it", reporter=silent())
    path.write_bytes(path.read_bytes()[:-3])
    again = LogitCache(path)
    assert again.missing(["one"]) == ["one"]
    again.add(["one"], lengths, who="it", reporter=silent())
    assert LogitCache(path).get(["one"]).tolist() == [[3, 0]]


def test_without_texts_there_is_no_message_and_no_file(
    tmp_path: Path, silent: type[Reporter]
) -> None:
    reporter = silent()
    LogitCache(tmp_path / "of.safetensors").add([], lengths, who="it", reporter=reporter)
    assert reporter.said == []
    assert list(tmp_path.iterdir()) == []
