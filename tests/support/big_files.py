"""Files of artificial texts of any size: words by Zipf's law, and some words that tell the
label.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

LABELS = ("negative", "positive")
_TELLING = ("dreadful", "boring", "ugly", "lovely", "superb", "great")  # three per label
_WORDS = 50_000
_PHRASES = 20_000
_PHRASE_BYTES = 130
_AT_ONCE = 50_000


def write(path: Path, size: int, *, seed: int = 0) -> int:
    """Write about ``size`` bytes of JSON lines ``{"text", "label"}``; return the number of texts.

    A text has two phrases of some twenty words around one word that tells the label; in one of ten
    texts this word belongs to the other label. Lines have equal length, and blanks fill phrases up.
    They are therefore built as an array, as fast as a disk can write them.
    """
    random = np.random.default_rng(seed)
    phrases = _padded(_phrases(random), _PHRASE_BYTES)
    telling = _padded(list(_TELLING), 10)
    labels = _padded(list(LABELS), 8)
    texts = written = 0
    with path.open("wb") as file:
        while written < size:
            count = min(_AT_ONCE, 1 + (size - written) // (2 * _PHRASE_BYTES))
            word = random.integers(len(_TELLING), size=count)
            label = (word // 3) ^ (random.random(count) < 0.1)
            first, last = random.integers(_PHRASES, size=(2, count))
            parts = [
                _fixed(b'{"text": "', count),
                phrases[first],
                telling[word],
                phrases[last],
                _fixed(b'", "label": "', count),
                labels[label],
                _fixed(b'"}\n', count),
            ]
            written += file.write(np.concatenate(parts, axis=1).tobytes())
            texts += count
    return texts


def _phrases(random: np.random.Generator) -> list[str]:
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(random.choice(letters, random.integers(2, 11))) for _ in range(_WORDS)]
    picks = np.minimum(random.zipf(1.2, (_PHRASES, 20)), _WORDS) - 1
    return [" ".join(words[index] for index in row) for row in picks]


def _padded(texts: list[str], width: int) -> np.ndarray:
    """Return ``(texts, width)`` bytes, filled with blanks at the end."""
    whole = b"".join(text.encode()[:width].ljust(width) for text in texts)
    return np.frombuffer(whole, dtype=np.uint8).reshape(len(texts), width)


def _fixed(text: bytes, count: int) -> np.ndarray:
    return np.broadcast_to(np.frombuffer(text, dtype=np.uint8), (count, len(text)))
