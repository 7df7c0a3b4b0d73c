"""The candidate of a reload: checked beside the version that is served, then warm and ready."""

from __future__ import annotations

from pathlib import Path

from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError
from valence.service.inference import warm_up
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.scorer import Scorer
from valence.service.observability.metrics.reloads import Outcome

# what clients of a model rely on: another value needs their consent, and so a restart
_PROMISES = ("name", "task", "labels", "polarity")


class Refusal(Exception):
    """A version that must not be served; ``outcome`` is the kind of its fault."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def prepare(loader: ModelLoader, folder: Path, served: Scorer) -> Scorer:
    """The warm scorer of the version in ``folder``, to be served in place of ``served``.

    Seal, promises to clients, answers and speed are checked before the scorer exists. Raises
    :class:`Refusal`.
    """
    try:
        loaded = artifact.load(folder)
    except ArtifactError as error:
        raise Refusal("damaged", str(error)) from None
    except OSError as error:
        raise Refusal("damaged", f"{folder}: {error.strerror}") from None
    _require_promises(loaded.manifest, served.manifest, folder)
    classifier, engine = Classifier(loaded), loader.make_engine(loaded)
    try:
        warm_up.check_answers(classifier, engine)
    except ArtifactError as error:
        raise Refusal("unfit", str(error)) from None
    words = min(len(loaded.vocabulary), len(served.classifier.artifact.vocabulary))
    ratio = warm_up.compare_speed(engine, served.engine, words=words)
    allowed = loader.settings.reload_slowdown
    if ratio > allowed:
        raise Refusal(
            "slower",
            f"{loaded.manifest.name}:{loaded.manifest.version} computes {ratio:.2f} times as long "
            f"as {served.version}, VALENCE_RELOAD_SLOWDOWN allows {allowed:g}; raise the setting, "
            "or restart the service to serve the version all the same",
        )
    return loader.make_scorer(classifier, engine)


def _require_promises(manifest: Manifest, served: Manifest, folder: Path) -> None:
    """Raise :class:`Refusal` unless clients of ``served`` can go on with ``manifest``."""
    if manifest.version != folder.name:
        raise Refusal(
            "damaged",
            f"{folder} has the version {manifest.version}; a folder is named after its version: "
            "copy the model again",
        )
    for field in _PROMISES:
        if getattr(manifest, field) != getattr(served, field):
            raise Refusal(
                "incompatible",
                f"{manifest.name}:{manifest.version} has another {field} than {served.name}:"
                f"{served.version}, on which clients rely; restart the service to serve it all "
                "the same",
            )
