"""The id of a prediction: it says itself what was predicted, so that nothing needs to be stored.

An id is ``HEAD.TAIL``. The head, base64 of a JSON array, has the name and the version of the model
and the labels that the text got. The tail, in hexadecimal digits, has the time, a count, the score,
and a seal over all of it. Nobody without the key can make an id, or change one. The answer to
several texts has one id without labels; the id of text N is this id with ``.N`` after it. No id has
a part of a text.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import Any

KEY_BYTES = 32
MAX_CHARACTERS = 1_024
"""No id is longer."""
_SEAL_BYTES = 12
# nanoseconds since 1970, a count, and the score or the number of texts
_ONE, _SEVERAL = Struct(">QIf"), Struct(">QII")
_pack_one = _ONE.pack
_LAST_COUNT = (1 << 32) - 1
# An id with longer names does not have the labels: it travels in a header.
_MAX_HEAD_CHARACTERS = 384
# The models, versions and labels whose heads are kept: a text may get any set of many labels.
_MAX_HEADS = 1_024
_FORM = re.compile(
    rf"([A-Za-z0-9_-]{{1,900}})\.([0-9a-f]{{{2 * (_ONE.size + _SEAL_BYTES)}}})(?:\.([0-9]{{1,9}}))?"
)


@dataclass(frozen=True, slots=True)
class PredictionId:
    """What an id says of a prediction."""

    text: str
    """The id in its one spelling: two ids of one prediction have the same text."""
    model: str
    version: str
    time: float
    """When the answer was made, in seconds since 1970."""
    labels: tuple[str, ...] | None
    """The labels that the text got, possibly none; None if the id does not have them."""
    score: float | None
    """The calibrated probability of the likeliest label; None if the id does not have it."""


class Issuer:
    """Makes ids and reads those that were made with the same ``key``.

    Processes with one key read the ids of each other. ``clock`` gives nanoseconds since 1970, and
    ``first`` is the first count.
    """

    def __init__(
        self,
        key: bytes = b"",
        *,
        clock: Callable[[], int] = time.time_ns,
        first: int | None = None,
    ) -> None:
        self._key = key or secrets.token_bytes(KEY_BYTES)
        self._clock = clock
        start = secrets.randbelow(_LAST_COUNT) if first is None else first
        self._counts = itertools.count(start)
        self._heads: dict[tuple[str, str, tuple[str, ...] | None], tuple[str, Any]] = {}

    def issue(self, model: str, version: str, labels: tuple[str, ...], score: float) -> str:
        """The id of the answer to one text."""
        head, copy_seal = self._heads.get((model, version, labels)) or self._add_head(
            model, version, labels
        )
        if copy_seal is None:
            return self.issue_several(model, version, 1)
        tail = _pack_one(self._clock(), next(self._counts) & _LAST_COUNT, score)
        seal: blake2b = copy_seal()
        seal.update(tail)
        return f"{head}{(tail + seal.digest()).hex()}"

    def issue_several(self, model: str, version: str, texts: int) -> str:
        """The id of the answer to so many ``texts``; 0 if their number is not known."""
        head, copy_seal = self._heads.get((model, version, None)) or self._add_head(
            model, version, None
        )
        tail = _SEVERAL.pack(self._clock(), next(self._counts) & _LAST_COUNT, texts)
        seal: blake2b = copy_seal()
        seal.update(tail)
        return f"{head}{(tail + seal.digest()).hex()}"

    def read(self, text: str) -> PredictionId:
        """What the id ``text`` says; raises ``ValueError`` with what is wrong and the remedy.

        No message repeats the id, which may be anything that a client sends.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("not a prediction id; send the `prediction_id` of an answer as it is")
        head, digits, place = match.groups()
        tail, seal = bytes.fromhex(digits[: 2 * _ONE.size]), bytes.fromhex(digits[2 * _ONE.size :])
        made = self._begin_seal(head)
        made.update(tail)
        if not hmac.compare_digest(seal, made.digest()):
            raise ValueError(
                "not an id of this service: it was changed, or made with another key; send the "
                "`prediction_id` of an answer as it is, and give all replicas one feedback database"
            )
        model, version, *labels = json.loads(
            base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
        )
        nanoseconds, _, last = (_ONE if labels else _SEVERAL).unpack(tail)
        suffix = _read_place(place, texts=1 if labels else last)
        return PredictionId(
            f"{head}.{digits}{suffix}",
            model,
            version,
            nanoseconds / 1e9,
            tuple(labels[0]) if labels else None,
            last if labels else None,
        )

    def _add_head(
        self, model: str, version: str, labels: tuple[str, ...] | None
    ) -> tuple[str, Any]:
        """The head of such ids, and what copies its seal; None if the labels do not fit."""
        named = [model, version] if labels is None else [model, version, labels]
        content = json.dumps(named, ensure_ascii=False, separators=(",", ":")).encode()
        head = base64.urlsafe_b64encode(content).decode().rstrip("=")
        fits = labels is None or len(head) <= _MAX_HEAD_CHARACTERS
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        made = self._heads[model, version, labels] = (
            f"{head}.",
            self._begin_seal(head).copy if fits else None,
        )
        return made

    def _begin_seal(self, head: str) -> Any:
        return blake2b(head.encode(), key=self._key, digest_size=_SEAL_BYTES)


def _read_place(place: str | None, *, texts: int) -> str:
    """The end of the id of text ``place`` in an answer to ``texts``; 0 are any number of lines."""
    if texts == 1:
        if int(place or 0):
            raise ValueError("the answer has one text; send its `prediction_id` as it is")
        return ""
    if place is None:
        raise ValueError(
            "the id of an answer to several texts; add `.N` for text N, counted from 0, or for "
            "line N of a stream, counted from 1"
        )
    if texts and int(place) >= texts:
        raise ValueError(f"the answer has {texts} texts, from .0 to .{texts - 1}")
    return f".{int(place)}"
