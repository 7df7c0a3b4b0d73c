"""Faithfulness of explanations: the model is evaluated again after words are deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from valence.service.classifier.classifier import Classifier, read_probabilities
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.explainer import make_attributor
from valence.training.config import loader
from valence.training.data.preparation import load_splits
from valence.training.evaluation import stored_model
from valence.training.runtime.run import Run

DELETED = 3
CONFIDENT = 0.8
DRAWS = 20
_CHUNK = 1_024


class Faithfulness(BaseModel):
    """The effect of deleting the words of highest contribution, compared with random words.

    ``wins`` is the share of texts and draws in which the label's probability falls further when the
    words of highest contribution are deleted than when as many random words are deleted. An equal
    fall is not a win. ``fall`` and ``random_fall`` are means. Completeness errors are defined in
    :class:`valence.service.inference.explain.explainer.Explanation`.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    texts: int
    wins: float
    fall: float
    random_fall: float
    mean_completeness_error: float
    max_completeness_error: float


def measure_faithfulness(
    classifier: Classifier, engine: Engine, texts: Sequence[str], *, label: str, seed: int = 0
) -> Faithfulness:
    """Measure the explanations of those ``texts`` that the model confidently labels ``label``.

    Used are the texts with more than :data:`DELETED` tokens for which the model predicts the label
    with a probability of at least :data:`CONFIDENT`. Raises :class:`ConfigurationError` if there is
    no such text, or no such label.
    """
    manifest = classifier.manifest
    if label not in manifest.labels:
        raise ConfigurationError(f"no label {label!r}; the model has {', '.join(manifest.labels)}")
    index = manifest.labels.index(label)

    def compute_probabilities(documents: Sequence[WordIds]) -> NDArray[np.float64]:
        outputs = [
            engine.logits(documents[start : start + _CHUNK])
            for start in range(0, len(documents), _CHUNK)
        ]
        return read_probabilities(np.concatenate(outputs), manifest)

    encoded = [classifier.encode_head(text).ids for text in texts]
    encoded = [ids for ids in encoded if len(ids) > DELETED]
    scores = compute_probabilities(encoded) if encoded else np.empty((0, len(manifest.labels)))
    confident = (scores.argmax(axis=1) == index) & (scores[:, index] >= CONFIDENT)
    documents = [ids for ids, is_confident in zip(encoded, confident, strict=True) if is_confident]
    if not documents:
        raise ConfigurationError(
            f"the model labels no text {label!r} with a probability of {CONFIDENT} or more"
        )
    before = scores[confident, index]

    attributions = make_attributor(classifier.artifact, engine)
    errors, shortened = [], []
    for ids in documents:
        attribution = attributions.attribute(ids, index)
        difference = attribution.logit - attribution.baseline_logit
        total = float(attribution.contributions.sum(dtype=np.float64))
        errors.append(abs(total - difference) / max(abs(difference), 0.01))
        highest = np.argsort(-attribution.contributions, kind="stable")[:DELETED]
        shortened.append(np.delete(ids, highest))
    after = compute_probabilities(shortened)[:, index]

    random = np.random.default_rng(seed)
    wins, falls = [], []
    for _ in range(DRAWS):
        drawn = [np.delete(ids, random.choice(len(ids), DELETED, False)) for ids in documents]
        after_random = compute_probabilities(drawn)[:, index]
        wins.append((after < after_random).mean())
        falls.append((before - after_random).mean())
    return Faithfulness(
        label=label,
        texts=len(documents),
        wins=float(np.mean(wins)),
        fall=float((before - after).mean()),
        random_fall=float(np.mean(falls)),
        mean_completeness_error=float(np.mean(errors)),
        max_completeness_error=float(np.max(errors)),
    )


def measure_stored_model(tag: str, *, label: str | None, engine: str, run: Run) -> Faithfulness:
    """:func:`measure_faithfulness` of a stored model on its held-out texts.

    The default label is the last label of the model.
    """
    classifier, model_engine = stored_model.load_stored_model(tag, engine)
    manifest = classifier.manifest
    configuration = loader.parse_configuration(
        dict(manifest.training.configuration), source=f"model {tag}"
    )
    _, splits = load_splits(configuration, run)
    texts = [example.text for example in splits.of(splits.judged)]
    return measure_faithfulness(classifier, model_engine, texts, label=label or manifest.labels[-1])
