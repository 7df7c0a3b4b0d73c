from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from valence.service.errors import ConfigurationError
from valence.training.embeddings import extra_words, glove


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "vectors.txt"
    path.write_text("good 1 2\nfilm 3 4\nmeal 5 6\n")
    return str(path)


def test_extra_words_are_the_first_of_a_file(file: str, tmp_path: Path) -> None:
    assert extra_words.select_extra_words(["in-domain", file], 2, cache=tmp_path) == (
        "good",
        "film",
    )
    assert extra_words.select_extra_words([file], 9, cache=tmp_path) == ("good", "film", "meal")


def test_extra_words_are_the_first_of_glove(
    file: str, tmp_path: Path, publish_glove: Callable[..., None]
) -> None:
    publish_glove(tmp_path, ["the", "of"], np.zeros((2, 50), dtype=np.float32))
    assert extra_words.select_extra_words([glove.NAME, file], 1, cache=tmp_path) == ("the",)


def test_without_extra_words_no_file_is_read(tmp_path: Path) -> None:
    assert extra_words.select_extra_words(["no such file"], 0, cache=tmp_path) == ()


def test_vectors_without_a_word_list_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"words\.unseen = 5: none of .*all-minilm-l6-v2.*add 'glove"
    ):
        extra_words.select_extra_words(["in-domain", "all-minilm-l6-v2"], 5, cache=tmp_path)
