"""How a model tells texts that belong to none of its labels, measured on texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.interface import Engine
from valence.training.config.columns import Columns
from valence.training.corpora import files
from valence.training.evaluation import stored_model
from valence.training.metrics.separation import measure_separation


class OutsideAssessment(BaseModel):
    """What a model calls outside its labels, from the score ``threshold`` on.

    ``lost`` counts those of ``texts``, which have a label. ``found`` counts those of
    ``outside_texts``, which belong to none; they may be none, and then ``auroc`` and ``ece``
    (:class:`valence.training.metrics.separation.Separation`) are not known.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    texts: int
    lost: int
    outside_texts: int = 0
    found: int = 0
    auroc: float | None = None
    ece: float | None = None


def read_outside_texts(
    patterns: Sequence[str], columns: Columns, *, cache: Path | None = None
) -> tuple[str, ...]:
    """The texts of the files of ``patterns``, whatever their labels."""
    unlabelled = Columns(columns.text, "", columns.encoding, quoting=columns.quoting)
    paths = files.find_files(patterns, cache)
    texts = tuple(
        example.text
        for path, name in zip(paths, files.name_files(paths), strict=True)
        for example in files.read_examples(path, unlabelled, corpus=name)
    )
    if not texts:
        raise ConfigurationError(f"{', '.join(patterns)}: the files have no text")
    return texts


def assess_outside(
    classifier: Classifier, engine: Engine, texts: Sequence[str], outside: Sequence[str]
) -> OutsideAssessment | None:
    """Measure the model on ``texts`` of its labels and on texts ``outside`` them.

    None for a model that does not tell such texts. Raises :class:`ConfigurationError` if it is to
    tell those that are given.
    """
    manifest = classifier.manifest
    if manifest.outside is None:
        if outside:
            raise ConfigurationError(
                f"--outside: {manifest.name}:{manifest.version} does not tell texts outside its "
                "labels; train it again"
            )
        return None
    threshold = manifest.outside.threshold
    scores = stored_model.compute_outside(classifier, engine, texts)
    found = OutsideAssessment(
        threshold=threshold, texts=len(texts), lost=int((scores >= threshold).sum())
    )
    if not outside:
        return found
    strange = stored_model.compute_outside(classifier, engine, outside)
    separation = measure_separation(scores, strange)
    return found.model_copy(
        update={
            "outside_texts": len(outside),
            "found": int((strange >= threshold).sum()),
            "auroc": separation.auroc,
            "ece": separation.ece,
        }
    )
