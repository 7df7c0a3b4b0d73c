"""One labelled text, as every corpus yields it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Example:
    """A text and the label people gave it; of a multi-label corpus all of them, possibly none.

    ``shares`` is the share of human raters that chose each label (it sums to 1, but in a
    multi-label corpus), where the corpus tells: a soft target that says how sure the label is.
    ``place`` is where in its corpus the text is, such as ``line 7``.
    """

    text: str
    label: str | tuple[str, ...]
    corpus: str
    shares: Mapping[str, float] | None = None
    place: str = field(default="", compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label the text was given."""
        return (self.label,) if isinstance(self.label, str) else self.label
