"""The row of the output layer that tells texts outside the labels: fitted, calibrated, judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from valence.service.classifier.manifest import Outside, OutsideTexts
from valence.training.config.schema import Configuration
from valence.training.data.batches import encode_texts
from valence.training.data.preparation import Prepared
from valence.training.metrics.separation import measure_separation
from valence.training.outside import texts as outside_texts
from valence.training.runtime.run import Run
from valence.training.trainer import loop
from valence.training.trainer.fitted_classifier import FittedClassifier, OutsideRow

Floats = NDArray[np.float64]
Features = Any  # rows of Floats, or a sparse matrix of SciPy, which has no types

# With fewer dev texts, the share that would be lost is a guess, and with fewer texts outside the
# labels there is nothing to learn.
MIN_TEXTS = 50
# The share of dev texts that may be called outside the labels.
MAX_LOST = 0.01
_FOLDS = 5
_REGULARIZATION = 1.0  # docs/training-log.md
_MAX_SCALE = 100.0  # of logits, before calibration
_MAX_THRESHOLD = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Detector:
    """A row of the output layer, and how well it tells; the sigmoid of its logit is the score."""

    row: OutsideRow
    record: Outside


def fit_detector(
    fitted: FittedClassifier, prepared: Prepared, configuration: Configuration, run: Run
) -> Detector | None:
    """Fit a row that tells the texts of the labels from texts that belong to none of them.

    The row is fitted on training texts and their first sentences. Its scale and bias are fitted on
    dev texts and on texts outside the labels that the row did not learn (cross-fitting). None, with
    a line that says why, if there are too few texts.
    """
    splits = prepared.raw.splits
    found = outside_texts.load_outside_texts(configuration, splits, run)
    if not found.texts:
        return None
    if len(splits.dev) < MIN_TEXTS or len(found.texts) < MIN_TEXTS:
        run.reporter.say(
            f"the model does not tell texts outside its labels: that takes {MIN_TEXTS} dev texts "
            f"and {MIN_TEXTS} texts outside, and these are {len(splits.dev):,} and "
            f"{len(found.texts):,}"
        )
        return None

    read = _make_reader(fitted, prepared, configuration)
    chosen = [
        outside_texts.select_texts(example.text for example in splits.of(name))
        for name in ("train", "dev", splits.judged)
    ]
    train, dev, judged = (
        [read(whole), read(outside_texts.cut_openings(whole))] for whole in chosen
    )
    outside = read(found.texts)
    folds = np.array([outside_texts.hash_text(text) % _FOLDS for text in found.texts])
    kinds = np.array(found.kinds)
    weights, bias = _fit_row(train, outside, kinds)
    unseen = np.empty(len(found.texts))
    for fold in range(_FOLDS):
        left_out = folds == fold
        row, constant = _fit_row(train, outside[~left_out], kinds[~left_out])
        unseen[left_out] = outside[left_out] @ row + constant
    scale, shift = _fit_scale([part @ weights + bias for part in dev], _balance(kinds), unseen)
    weights, bias = weights * scale, bias * scale + shift
    scores = expit(unseen * scale + shift)
    record = _judge(
        expit(np.concatenate([part @ weights for part in dev]) + bias),
        expit(judged[0] @ weights + bias),
        scores,
        kinds,
    )
    run.reporter.say(
        f"texts outside the labels: {(scores >= record.threshold).mean():.1%} of "
        f"{len(scores):,} are found, {record.inside.found:,} of {record.inside.texts:,} "
        f"{splits.judged} texts are lost"
    )
    return Detector(OutsideRow(weights.astype(np.float32), np.float32(bias)), record)


def _make_reader(
    fitted: FittedClassifier, prepared: Prepared, configuration: Configuration
) -> Callable[[Sequence[str]], Features]:
    """A function from texts to what the row is fitted on, ``(texts, width)``.

    These are the pooled vectors of the network, or the vectors of n-grams that stand alone.
    """

    def read(texts: Sequence[str]) -> Features:
        # a text more than asked for, so that there is always one
        encoded = encode_texts([*texts, ""], prepared.vocabulary, configuration)
        if fitted.network is not None:
            return loop.compute_pooled(fitted.network.model, encoded)[:-1].astype(np.float64)
        assert fitted.ngrams is not None  # noqa: S101 - a classifier has one of the two
        return fitted.ngrams.compute_features(encoded)[:-1]

    return read


def _balance(groups: NDArray[np.str_]) -> Floats:
    """A weight for each text, so that each group weighs the same and all weigh 1 together."""
    _, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / (len(counts) * counts[places])
    return weights


def _balance_parts(parts: Sequence[Features] | Sequence[Floats]) -> Floats:
    names = np.repeat(np.arange(len(parts)), [part.shape[0] for part in parts]).astype(str)
    return _balance(names)


def _fit_row(
    inside: Sequence[Features], outside: Features, kinds: NDArray[np.str_]
) -> tuple[Floats, float]:
    """Weights and bias that tell ``outside`` from ``inside``; each kind weighs the same."""
    values, mean, deviation = _standardize([*inside, outside])
    weights = np.concatenate([_balance_parts(inside), _balance(kinds)])
    count, strange = values.shape[0], len(kinds)
    fitted = LogisticRegression(C=_REGULARIZATION, max_iter=1_000).fit(
        values, np.repeat([0, 1], [count - strange, strange]), sample_weight=weights * count / 2
    )
    row = fitted.coef_[0] / deviation
    return row, float(fitted.intercept_[0] - row @ mean)


def _standardize(parts: Sequence[Features]) -> tuple[Features, Floats, Floats]:
    """All rows of ``parts``, with the mean and the deviation that were taken out of each column.

    Vectors of n-grams have length 1 already, and stay sparse.
    """
    if sparse.issparse(parts[0]):
        values = sparse.vstack(parts).tocsr()
        return values, np.zeros(values.shape[1]), np.ones(values.shape[1])
    values = np.concatenate(parts)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    # a unit that never changes tells nothing
    deviation[deviation < 1e-6] = np.inf
    return (values - mean) / deviation, mean, deviation


def _fit_scale(
    inside: Sequence[Floats], outside_weights: Floats, outside: Floats
) -> tuple[float, float]:
    """Scale and shift of logits that calibrate their sigmoid (Platt 1999)."""
    values = np.concatenate([*inside, outside])
    weights = np.concatenate([_balance_parts(inside), outside_weights])
    truth = np.repeat([0, 1], [len(values) - len(outside), len(outside)])
    fitted = LogisticRegression(C=1.0, max_iter=1_000).fit(
        values[:, np.newaxis], truth, sample_weight=weights * len(values) / 2
    )
    return float(np.clip(fitted.coef_[0, 0], 0.0, _MAX_SCALE)), float(fitted.intercept_[0])


def _judge(dev: Floats, judged: Floats, scores: Floats, kinds: NDArray[np.str_]) -> Outside:
    """The threshold by the ``dev`` scores, and the record on the ``judged`` ones."""
    highest_kept = np.sort(dev)[-1 - int(MAX_LOST * len(dev))]
    threshold = float(np.clip(np.nextafter(highest_kept, 1.0), 0.5, _MAX_THRESHOLD))
    separation = measure_separation(judged, scores)
    return Outside(
        threshold=threshold,
        auroc=separation.auroc,
        ece=separation.ece,
        inside=OutsideTexts(texts=len(judged), found=int((judged >= threshold).sum())),
        kinds={
            kind: OutsideTexts(
                texts=int((kinds == kind).sum()),
                found=int((scores[kinds == kind] >= threshold).sum()),
            )
            for kind in dict.fromkeys(kinds.tolist())
        },
        fitted=len(scores),
    )
