"""The recipes that are tried for a user's own texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from valence.training.config.schema import (
    MINILM,
    N_GRAMS,
    Configuration,
    Distillation,
    NGramSection,
)
from valence.training.embeddings.pretrained import is_pretrained_list

Quality = Literal["fast", "balanced", "best"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)

LINEAR = "linear"
VECTORS = "linear with static embeddings"
# of codes and names, whose letters say nothing
WORDS = "linear, without characters"
SOURCES: tuple[str, ...] = (MINILM,)
"""The vectors of words that a linear model learns from."""

# Of fewer texts, a word that one of them has is worth a weight and a vector.
FEW_TEXTS = 2_000
# Words of GloVe that no text may have, and that a linear model reads by their vectors.
_UNSEEN = 20_000
# of unlabelled texts: more of them teach a student little, and an encoder reads them for minutes
_MOST_UNLABELLED = 5_000
# Few texts make few batches, and few copies.
_PAIRS_RATE = 5e-5
_COPIES = 8
# A linear model of few texts may follow them closely, and many labels need characters.
_VARIANTS: tuple[Mapping[str, float], ...] = (
    {"strength": 100.0},
    {"strength": 100.0, "character_weight": 2.0},
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration whose n-grams stand alone or are beside its network.

    Unlabelled texts are for its teacher; :attr:`settled` leaves them out without one.
    """

    name: str
    configuration: Configuration

    @property
    def has_network(self) -> bool:
        """Whether a network is trained."""
        ngrams = self.configuration.ngrams
        return ngrams is None or not ngrams.alone

    @property
    def settled(self) -> Configuration:
        """The configuration, whose parts agree."""
        if self.configuration.distillation is not None:
            return self.configuration
        return self.configuration.model_copy(update={"unlabelled": None})

    @property
    def has_vectors(self) -> bool:
        """Whether the n-grams learn from the vectors of words."""
        ngrams = self.configuration.ngrams
        return ngrams is not None and bool(ngrams.vectors)


def list_linear_recipes(base: Configuration, quality: Quality, *, texts: int) -> tuple[Recipe, ...]:
    """The recipes without a network for data of so many ``texts``, the cheapest first."""
    if texts < FEW_TEXTS:
        text = base.text.model_copy(update={"minimum_count": 1})
        base = base.model_copy(update={"text": text})
    section = NGramSection(alone=True)
    recipes = [Recipe(LINEAR, base.model_copy(update={"ngrams": section}))]
    if quality == "fast":
        return tuple(recipes)
    words = base.words
    if any(map(is_pretrained_list, words.vectors)):
        words = words.model_copy(update={"unseen": max(_UNSEEN, words.unseen)})
    static = section.model_copy(update={"vectors": SOURCES})
    recipes.append(Recipe(VECTORS, base.model_copy(update={"ngrams": static, "words": words})))
    if texts < FEW_TEXTS:
        variants = [_change_ngrams(recipe, one) for one in _VARIANTS for recipe in recipes]
        bare = section.model_copy(update={"characters": False})
        recipes += [Recipe(WORDS, base.model_copy(update={"ngrams": bare})), *variants]
    return tuple(recipes)


def list_further_recipes(linear: Recipe, quality: Quality, *, texts: int) -> tuple[Recipe, ...]:
    """The recipes with a teacher or a network, the cheapest first.

    They have the n-grams of ``linear``. A teacher is asked where the user gives unlabelled texts,
    and by ``best``. Of few texts it learns pairs of texts, else the labels with all its weights.
    """
    if quality == "fast":
        return ()
    alone = linear.configuration
    ngrams = alone.ngrams
    assert ngrams is not None  # noqa: S101 - a linear recipe has n-grams
    beside = alone.model_copy(update={"ngrams": ngrams.model_copy(update={"alone": False})})
    recipes = [Recipe("network", beside)]
    if quality == "best" or alone.unlabelled is not None:
        few = texts < FEW_TEXTS
        recipes.append(_teach(f"{linear.name}, taught by {MINILM}", alone, few=few))
        if quality == "best":
            recipes.append(_teach(f"network taught by {MINILM}", beside, few=few))
            recipes.append(_teach(f"network taught by {MINILM} and {N_GRAMS}", beside, N_GRAMS))
    return tuple(recipes)


def _teach(name: str, configuration: Configuration, *others: str, few: bool = False) -> Recipe:
    """A recipe whose encoder, and ``others``, teach the labels of texts and of their copies."""
    settings = Distillation(teacher=(MINILM, *others), limit=_MOST_UNLABELLED)
    if few:
        changes = {"tuning": "pairs", "learning_rate": _PAIRS_RATE, "copies": _COPIES}
        settings = settings.model_copy(update=changes)
    return Recipe(name, configuration.model_copy(update={"distillation": settings}))


def _change_ngrams(recipe: Recipe, changes: Mapping[str, float]) -> Recipe:
    """``recipe`` with other values of settings of its n-grams."""
    ngrams = recipe.configuration.ngrams
    assert ngrams is not None  # noqa: S101 - a linear recipe has n-grams
    changed = recipe.configuration.model_copy(update={"ngrams": ngrams.model_copy(update=changes)})
    told = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in changes.items())
    return Recipe(f"{recipe.name}, {told}", changed)
