"""The models to serve: folders in BentoML's model store, or in the store of a built bento."""

from __future__ import annotations

from pathlib import Path

from valence.service.errors import ArtifactError, ConfigurationError
from valence.service.registry import aliases
from valence.service.registry.names import describe_unknown
from valence.service.registry.tag import Tag
from valence.service.settings import Settings

DEFAULT_NAMES = ("sentiment", "topic")


def tags(settings: Settings) -> dict[str, str]:
    """The tag of each model that the settings name, or of each default model, by its name."""
    return {Tag.parse(tag).name: tag for tag in settings.models or DEFAULT_NAMES}


def find_folder(tag: str) -> Path:
    """The folder of ``tag`` (:func:`valence.service.registry.aliases.get`) in a changing store.

    Raises :class:`ArtifactError` for a model that the store does not hold, or does not hold whole.
    """
    from bentoml.exceptions import BentoMLException

    try:
        return Path(aliases.get(tag).path)
    except (BentoMLException, OSError, ValueError) as error:
        raise ArtifactError(
            f"{tag} is not in the model store, or not whole: {error}; train or copy it again, or "
            f"go back with `valence rollback {Tag.parse(tag).name}`"
        ) from None


def list_tags() -> list[Tag]:
    """The versions of all models in the store, in order, whether or not they are whole."""
    from valence.service.registry import bento_store

    store = bento_store.folder()
    if not store.is_dir():
        return []
    folders = [path for path in store.iterdir() if path.is_dir()]
    return sorted(
        Tag(folder.name, path.name)
        for folder in folders
        for path in folder.iterdir()
        if path.is_dir()
    )


def folders(settings: Settings) -> list[Path]:
    """The folder of each model to serve, the default model first.

    If the settings name no model, these are the models of :data:`DEFAULT_NAMES` that the store
    holds. A name alone means its champion (:mod:`valence.service.registry.aliases`),
    or its latest version if none was promoted. Raises :class:`ConfigurationError` for a model that
    the store does not hold, and if there is no model at all.
    """
    # BentoML points its store at the bento's own models when it serves an exported one
    import bentoml
    from bentoml.exceptions import BentoMLException, NotFound

    folders_by_name: dict[str, Path] = {}
    for name in settings.models or DEFAULT_NAMES:
        try:
            model = aliases.get(name)
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
            if model.tag.name in folders_by_name:
                raise ConfigurationError(
                    f"VALENCE_MODELS names {model.tag.name!r} twice; name it once, and serve "
                    "another version beside it by `valence alias set`"
                )
            folders_by_name[model.tag.name] = Path(model.path)
    if not folders_by_name:
        raise ConfigurationError(
            f"the model store has none of {', '.join(DEFAULT_NAMES)}; train them with "
            "`valence train`, or name a source that has them in VALENCE_MODEL_SOURCE"
        )
    default = settings.default_model
    if default and default not in folders_by_name:
        raise ConfigurationError(
            f"VALENCE_DEFAULT_MODEL={default!r} is not served; the served models are "
            f"{', '.join(folders_by_name)}"
        )
    for name, _ in settings.split:
        if name not in folders_by_name:
            raise ConfigurationError(
                f"VALENCE_SPLIT names {name!r}, which is not served; the served models are "
                f"{', '.join(folders_by_name)}"
            )
    for rule in settings.shadow:
        if rule.model not in folders_by_name:
            raise ConfigurationError(
                f"VALENCE_SHADOW: {rule.model!r} is not served; the served models are "
                f"{', '.join(folders_by_name)}"
            )
    return [
        folders_by_name[name] for name in sorted(folders_by_name, key=lambda name: name != default)
    ]
