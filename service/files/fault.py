"""Why a row or a text cannot be used: a message, and the kind by which faults are counted."""

from __future__ import annotations

DAMAGE = "damaged bytes"
FIELDS = "another number of fields than the header"
QUOTES = "a quotation mark that is not closed or doubled"
ENDS = "a carriage return within the line"
FORM = "not an object of JSON"
LENGTH = "a length over the limit"
TYPE = "a value that is not a text"
NUMBERS = "numbers that are not finite"


class Fault(str):
    """A message about a row, which never has a text of it; an empty one says that the row is sound.

    ``kind`` is one of the constants of this module.
    """

    __slots__ = ("kind",)

    def __new__(cls, message: str, kind: str) -> Fault:
        """``message`` as a fault of this ``kind``."""
        fault = super().__new__(cls, message)
        fault.kind = kind
        return fault

    kind: str

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """What makes the fault again in another process."""
        return str(self), self.kind

    def place_in(self, place: str) -> Fault:
        """The fault with its ``place`` before it."""
        return Fault(f"{place}: {self}", self.kind)


SOUND = Fault("", "")
"""No fault."""
