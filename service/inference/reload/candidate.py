"""The candidate of a reload: checked beside the version that is served, then warm and ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from valence.service.classifier import artifact, seal
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError, ValenceError
from valence.service.inference import warm_up
from valence.service.inference.engines.interface import Engine
from valence.service.inference.engines.speed import compare_speed
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.scorer import Scorer
from valence.service.observability.metrics.reloads import Outcome
from valence.service.registry import models

# what clients of a model rely on: another value needs their consent, and so a restart
_PROMISES = ("name", "task", "labels", "polarity")


class Refusal(Exception):
    """A version that must not be served; ``outcome`` is the kind of its fault."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def find_or_prepare(
    loader: ModelLoader,
    tag: str,
    resident: Mapping[str, Scorer],
    served: Scorer | None,
    make_room: Callable[[Architecture], None],
) -> tuple[Scorer, bool]:
    """The scorer of ``tag`` in the store, ready to be served, and whether it was loaded now.

    ``resident`` are the versions in memory. Raises :class:`Refusal`.
    """
    # Of an unexpected error the log may have the type alone: its message could quote a text.
    try:
        folder = models.find_folder(tag)
        known = resident.get(folder.name)
        if known is None:
            return prepare(loader, folder, served, make_room), True
        if known is not served:
            verify(folder)
    except Refusal:
        raise
    except ArtifactError as error:
        raise Refusal("damaged", str(error)) from None
    except Exception as error:
        reason = str(error) if isinstance(error, ValenceError) else type(error).__name__
        raise Refusal("failed", f"{tag} could not be loaded: {reason}") from None
    return known, False


def prepare(
    loader: ModelLoader,
    folder: Path,
    served: Scorer | None,
    make_room: Callable[[Architecture], None] = lambda _: None,
) -> Scorer:
    """The warm scorer of the version in ``folder``, to be served in place of or beside ``served``.

    Seal, promises to clients, answers and speed are checked before the scorer exists. A model that
    is not served yet has made no promises, and nothing to compare its speed with. ``make_room`` is
    called before the version takes most of its memory, and may refuse it. Raises :class:`Refusal`.
    """
    with _refusing_damage(folder):
        loaded = artifact.load(folder)
    _require_version(loaded.manifest, folder)
    if served is not None:
        _require_promises(loaded.manifest, served.manifest)
    make_room(loaded.manifest.architecture)
    classifier, engine = Classifier(loaded), loader.make_engine(loaded)
    try:
        warm_up.check_answers(classifier, engine)
    except ArtifactError as error:
        raise Refusal("unfit", str(error)) from None
    if served is not None:
        _require_speed(loader, classifier, engine, served)
    return loader.make_scorer(classifier, engine)


def verify(folder: Path) -> None:
    """Raise :class:`Refusal` if the version in ``folder``, which is in memory, is damaged there.

    A restart could not serve it then.
    """
    with _refusing_damage(folder):
        seal.verify(folder)


@contextlib.contextmanager
def _refusing_damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except ArtifactError as error:
        raise Refusal("damaged", str(error)) from None
    except OSError as error:
        raise Refusal("damaged", f"{folder}: {error.strerror}") from None


def _require_speed(
    loader: ModelLoader, classifier: Classifier, engine: Engine, served: Scorer
) -> None:
    """Raise :class:`Refusal` if ``engine`` computes much longer for a token than ``served``."""
    loaded = classifier.artifact
    words = min(len(loaded.vocabulary), len(served.classifier.artifact.vocabulary))
    ratio = compare_speed(engine, served.engine, words=words)
    allowed = loader.settings.reload_slowdown
    if ratio > allowed:
        raise Refusal(
            "slower",
            f"{loaded.manifest.name}:{loaded.manifest.version} computes {ratio:.2f} times as long "
            f"as {served.version}, VALENCE_RELOAD_SLOWDOWN allows {allowed:g}; raise the setting, "
            "or promote the version and restart the service to serve it all the same",
        )


def _require_version(manifest: Manifest, folder: Path) -> None:
    if manifest.version != folder.name:
        raise Refusal(
            "damaged",
            f"{folder} has the version {manifest.version}; a folder is named after its version: "
            "copy the model again",
        )


def _require_promises(manifest: Manifest, served: Manifest) -> None:
    """Raise :class:`Refusal` unless clients of ``served`` can go on with ``manifest``."""
    for field in _PROMISES:
        if getattr(manifest, field) != getattr(served, field):
            raise Refusal(
                "incompatible",
                f"{manifest.name}:{manifest.version} has another {field} than {served.name}:"
                f"{served.version}, on which clients rely; promote it and restart the service to "
                "serve it all the same",
            )
