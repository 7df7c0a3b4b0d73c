"""Where models come from: folders in BentoML's model store, or in a built bento's own."""

from __future__ import annotations

from pathlib import Path

from service.errors import ConfigurationError

DEFAULT_NAMES = ("sentiment", "topic")


def folders(models: tuple[str, ...]) -> dict[str, Path]:
    """The folder of each model ``name`` or ``name:version``, by the tag it resolves to.

    Without any, those of :data:`DEFAULT_NAMES` that are there. Raises
    :class:`ConfigurationError` for a model the store does not hold, or when there is none at all.
    """
    # BentoML points its store at the bento's own models when it serves an exported one
    import bentoml
    from bentoml.exceptions import BentoMLException, NotFound

    found: dict[str, Path] = {}
    for name in models or DEFAULT_NAMES:
        try:
            model = bentoml.models.get(name)
        except NotFound:
            if models:
                held = ", ".join(sorted(str(model.tag) for model in bentoml.models.list()))
                raise ConfigurationError(
                    f"the model store holds no {name!r}; it holds {held or 'none'}; train one with "
                    "`make train` or correct VALENCE_MODELS"
                ) from None
        except BentoMLException as error:
            raise ConfigurationError(f"VALENCE_MODELS: {name!r}: {error}") from None
        else:
            if any(tag.partition(":")[0] == model.tag.name for tag in found):
                raise ConfigurationError(
                    f"VALENCE_MODELS names {model.tag.name!r} twice; one process serves one "
                    "version of a model"
                )
            found[str(model.tag)] = Path(model.path)
    if not found:
        raise ConfigurationError(
            f"the model store holds none of {', '.join(DEFAULT_NAMES)}; train them with "
            "`make train`"
        )
    return found
