"""A trained model as a classifier of Python programs, with the conventions of scikit-learn.

Texts are scored by :class:`valence.service.score.texts.TextScorer`, as ``valence score`` does it,
with the engines of the server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NotRequired, Self, TypedDict, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.result import (
    UNCERTAIN,
    Reason,
    Unreadable,
    find_doubt,
    format_result,
)
from valence.service.classifier.truncation import Truncation
from valence.service.errors import ConfigurationError
from valence.service.estimator import scikit_learn
from valence.service.estimator.texts import Texts, list_texts, refuse_row
from valence.service.files.fault import Fault
from valence.service.inference import warm_up
from valence.service.inference.explain.explainer import Explainer, Explanation, find_places
from valence.service.score.options import ScoreOptions
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.texts import Judgement

# texts that are in memory as word ids together
_PART = 4_096
_OPTIONS: TypeAdapter[ScoreOptions] = TypeAdapter(ScoreOptions)


class LabelScore(TypedDict):
    """A label and its calibrated probability."""

    label: str
    score: float


class TextUsage(TypedDict):
    """How much of a text the model read."""

    characters: int
    tokens: int
    tokens_used: int
    unknown_tokens: int
    truncated: bool
    windows: int


class Result(TypedDict):
    """What the service answers about one text."""

    label: str
    reason: NotRequired[Reason]
    labels: list[str]
    scores: list[LabelScore]
    polarity: float | None
    outside: NotRequired[float]
    usage: TextUsage


def load(
    source: str | os.PathLike[str],
    *,
    engine: str = "auto",
    truncation: Truncation = "head",
    min_confidence: float = 0.0,
    unreadable: Unreadable = "uncertain",
) -> TextClassifier:
    """The model ``source``: ``name``, ``name:version`` in the model store, a folder, an address.

    A path of a folder has a separator: ``./sentiment``. An address is ``hf:OWNER/NAME`` or that of
    another source of models, perhaps with ``#name:version``; or ``https://HOST/PATH#sha256=DIGEST``
    of an archive. Its model is copied to this machine and verified. ``engine`` is named as in
    ``VALENCE_ENGINE``. The other options are those of ``POST /v1/classify``.

    Raises :class:`ConfigurationError` for a model that is not there, and for options and engines
    that cannot be used; :class:`ArtifactError` for a folder that is damaged or not a model;
    :class:`SourceError` for an address whose model cannot be copied.
    """
    given = {
        "truncation": truncation,
        "min_confidence": min_confidence,
        "unreadable": unreadable,
    }
    try:
        options = _OPTIONS.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(
            f"{first['loc'][0]}={first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        ) from None
    return TextClassifier(ScorerRecipe.find(source, engine=engine, options=options))


class TextClassifier:
    """A trained model. Any number of threads may use one at once; nothing changes it.

    It is a classifier of scikit-learn that is fitted already: ``clone`` and :meth:`fit` give the
    same object. ``classes_`` are the labels in alphabetical order, which is that of the columns of
    :meth:`predict_proba`.
    """

    def __init__(self, recipe: ScorerRecipe) -> None:
        self._recipe = recipe
        self._scorer = recipe.make()
        classifier = self._scorer.classifier
        warm_up.check_answers(classifier, self._scorer.engine)
        self._explainer = Explainer(classifier, self._scorer.engine)
        labels = classifier.manifest.labels
        # the place in the manifest of each class
        self._order = sorted(range(len(labels)), key=labels.__getitem__)
        self.classes_: NDArray[np.str_] = np.array([labels[index] for index in self._order])

    @property
    def manifest(self) -> Manifest:
        """Name, version, labels, metrics and training of the model."""
        return self._scorer.classifier.manifest

    @property
    def engine(self) -> str:
        """The engine that computes, and its path."""
        return self._scorer.engine.name

    def predict(self, texts: Texts) -> NDArray[Any]:
        """The label of each text, ``(texts,)``; ``uncertain`` where the service answers so.

        Of a multi-label model: 1 for each label that is given, ``(texts, classes)``. Raises
        :class:`InvalidTexts` for anything but texts, and for a text that cannot be scored.
        """
        judged = self._judge(list_texts(texts))
        if self.manifest.task == "multi_label":
            given = [set(self._labels(judgement)) for judgement in judged]
            rows = [[int(label in labels) for label in self.classes_.tolist()] for labels in given]
            return np.array(rows, dtype=np.int64).reshape(-1, len(self.classes_))
        labels = [
            prediction.label if self._doubt((prediction, usage)) is None else UNCERTAIN
            for prediction, usage in judged
        ]
        return np.array(labels, dtype=str)

    def predict_proba(self, texts: Texts) -> NDArray[np.float64]:
        """The calibrated probability of each class, ``(texts, classes)``.

        Raises what :meth:`predict` raises.
        """
        rows = [prediction.probabilities for prediction, _ in self._judge(list_texts(texts))]
        table = np.array(rows, dtype=np.float64).reshape(-1, len(self.classes_))
        return table[:, self._order]

    def explain(self, texts: Texts) -> list[Explanation]:
        """What each token of a text added to the logit of its likeliest label, for each text.

        The offsets of a token count characters: ``text[start:end]``. Raises what :meth:`predict`
        raises.
        """
        rows = list_texts(texts)
        judged = self._judge(rows)
        return [
            self._explain(text, prediction.label)
            for text, (prediction, _) in zip(rows, judged, strict=True)
        ]

    # an open type includes str, of which the first signature tells more
    @overload
    def __call__(self, texts: str) -> Result: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Texts) -> list[Result]: ...
    def __call__(self, texts: Any) -> Result | list[Result]:
        """The results of texts, as ``POST /v1/classify`` answers them; of one ``str``, its result.

        Raises what :meth:`predict` raises.
        """
        if isinstance(texts, str):
            (result,) = self([texts])
            return result
        options = self._recipe.options
        results = (
            format_result(
                self.manifest.labels,
                *judgement,
                min_confidence=options.min_confidence,
                unreadable=options.unreadable,
            )
            for judgement in self._judge(list_texts(texts))
        )
        return [cast("Result", result) for result in results]

    def fit(self, texts: Texts, labels: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """The same classifier: it is trained. scikit-learn calls this in pipelines and folds."""
        return self

    def score(
        self, texts: Texts, labels: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The share of texts whose labels are all right, as scikit-learn's accuracy."""
        right = self.predict(texts) == np.asarray(labels)
        if right.ndim > 1:
            right = right.all(axis=1)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(right, weights=weights))

    def __sklearn_is_fitted__(self) -> Literal[True]:
        return True

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_tags__(self) -> Any:
        return scikit_learn.make_tags(multi_label=self.manifest.task == "multi_label")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """The options, as scikit-learn shows them. They do not change: load the model anew."""
        options = self._recipe.options
        return {
            "source": str(self._recipe.folder),
            "engine": self._recipe.engine,
            "truncation": options.truncation,
            "min_confidence": options.min_confidence,
            "unreadable": options.unreadable,
        }

    def __reduce__(self) -> tuple[type[TextClassifier], tuple[ScorerRecipe]]:
        # another process reads the same folder, and verifies its seal
        return type(self), (self._recipe,)

    def __repr__(self) -> str:
        manifest = self.manifest
        return f"TextClassifier({manifest.name}:{manifest.version}, engine={self.engine!r})"

    def _judge(self, texts: Sequence[str]) -> list[Judgement]:
        return list(chain.from_iterable(self._judge_parts(texts)))

    def _judge_parts(self, texts: Sequence[str]) -> Iterator[list[Judgement]]:
        """The judgements of the texts, a part at a time; raises for the first fault."""
        for start in range(0, len(texts), _PART):
            judged: list[Judgement] = []
            for number, one in enumerate(self._scorer.judge(texts[start : start + _PART]), start):
                if isinstance(one, Fault):
                    raise refuse_row(number, str(one))
                judged.append(one)
            yield judged

    def _doubt(self, judgement: Judgement) -> Reason | None:
        prediction, usage = judgement
        options = self._recipe.options
        return find_doubt(
            prediction,
            max(prediction.probabilities),
            usage,
            min_confidence=options.min_confidence,
            unreadable=options.unreadable,
        )

    def _labels(self, judgement: Judgement) -> tuple[str, ...]:
        """The labels that a text is given; none if it is uncertain."""
        return () if self._doubt(judgement) else judgement[0].labels

    def _explain(self, text: str, label: str) -> Explanation:
        classifier, truncation = self._scorer.classifier, self._recipe.options.truncation
        vocabulary = classifier.artifact.vocabulary
        encoded = vocabulary.encode(text)
        reading = classifier.select_windows(text, encoded, truncation)
        answers = self._explainer.attribute(self._explainer.questions(reading, label))
        steps = find_places(text, encoded.known, vocabulary.rules)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return self._explainer.explanation(end.value, label, truncation, answers)
