"""Where models come from: folders in BentoML's model store, or in a built bento's own."""

from __future__ import annotations

from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.registry import champion
from valence.service.registry.names import describe_unknown
from valence.service.settings import Settings

DEFAULT_NAMES = ("sentiment", "topic")


def folders(settings: Settings) -> list[Path]:
    """The folder of each model to serve, the one that answers by default first.

    Without any in the settings, those of :data:`DEFAULT_NAMES` that are there. Of a name it is the
    champion (:mod:`valence.service.registry.champion`), or the latest version where none was promoted. Raises
    :class:`ConfigurationError` for a model the store does not hold, or when there is none at all.
    """
    # BentoML points its store at the bento's own models when it serves an exported one
    import bentoml
    from bentoml.exceptions import BentoMLException, NotFound

    found: dict[str, Path] = {}
    for name in settings.models or DEFAULT_NAMES:
        try:
            model = champion.get(name)
        except NotFound:
            if settings.models:
                held = [str(model.tag) for model in bentoml.models.list()]
                raise ConfigurationError(
                    f"{describe_unknown(name, held)}; train it with `valence train` or correct "
                    "VALENCE_MODELS"
                ) from None
        except (BentoMLException, ValueError) as error:
            raise ConfigurationError(f"VALENCE_MODELS: {name!r}: {error}") from None
        else:
            if model.tag.name in found:
                raise ConfigurationError(
                    f"VALENCE_MODELS names {model.tag.name!r} twice; one process serves one "
                    "version of a model"
                )
            found[model.tag.name] = Path(model.path)
    if not found:
        raise ConfigurationError(
            f"the model store holds none of {', '.join(DEFAULT_NAMES)}; train them with "
            "`valence train`"
        )
    default = settings.default_model
    if default and default not in found:
        raise ConfigurationError(
            f"VALENCE_DEFAULT_MODEL={default!r} is not served; served are {', '.join(found)}"
        )
    return [found[name] for name in sorted(found, key=lambda name: name != default)]
