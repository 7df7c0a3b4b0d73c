"""What bodies may be, and from their bytes alone whether what they ask has room."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from valence.service.errors import Overloaded

# bodies from this size on are refused for want of room before their JSON is read
LARGE_BODY = 8_192
# outside ASCII; few take more
_BYTES_A_CHARACTER = 2
_SAMPLE_BYTES = 1_024
_MODEL = b'"model"'
_TEXTS = re.compile(rb'"texts"[ \t\r\n]*:[ \t\r\n]*\[')
_BYTES_OF_AN_ESCAPE = len(rb"\u00e9")


@dataclass(slots=True)
class BodyLimits:
    """``most`` bytes a body, ``memory`` bytes of all together, of which ``held`` are held now.

    ``require_room`` raises for a number of characters, in a number of texts, that the default model
    could not answer now.
    """

    most: int
    memory: int
    idle_seconds: float
    require_room: Callable[[int, int], None] = lambda _characters, _texts: None
    held: int = 0

    def require_room_for(self, body: bytes) -> None:
        """Raise :class:`Overloaded` if ``body`` is large and the default model has no room for it.

        Checking its JSON costs more than all else of a refusal. That it is for the default model
        can be seen without: it names none.
        """
        if len(body) <= LARGE_BODY:
            return
        try:
            self.require_room(*_guess(body))
        except Overloaded:
            if not _names_a_model(body):
                raise


def _names_a_model(body: bytes) -> bool:
    """Whether the JSON ``body`` has a field ``model``: in a text, its quotes would be escaped.

    A list of texts holds no field, and to search it would cost a tenth of a refusal; its end is a
    byte that few texts have.
    """
    texts = _TEXTS.search(body, 0, _SAMPLE_BYTES)
    if texts is None:
        return _MODEL in body
    return _MODEL in body[: texts.start()] or _MODEL in body[body.find(b"]", texts.end()) :]


def _guess(body: bytes) -> tuple[int, int]:
    """How many characters ``body`` holds, in how many texts, from how it begins.

    To count in all of it would cost as much as the rest of a refusal.
    """
    sample = body[:_SAMPLE_BYTES]
    scale = len(body) / len(sample)
    if sample.isascii():
        escapes = sample.count(rb"\u") * scale
        characters = len(body) - (_BYTES_OF_AN_ESCAPE - 1) * escapes
    else:
        characters = len(body) / _BYTES_A_CHARACTER
    # a comma follows all but the last; ids are counted too
    texts = (sample.count(b'",') - sample.count(rb"\",")) * scale + 1
    return int(characters), int(texts)
