"""The answer of ``POST /invocations`` in the media type that the client accepts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pydantic_core
from valence.service.api.http.scoring import to_json
from valence.service.errors import NotAcceptable

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
MEDIA_TYPES = (JSON, LINES, CSV)
_COLUMNS = ("label", "score")
# the labels of a text with their scores, likeliest first
Row = Sequence[dict[str, Any]]


def choose_media(accept: bytes, *, default: str) -> str:
    """The media type that ``accept``, the header of a request, prefers; ``default`` if it may be.

    Raises :class:`NotAcceptable` if the header allows none of :data:`MEDIA_TYPES`.
    """
    qualities = _read_qualities(accept)
    if not qualities:
        return default

    def quality(media_type: str) -> float:
        group = f"{media_type.partition('/')[0]}/*"
        ranges = (media_type, group, "*/*")
        return next((qualities[given] for given in ranges if given in qualities), 0.0)

    # the first of equals
    chosen = max((default, *MEDIA_TYPES), key=quality)
    if not quality(chosen):
        raise NotAcceptable(
            f"this path answers in {', '.join(MEDIA_TYPES)}; send the header Accept with one of "
            "them, or without the header"
        )
    return chosen


def _read_qualities(accept: bytes) -> dict[str, float]:
    """The quality of each media range in a header Accept; 1 if it names none."""
    qualities = {}
    for item in accept.decode("latin-1").lower().split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        if media_range:
            given = [part[2:] for part in parameters if part.startswith("q=")]
            try:
                qualities[media_range] = float(given[0]) if given else 1.0
            except ValueError:
                qualities[media_range] = 1.0
    return qualities


async def encode(rows: list[Any], media_type: str, *, header: bool) -> bytes:
    """``rows`` in ``media_type``; ``header`` says whether CSV begins with the names of columns.

    JSON lines have a line for each text. CSV has the likeliest label of each text with its score.
    """
    if media_type == JSON:
        return await to_json(rows)
    if media_type == LINES:
        return b"".join(pydantic_core.to_json(row) + b"\n" for row in rows)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    if header:
        writer.writerow(_COLUMNS)
    writer.writerows([row[0][column] for column in _COLUMNS] for row in rows)
    return written.getvalue().encode()
