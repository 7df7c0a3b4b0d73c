"""The rule which versions an operator may unload: what a name means stays."""

from __future__ import annotations

from valence.service.errors import ReloadRefused
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.registry.tag import Tag


def require_leavable(models: Models, text: str) -> Scorer:
    """What ``text`` means, if it may leave memory: a version that was loaded, or a whole model.

    Raises :class:`UnknownModel`, and :class:`ReloadRefused` for an alias, for what an alias or a
    bare name means, and for the default model.
    """
    scorer, tag = models.get(text), Tag.parse(text)
    if tag.alias:
        raise ReloadRefused(
            f"{text} is an alias of the model store; delete it with `valence alias delete {text}`, "
            f"and {scorer.name}:{scorer.version} leaves"
        )
    means = models.names_of(scorer)
    if tag.version and means:
        raise ReloadRefused(
            f"{text} is what {', '.join(means)} means; let that mean another version first"
        )
    if tag.name == models.default and not tag.version:
        raise ReloadRefused(
            f"{tag.name} answers requests without a model, and stays; VALENCE_DEFAULT_MODEL names "
            "another one"
        )
    return scorer
