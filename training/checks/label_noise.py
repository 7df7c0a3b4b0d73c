"""Find labels that are probably wrong, by confident learning.

C. Northcutt, L. Jiang and I. Chuang, *Confident Learning: Estimating Uncertainty in Dataset
Labels*, JAIR 2021, as cleanlab does it. The probabilities are those of the linear baseline, each
text's from a model that was fitted without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from valence.service.errors import ConfigurationError
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.example import Example

FOLDS = 5
_MANY = 0.02
_MISSING = "cleanlab is not installed: pip install 'valence[checks]', or leave it out by --quick"


class Suspect(NamedTuple):
    """A text whose label is probably wrong, and the suggested label."""

    example: Example
    suggested: str
    given_probability: float
    suggested_probability: float


def find_suspects(examples: Sequence[Example]) -> tuple[Suspect, ...] | None:
    """The single-label texts whose label is probably wrong, the most probable first.

    None if no text has a word of two letters, which the linear model reads. Leaves out labels of
    fewer than :data:`FOLDS` texts. Raises :class:`ConfigurationError` if
    cleanlab is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError:
        raise ConfigurationError(_MISSING) from None
    counts = Counter(one.label for one in examples if isinstance(one.label, str))
    labels = sorted(label for label, count in counts.items() if count >= FOLDS)
    judged = [one for one in examples if one.label in labels]
    if len(labels) < 2:
        return ()
    given = np.array([labels.index(str(one.label)) for one in judged])
    # Words alone: pairs of words find as many wrong labels and take five times as long.
    vectorizer = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", dtype=np.float32)
    try:
        features = vectorizer.fit_transform(one.text for one in judged)
    except ValueError:
        return None
    probabilities = cross_val_predict(
        LogisticRegression(C=2.0, max_iter=500),
        features,
        given,
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0),
        method="predict_proba",
    )  # (texts, labels)
    wrong = find_label_issues(
        given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    best = probabilities.argmax(axis=1)
    return tuple(
        Suspect(
            example=judged[place],
            suggested=labels[best[place]],
            given_probability=float(probabilities[place, given[place]]),
            suggested_probability=float(probabilities[place, best[place]]),
        )
        for place in wrong
    )


def report_noise(found: Sequence[Suspect] | None, total: int) -> list[Finding]:
    """The finding about the suspects ``found`` among ``total`` texts."""
    if found is None:
        message = "labels are not judged: no text holds a word of two letters or more"
        return [make_finding("label_noise", "note", (), total, message)]
    if not found:
        return []
    message = (
        "texts whose label is most likely wrong; suspects.csv lists them with the label that fits "
        "better: correct those that are, and leave the others"
    )
    severity: Severity = "warning" if len(found) > _MANY * total else "note"
    texts = [suspect.example for suspect in found]
    return [make_finding("label_noise", severity, texts, total, message)]
