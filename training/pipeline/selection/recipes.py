"""The recipes that are tried for a user's own texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from valence.training.config.schema import (
    MINILM,
    N_GRAMS,
    Configuration,
    Distillation,
    NGramSection,
)

Quality = Literal["fast", "balanced", "best"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)

LINEAR = "linear"
# Of fewer texts, a word that one of them has is worth a weight and a vector.
_FEW_TEXTS = 2_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration whose n-grams are beside its network; ``linear`` has n-grams alone."""

    name: str
    configuration: Configuration

    @property
    def has_network(self) -> bool:
        """Whether a network is trained."""
        return self.name != LINEAR


def list_recipes(base: Configuration, quality: Quality, *, texts: int) -> tuple[Recipe, ...]:
    """The recipes of ``quality`` for data of so many ``texts``, the cheapest first.

    ``base`` describes the network.
    """
    if texts < _FEW_TEXTS:
        text = base.text.model_copy(update={"minimum_count": 1})
        base = base.model_copy(update={"text": text})
    section = NGramSection()
    alone = section.model_copy(update={"alone": True})
    linear = Recipe(LINEAR, base.model_copy(update={"ngrams": alone}))
    if quality == "fast":
        return (linear,)
    beside = base.model_copy(update={"ngrams": section})
    recipes = (linear, Recipe("network", beside))
    if quality == "balanced":
        return recipes
    return (
        *recipes,
        *(
            Recipe(
                f"network taught by {' and '.join(teachers)}",
                beside.model_copy(update={"distillation": Distillation(teacher=teachers)}),
            )
            for teachers in ((MINILM,), (MINILM, N_GRAMS))
        ),
    )
