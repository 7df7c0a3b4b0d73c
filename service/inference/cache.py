"""Answers kept for texts that come again: off unless a setting gives it memory."""

from __future__ import annotations

import hashlib
import secrets

from valence.service.inference.scored import Answer

# What an answer and its place in the cache take, measured, and what each label adds to it.
_ENTRY_BYTES = 600
_LABEL_BYTES = 32


class AnswerCache:
    """The most recently used answers, in at most ``max_bytes``; models may share one.

    Texts are not kept: an answer is found by a hash of its model and text under a key that only
    this process has, so that what the cache holds can neither be read nor looked up from outside.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._secret = secrets.token_bytes(32)
        self._bytes = 0
        # the first is the one unused for longest
        self._answers: dict[bytes, Answer] = {}

    def key(self, model: str, text: str) -> bytes:
        """Where the answer of ``model``, a name and a version, to ``text`` is kept."""
        # a model's name holds no null character, so nobody can move the border between the two
        content = f"{model}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16, key=self._secret).digest()

    def get(self, key: bytes) -> Answer | None:
        """The answer kept at ``key``, which is now the most recently used."""
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._answers[key] = answer
        return answer

    def put(self, key: bytes, answer: Answer) -> None:
        """Keep ``answer``, and drop the ones unused for longest if it would be too much."""
        self._forget(key)
        self._answers[key] = answer
        self._bytes += _size(answer)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._answers)))

    def __len__(self) -> int:
        return len(self._answers)

    def _forget(self, key: bytes) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._bytes -= _size(answer)


def _size(answer: Answer) -> int:
    return _ENTRY_BYTES + _LABEL_BYTES * len(answer[0].probabilities)
