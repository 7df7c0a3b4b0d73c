from __future__ import annotations

import emoji
import numpy as np
import pytest
from valence.service.classifier.emoji import normalize_emoji
from valence.service.classifier.tokenizer import find_surfaces
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.embeddings.emoji_names import find_name, list_emoji, split_name
from valence.training.embeddings.table import VectorTable

# symbols whose selector is a token of its own
SEPARATE_SELECTOR = frozenset("©®‼⁉™ℹ〰〽㊗㊙⤴⤵")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("😀", "grinning face"),
        ("❤", "red heart"),
        ("<3", "red heart"),
        ("👍", "thumbs up"),
        (":-)", "slightly smiling face"),
        ("🇫🇷", "flag france"),
        ("👩\u200d🚀", "woman astronaut"),
        ("🏃\u200d♀", "woman running"),
        ("☛", "black right pointing index"),  # a symbol that is no emoji
        ("good", None),
        ("!", None),
        ("<unk>", None),
        ("", None),
    ],
)
def test_a_word_has_the_name_of_its_emoji(word: str, name: str | None) -> None:
    assert find_name(word) == name


def test_every_emoji_of_unicode_is_one_known_word() -> None:
    """In every skin tone and with or without selector; a keycap is a number."""
    vocabulary = Vocabulary((UNKNOWN, "<number>", *list_emoji()), emoji="named")
    assert len(vocabulary) > 1_900
    for written in emoji.EMOJI_DATA:
        tokens = find_surfaces(written)
        if not SEPARATE_SELECTOR.isdisjoint(written):
            tokens = [token for token in tokens if token != "\ufe0f"]
        assert len(tokens) == 1, written
        assert vocabulary.knows(tokens[0]), written


def test_the_listed_emoji_have_one_spelling_and_a_name() -> None:
    listed = list_emoji()
    assert len(set(listed)) == len(listed)
    assert all(normalize_emoji(word) == word and find_name(word) for word in listed)
    assert not any("skin tone" in (find_name(word) or "") for word in listed if len(word) > 1)


def test_an_emoji_without_a_vector_has_the_mean_of_its_name() -> None:
    """Without the function words; an emoji with a vector keeps its vector."""
    values = np.array([[9, 9], [1, 0], [0, 2], [5, 5], [3, 3]], dtype=np.float32)
    words = ("of", "face", "tears", "❤", "red")
    table = VectorTable({word: row for row, word in enumerate(words)}, values)
    assert split_name("😂") == ["face", "tears", "joy"]
    found, known = table.look_up(["😂", "❤", "🪑", "xyzzy"])
    assert found.tolist() == [[0.5, 1.0], [5.0, 5.0], [0.0, 0.0], [0.0, 0.0]]
    assert known.tolist() == [True, True, False, False]
