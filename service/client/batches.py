"""Texts cut into requests that a service accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from valence.service.estimator.texts import refuse_row

# the rest of a body: brackets and the names of fields
_FRAME_BYTES = 64


class Room(NamedTuple):
    """The most that one request may hold."""

    texts: int
    body_bytes: int


class Batch(NamedTuple):
    """Texts of one request, each as JSON; ``start`` is the index of the first of them."""

    start: int
    texts: Sequence[bytes]

    def encode(self, options: Mapping[str, Any]) -> bytes:
        """The body of the request."""
        rest = json.dumps(options).encode()[1:]
        return (
            b'{"texts":[' + b",".join(self.texts) + b"]" + (b"}" if rest == b"}" else b"," + rest)
        )

    def halve(self) -> tuple[Batch, Batch]:
        """Two batches of half as many texts, in order."""
        middle = len(self.texts) // 2
        return (
            Batch(self.start, self.texts[:middle]),
            Batch(self.start + middle, self.texts[middle:]),
        )


def encode_texts(texts: Iterator[str]) -> Iterator[bytes]:
    """Each text as JSON; raises :class:`InvalidTexts` for one that is not Unicode."""
    for number, text in enumerate(texts):
        try:
            yield json.dumps(text, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise refuse_row(
                number, "the text has half of a character (a lone surrogate); mend the text"
            ) from None


def cut_batches(texts: Iterator[bytes], options: Mapping[str, Any], room: Room) -> Iterator[Batch]:
    """Batches that have room for their texts; a text that is too large alone is a batch.

    If ``texts`` ends with an error, the texts before the error are a batch too.
    """
    frame = _FRAME_BYTES + len(json.dumps(dict(options)))
    start = 0
    held: list[bytes] = []
    size = frame
    try:
        for text in texts:
            if held and size + len(text) + 1 > room.body_bytes:
                yield Batch(start, held)
                start += len(held)
                held, size = [], frame
            held.append(text)
            size += len(text) + 1
            if len(held) == room.texts:
                yield Batch(start, held)
                start += len(held)
                held, size = [], frame
    except Exception:
        if held:
            yield Batch(start, held)
        raise
    if held:
        yield Batch(start, held)
