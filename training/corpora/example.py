"""One labelled text, as every corpus yields it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from valence.training.corpora.normal_form import normal_form


@dataclass(frozen=True, slots=True)
class Example:
    """A text and the label that people gave it; in a multi-label corpus all labels, possibly none.

    ``shares`` is the share of human raters that chose each label, if the corpus tells: a soft
    target that expresses how certain the label is. The shares sum to 1, except in a multi-label
    corpus. ``place`` is the position of the text in its corpus, such as ``line 7``.
    """

    text: str
    label: str | tuple[str, ...]
    corpus: str
    shares: Mapping[str, float] | None = None
    place: str = field(default="", compare=False)
    _normal_form: str | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels of the text."""
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def normal_form(self) -> str:
        """The text without what distinguishes copies of it; computed once.

        See :func:`valence.training.corpora.normal_form.normal_form`.
        """
        form = self._normal_form
        if form is None:
            form = normal_form(self.text)
            # the class is frozen for its users; this field is a cache of another one
            object.__setattr__(self, "_normal_form", form)
        return form
