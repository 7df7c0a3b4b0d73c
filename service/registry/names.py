"""Names of models that the store does not hold, and the nearest names that it does hold."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from valence.service.registry.tag import Tag


def describe_unknown(tag: str, held: Iterable[str]) -> str:
    """A sentence about the models that the store has instead of ``tag``.

    ``tag`` and ``held`` are names or ``name:version``. The nearest name comes first.
    """
    names = sorted({name.partition(":")[0] for name in held})
    if not names:
        return f"the model store does not have {tag!r}; it is empty"
    nearest = get_close_matches(Tag.parse(tag).name, names, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest and nearest[0] != tag else ""
    return f"the model store does not have {tag!r}; {hint}it has {', '.join(names)}"
