"""One labelled text, as every corpus yields it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A text and the label people gave it.

    ``shares`` is the share of human raters that chose each label (it sums to 1), where the corpus
    tells: a soft target that says how sure the label is.
    """

    text: str
    label: str
    corpus: str
    shares: Mapping[str, float] | None = None
