"""A cache of answers for repeated texts; it is off unless a setting gives it memory."""

from __future__ import annotations

import hashlib
import secrets

from valence.service.inference.scored import Answer

# The memory of an answer and its entry, measured, and what each label adds.
_ENTRY_BYTES = 600
_LABEL_BYTES = 32


class AnswerCache:
    """The most recently used answers, in at most ``max_bytes``; models may share one.

    The cache holds no texts. It finds an answer by a hash of the model and the text, keyed with a
    secret of this process. So its content can neither be read nor looked up from outside.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._secret = secrets.token_bytes(32)
        self._bytes = 0
        # the first entry is the least recently used
        self._answers: dict[bytes, Answer] = {}

    def key(self, model: str, text: str) -> bytes:
        """The key of the answer of ``model``, a name and a version, to ``text``."""
        # a model's name has no null character, so no text can shift the border between the two
        content = f"{model}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16, key=self._secret).digest()

    def get(self, key: bytes) -> Answer | None:
        """The answer for ``key``, or None; it becomes the most recently used."""
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._answers[key] = answer
        return answer

    def put(self, key: bytes, answer: Answer) -> None:
        """Store ``answer``, and evict the least recently used answers beyond ``max_bytes``."""
        self._evict(key)
        self._answers[key] = answer
        self._bytes += _size(answer)
        while self._bytes > self._max_bytes:
            self._evict(next(iter(self._answers)))

    def __len__(self) -> int:
        return len(self._answers)

    def _evict(self, key: bytes) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._bytes -= _size(answer)


def _size(answer: Answer) -> int:
    prediction = answer[0]
    numbers = len(prediction.probabilities) + (prediction.outside is not None)
    return _ENTRY_BYTES + _LABEL_BYTES * numbers
