"""Whether explanations tell what a model goes by: words are deleted and the model asked again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from valence.service.classifier.classifier import Classifier, to_probabilities
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.explainer import attributor
from valence.training.config import loader
from valence.training.data.preparation import load_splits
from valence.training.evaluation import stored_model
from valence.training.runtime.run import Run

DELETED = 3
CONFIDENT = 0.8
DRAWS = 20
_CHUNK = 1_024


class Faithfulness(BaseModel):
    """How deleting the words that speak most for a label compares with deleting random ones.

    ``wins`` is the share of texts and draws in which the label's probability falls further by the
    deletion of the words of highest contribution than by that of as many random ones; an equal
    fall, as of the same words, is no win. Falls are means. Completeness errors are those of
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


def measure(
    classifier: Classifier, engine: Engine, texts: Sequence[str], *, label: str, seed: int = 0
) -> Faithfulness:
    """Judge the explanations of the ``texts`` that the model is confident are of ``label``.

    That is, those of more tokens than are deleted, given the label with a probability of at least
    :data:`CONFIDENT`. Raises :class:`ConfigurationError` if there is none, or no such label.
    """
    manifest = classifier.manifest
    if label not in manifest.labels:
        raise ConfigurationError(f"no label {label!r}; the model has {', '.join(manifest.labels)}")
    index = manifest.labels.index(label)

    def ask(documents: Sequence[WordIds]) -> NDArray[np.float64]:
        outputs = [
            engine.logits(documents[start : start + _CHUNK])
            for start in range(0, len(documents), _CHUNK)
        ]
        return to_probabilities(
            np.concatenate(outputs), temperature=manifest.temperature, task=manifest.task
        )

    read = [classifier.encode_head(text).ids for text in texts]
    read = [ids for ids in read if len(ids) > DELETED]
    scores = ask(read) if read else np.empty((0, len(manifest.labels)))
    kept = (scores.argmax(axis=1) == index) & (scores[:, index] >= CONFIDENT)
    documents = [ids for ids, keep in zip(read, kept, strict=True) if keep]
    if not documents:
        raise ConfigurationError(f"no text is given {label!r} with a probability of {CONFIDENT}")
    before = scores[kept, index]

    explains = attributor(classifier.artifact)
    errors, shortened = [], []
    for ids in documents:
        found = explains.attribute(ids, index)
        difference = found.logit - found.baseline_logit
        added = float(found.contributions.sum(dtype=np.float64))
        errors.append(abs(added - difference) / max(abs(difference), 0.01))
        highest = np.argsort(-found.contributions, kind="stable")[:DELETED]
        shortened.append(np.delete(ids, highest))
    after = ask(shortened)[:, index]

    random = np.random.default_rng(seed)
    wins, falls = [], []
    for _ in range(DRAWS):
        drawn = [np.delete(ids, random.choice(len(ids), DELETED, False)) for ids in documents]
        by_chance = ask(drawn)[:, index]
        wins.append((after < by_chance).mean())
        falls.append((before - by_chance).mean())
    return Faithfulness(
        label=label,
        texts=len(documents),
        wins=float(np.mean(wins)),
        fall=float((before - after).mean()),
        random_fall=float(np.mean(falls)),
        mean_completeness_error=float(np.mean(errors)),
        max_completeness_error=float(np.max(errors)),
    )


def measure_stored(tag: str, *, label: str | None, engine: str, run: Run) -> Faithfulness:
    """:func:`measure` of a model in the store on its held-out texts; by default of its
    last label.
    """
    classifier, computes = stored_model.load(tag, engine)
    manifest = classifier.manifest
    chosen = loader.parse_configuration(
        dict(manifest.training.configuration), source=f"model {tag}"
    )
    _, splits = load_splits(chosen, run)
    texts = [example.text for example in splits.of(splits.judged)]
    return measure(classifier, computes, texts, label=label or manifest.labels[-1])
