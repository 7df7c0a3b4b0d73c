"""The queue: the texts to label next, with what the model says of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, Prediction, Usage
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine
from valence.service.monitoring.signals import AnswerReader
from valence.service.monitoring.worth import measure_uncertainty, read_thresholds
from valence.training.active_learning.choice import (
    Reason,
    Worth,
    choose_texts,
    select_candidates,
)
from valence.training.active_learning.drift import measure_drift
from valence.training.active_learning.vectors import compute_vectors
from valence.training.corpora.normal_form import normal_form

_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class Entry:
    """A text to label."""

    text: str
    prediction: Prediction
    worth: float
    """From 0 to 1."""
    reason: Reason


def rank_texts(
    artifact: Artifact,
    engine: Engine,
    texts: Sequence[str],
    *,
    count: int,
    labelled: Collection[str] = (),
) -> list[Entry]:
    """At most ``count`` of ``texts`` to label, the first one first.

    Of copies one is ranked, and none of a text in normal form in ``labelled``.
    """
    wanted = _leave_out_copies(texts, set(labelled))
    if not wanted:
        return []
    classifier = Classifier(artifact)
    predictions, usages, documents = _answer(classifier, engine, wanted)
    manifest = artifact.manifest
    probabilities = np.array([one.probabilities for one in predictions])
    reader = AnswerReader(manifest, artifact.reference)
    worth = Worth(
        measure_uncertainty(probabilities, read_thresholds(manifest)),
        measure_drift(reader.signals, reader.read(predictions, usages)),
    )
    candidates = select_candidates(worth, count)
    total = worth.total
    vectors = compute_vectors(artifact, [documents[index] for index in candidates])
    chosen = candidates[choose_texts(total[candidates], vectors, count)]
    return [
        Entry(wanted[index], predictions[index], float(total[index]), worth.explain(index))
        for index in chosen.tolist()
    ]


def _leave_out_copies(texts: Sequence[str], seen: set[str]) -> list[str]:
    kept = []
    for text in texts:
        form = normal_form(text)
        if form and form not in seen:
            seen.add(form)
            kept.append(text)
    return kept


def _answer(
    classifier: Classifier, engine: Engine, texts: Sequence[str]
) -> tuple[list[Prediction], list[Usage], list[WordIds]]:
    """The predictions of ``texts``, how much of them was read, and their word ids."""
    predictions: list[Prediction] = []
    documents = [classifier.encode_head(text) for text in texts]
    for start in range(0, len(documents), _BATCH):
        part = [document.ids for document in documents[start : start + _BATCH]]
        predictions += classifier.predict(engine.logits(part))
    usages = [document.usage for document in documents]
    return predictions, usages, [document.ids for document in documents]
