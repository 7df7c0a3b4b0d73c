"""Admission control: whether a request has room in a model's queue, and room kept for it.

A request is asked for room as early as its cost is known, and each time by a better estimate: from
the bytes of a large body before its JSON is read, from the characters of a long text before the
text is tokenized, and from the word ids when they enter the queue. A request that must be refused
is refused before the expensive steps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from valence.service.errors import DeadlineExceeded, InvalidRequest, Overloaded
from valence.service.inference.fair_queue import QUANTUM_TOKENS, FairQueue
from valence.service.inference.request_cost import RequestLimits
from valence.service.settings import Settings

# A larger body is refused for want of room before its JSON is read.
LARGE_BODY = 8_192
# More characters than this reserve room before they are tokenized; tokenizing fewer costs less than
# the check, and is done in one turn of the event loop.
LARGE_TEXTS_CHARACTERS = 2_000

# Of the time that a request allows, the share that it may be expected to take when it is admitted.
# Later requests take turns with it and lengthen its wait.
_MAX_SHARE_OF_TIME = 0.5
# In English text, spaces counted. Only the early checks depend on it.
_CHARACTERS_PER_TOKEN = 5
# In the densest text that people write; a text that is read whole may be denser still.
_CHARACTERS_PER_DENSE_TOKEN = 3
# Outside ASCII; few characters take more.
_BYTES_PER_CHARACTER = 2
_BYTES_PER_ESCAPE = len(rb"\u00e9")
_SAMPLE_BYTES = 1_024
_MODEL = b'"model"'
_TEXTS = re.compile(rb'"texts"[ \t\r\n]*:[ \t\r\n]*\[')
_NOT_RESERVED = nullcontext(False)
_REQUEST_LIMITS = RequestLimits()


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The most that may wait, and the most that one request may cost.

    A request with more texts or tokens than may wait is admitted only to an empty queue.
    """

    items: int
    tokens: int
    request: RequestLimits = _REQUEST_LIMITS

    @classmethod
    def of(cls, settings: Settings) -> QueueLimits:
        """The limits in ``settings``."""
        return cls(
            settings.queue_items,
            settings.queue_tokens,
            RequestLimits(
                settings.max_windows, settings.max_explained_tokens, settings.max_answer_bytes
            ),
        )


class Cost(NamedTuple):
    """What a request takes of a queue."""

    items: int
    tokens: int


def estimate_texts(characters: int, texts: int, *, max_tokens: int) -> Cost:
    """The cost of ``texts`` that together have ``characters``.

    ``max_tokens`` is the most that the model reads of one text.
    """
    return Cost(texts, min(characters // _CHARACTERS_PER_TOKEN, texts * max_tokens))


def estimate_body(body: bytes, *, max_tokens: int) -> Cost:
    """The cost of a JSON body, extrapolated from how it begins.

    Counting in the whole body would cost as much as the rest of a refusal.
    """
    sample = body[:_SAMPLE_BYTES]
    scale = len(body) / len(sample)
    # few bodies have one, and one byte is found faster than two are counted
    escaped = b"\\" in sample
    if sample.isascii():
        escapes = sample.count(rb"\u") * scale if escaped else 0
        characters = len(body) - (_BYTES_PER_ESCAPE - 1) * escapes
    else:
        characters = len(body) / _BYTES_PER_CHARACTER
    # a comma follows each text but the last; ids are counted as texts
    texts = sample.count(b'",') - (sample.count(rb"\",") if escaped else 0)
    return estimate_texts(int(characters), int(texts * scale) + 1, max_tokens=max_tokens)


def count_ids(documents: Sequence[Sized]) -> Cost:
    """The exact cost of documents whose lengths are their tokens."""
    return Cost(len(documents), sum(map(len, documents)))


class Admission:
    """Says whether ``queue`` has room for a request, and keeps room for admitted requests.

    ``max_tokens`` is the most that the model reads of one text. Whoever empties the queue sets
    ``tokens_per_second``. All methods belong to the event loop's thread.
    """

    def __init__(self, queue: FairQueue, limits: QueueLimits, *, max_tokens: int) -> None:
        self.queue = queue
        self.tokens_per_second = 1e5
        """How fast the queue empties, over the whole path: what Retry-After is computed from."""
        self._limits = limits
        self._max_tokens = max_tokens
        self._reserved_items = 0
        self._reserved_tokens = 0

    def require_room(self, items: int, tokens: int, *, within_seconds: float = math.inf) -> None:
        """Raise if a request of so many documents and ``tokens`` cannot be admitted now.

        Raises :class:`Overloaded` when the queue is full, or so long that the answer would come
        later than ``within_seconds``, and :class:`DeadlineExceeded` when those seconds are over.
        """
        waiting_items = self.queue.items + self._reserved_items
        waiting_tokens = self.queue.tokens + self._reserved_tokens
        if waiting_items and (
            waiting_items + items > self._limits.items
            or waiting_tokens + tokens > self._limits.tokens
        ):
            raise Overloaded(
                f"the queue has {waiting_items} texts with {waiting_tokens} tokens and may have "
                f"{self._limits.items} texts and {self._limits.tokens} tokens, so this request "
                "does not fit; try again after the time in Retry-After",
                retry_after_seconds=waiting_tokens / self.tokens_per_second,
            )
        require_time(within_seconds)
        # An idle engine refuses no request: otherwise a speed that was once measured too low would
        # never be corrected.
        if (
            waiting_items
            and (wait := self._wait_seconds(tokens)) > _MAX_SHARE_OF_TIME * within_seconds
        ):
            raise Overloaded(
                f"the answer would take about {wait:.2g} seconds, too long for the time allowed; "
                "try again after the time in Retry-After",
                retry_after_seconds=waiting_tokens / self.tokens_per_second,
            )

    def require_room_for_body(self, body: bytes, *, within_seconds: float) -> None:
        """Raise :class:`Overloaded` if ``body`` is large and this model has no room for it.

        Validating the JSON costs more than the rest of a refusal. A body that names a model passes:
        it may be for another one.
        """
        if len(body) <= LARGE_BODY:
            return
        cost = estimate_body(body, max_tokens=self._max_tokens)
        try:
            self.require_room(*cost, within_seconds=within_seconds)
        except Overloaded:
            if not _names_model(body):
                raise

    def require_fit(self, documents: Sequence[Sized], *, texts: int) -> None:
        """Raise :class:`InvalidRequest` for more documents than the queue may ever hold.

        The windows and sentences of ``texts`` may be many times the texts themselves.
        """
        items, tokens = count_ids(documents)
        if items > texts and (items > self._limits.items or tokens > self._limits.tokens):
            raise InvalidRequest(
                f"the texts have {items} windows and sentences of {tokens} tokens together, a "
                f"request may have {self._limits.items} of {self._limits.tokens} (queue_items, "
                "queue_tokens); send fewer or shorter texts per request"
            )

    @contextmanager
    def reserve(self, cost: Cost, *, within_seconds: float) -> Iterator[bool]:
        """Keep room while the documents of a request are made; raises as :meth:`require_room`.

        Making the documents costs as much as scoring them. So a request is refused before that, and
        not all requests that would be admitted one by one begin at once. The context yields True.
        While it lasts the documents are admitted without another check.
        """
        self.require_room(*cost, within_seconds=within_seconds)
        self._reserved_items += cost.items
        self._reserved_tokens += cost.tokens
        try:
            yield True
        finally:
            self._reserved_items -= cost.items
            self._reserved_tokens -= cost.tokens

    def reserve_texts(
        self, texts: Sequence[str], *, within_seconds: float, whole: bool = False
    ) -> AbstractContextManager[bool]:
        """As :meth:`reserve`, for texts that are not tokenized yet.

        Small texts reserve nothing, and the context then yields False. Texts that are read
        ``whole``, in windows or sentence by sentence, reserve all their tokens. So only a few long
        ones are split at the same time.
        """
        characters = len(texts[0]) if len(texts) == 1 else sum(map(len, texts))
        if characters <= LARGE_TEXTS_CHARACTERS:
            return _NOT_RESERVED
        cost = (
            Cost(len(texts), characters // _CHARACTERS_PER_DENSE_TOKEN)
            if whole
            else estimate_texts(characters, len(texts), max_tokens=self._max_tokens)
        )
        return self.reserve(cost, within_seconds=within_seconds)

    def _wait_seconds(self, tokens: int) -> float:
        """When a request of ``tokens`` that comes now would have its answer.

        In each of its turns every other waiting request has a turn too, but none takes more than
        its rest.
        """
        turns = -(-tokens // QUANTUM_TOKENS)
        ahead = min(self.queue.tokens, turns * len(self.queue) * QUANTUM_TOKENS)
        # requests with a reservation are large, and will have as many turns
        ahead += self._reserved_tokens if turns > 1 else 0
        return (ahead + tokens) / self.tokens_per_second


def require_time(within_seconds: float) -> None:
    """Raise :class:`DeadlineExceeded` unless ``within_seconds`` is positive."""
    if within_seconds <= 0:
        raise DeadlineExceeded("the time allowed was over before the texts were in the queue")


def _names_model(body: bytes) -> bool:
    """Whether the JSON ``body`` has a field ``model``: inside a text, its quotes are escaped.

    A list of texts holds no field, and searching it would cost a tenth of a refusal. The list ends
    with a byte that few texts contain.
    """
    texts = _TEXTS.search(body, 0, _SAMPLE_BYTES)
    if texts is None:
        return _MODEL in body
    return _MODEL in body[: texts.start()] or _MODEL in body[body.find(b"]", texts.end()) :]
