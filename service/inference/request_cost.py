"""What one request costs: counted while it grows, and refused as soon as it is over a limit.

The body of a request says little about its cost: a megabyte of full stops is half a million
sentences. So the windows and sentences of a request are counted while they are found, its
explained tokens text by text, and the bytes of its answer are estimated from both. A request over a
limit is refused before it enters the queue, and before more of it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from valence.service.errors import InvalidRequest

# Upper bounds, in bytes of JSON. Answers of other servers' dialects are shorter.
_RESULT_BYTES = 384
_SCORE_BYTES = 56
_TOKEN_BYTES = 104
# Smaller answers are not counted in the memory that all requests hold together.
LARGE_ANSWER = 16 * 1024


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The most that one request may cost; the names are those in the settings."""

    max_windows: int = 8_192
    max_explained_tokens: int = 65_536
    max_answer_bytes: int = 8 * 1024 * 1024


class RequestCost:
    """Counts the cost of one request, for a model with ``labels``.

    ``scores`` is the number of labels in each result; 0 means all. Methods raise
    :class:`InvalidRequest`, which names the limit and the remedy.
    """

    __slots__ = ("_explained", "_limits", "_result_bytes", "_windows", "answer_bytes")

    def __init__(self, limits: RequestLimits, labels: tuple[str, ...], *, scores: int = 0) -> None:
        self._limits = limits
        shown = min(scores or len(labels), len(labels))
        longest = max(map(_json_bytes, labels))
        # a multi-label model may give a text every label
        self._result_bytes = (
            _RESULT_BYTES + shown * (_SCORE_BYTES + longest) + sum(map(_json_bytes, labels))
        )
        self._windows = 0
        self._explained = 0
        self.answer_bytes = 0
        """The bytes that the answer may have."""

    def add_results(self, count: int) -> None:
        """Count the results of texts or sentences."""
        self._add_bytes(count * self._result_bytes)

    def add_windows(self, count: int) -> None:
        """Count windows and sentences, beyond the first window of each text."""
        self._windows += count
        limit = self._limits.max_windows
        if self._windows > limit:
            raise InvalidRequest(
                f"the texts have more than {limit} windows and sentences, a request may have "
                f"{limit} (max_windows); send fewer or shorter texts per request"
            )

    def add_explained(self, tokens: int) -> None:
        """Count tokens of texts that are explained; tokens that are not read are listed too."""
        self._explained += tokens
        limit = self._limits.max_explained_tokens
        if self._explained > limit:
            raise InvalidRequest(
                f"the texts have more than {limit} tokens, a request with explain may have {limit} "
                "(max_explained_tokens); send fewer or shorter texts per request"
            )
        self._add_bytes(tokens * _TOKEN_BYTES)

    def add_numbers(self, count: int) -> None:
        """Count numbers of the answer that stand in lists of their own."""
        self._add_bytes(count * _NUMBER_BYTES)

    def hold(self, hold: Callable[[int], None]) -> None:
        """Have ``hold`` count a large answer in the memory that all requests hold together."""
        if self.answer_bytes > LARGE_ANSWER:
            hold(self.answer_bytes)

    def _add_bytes(self, count: int) -> None:
        self.answer_bytes += count
        limit = self._limits.max_answer_bytes
        if self.answer_bytes > limit:
            raise InvalidRequest(
                f"the answer would have up to {self.answer_bytes} bytes or more, an answer may "
                f"have {limit} (max_answer_bytes); send fewer or shorter texts per request, or ask "
                "for fewer scores, explanations or units"
            )


_NUMBER_BYTES = 24


def _json_bytes(label: str) -> int:
    # a control character takes six bytes of JSON; quotes and a comma come on top
    return 6 * len(label) + 3 if not label.isprintable() else len(label.encode()) * 2 + 3
