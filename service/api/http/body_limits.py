"""How large a body may be, and how slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class BodyLimits:
    """``most`` bytes a body, ``memory`` bytes of all together, of which ``held`` are held now.

    ``require_room`` raises for a body that the default model could not answer now.
    """

    most: int
    memory: int
    idle_seconds: float
    require_room: Callable[[bytes], None] = lambda _body: None
    held: int = 0
