"""Explanations: the contribution of each token to a label, and the most telling units.

:mod:`valence.service.inference.explain.attribution` defines the method. The native kernel, where it
is built, computes the same in fp32. The attributor is made for the first request that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import truncation as truncations
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, WindowedText, require_finite
from valence.service.classifier.tokenizer import Token, iter_spans, tokenize
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.native import native_available
from valence.service.inference.explain.attribution import Contributions, NumpyAttributor
from valence.service.inference.explain.native import NativeAttributor

# Below this difference of logits the error is absolute instead of relative.
_MIN_DIFFERENCE = 0.01

Activations = NDArray[np.float32]


class TokenContribution(TypedDict):
    """The contribution of a token to the logit; ``text[start:end]`` is the token, in code points.

    ``unknown``: the word is outside the vocabulary, even if it was read as another word.
    ``truncated``: the token was not read, and contributes 0. This is a dictionary because the
    answer needs one; one more object for each token would cost as much as the rest of the answer.
    """

    start: int
    end: int
    contribution: float
    unknown: bool
    truncated: bool


class Explanation(NamedTuple):
    """The contribution of each token to the logit of ``label``, in the order of the text.

    ``baseline_logit`` is the logit of as many unknown words. ``sum`` is the sum of the
    contributions, and should be ``logit - baseline_logit``. ``completeness_error`` is the distance
    between the two, relative to that difference (to 0.01 at least). All values are of the
    attributor's network; the logit of an engine with other rounding may differ. For a text with
    several windows, logits and contributions are the means over the windows, with the weights of
    their predictions.
    """

    label: str
    logit: float
    baseline_logit: float
    sum: float
    completeness_error: float
    tokens: list[TokenContribution]


class UnitActivation(NamedTuple):
    """The hidden state of one unit at each token that was read.

    ``telling`` ranks units for this text: the range of the unit's output weights over the labels,
    times the standard deviation of its activation over the tokens.
    """

    direction: str
    unit: int
    telling: float
    activations: list[float]


class TextActivations(NamedTuple):
    """Units, the most telling first, and the tokens ``(token, unknown)`` that were read."""

    tokens: list[tuple[Token, bool]]
    units: list[UnitActivation]


class Question:
    """A document with the label to explain; its length is its cost in the queue."""

    __slots__ = ("cost", "ids", "label", "unknown")

    def __init__(self, ids: WordIds, unknown: NDArray[np.bool_], label: int, cost: int) -> None:
        self.ids = ids
        self.unknown = unknown
        self.label = label
        self.cost = cost

    def __len__(self) -> int:
        return self.cost * len(self.ids)


class Attributor(Protocol):
    """See :class:`valence.service.inference.explain.attribution.NumpyAttributor`."""

    @property
    def cost(self) -> int:
        """The cost of a token, in tokens of a prediction by the native engine."""
        ...

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """The contribution of each of ``ids`` ``(tokens,)`` to the logit of label ``label``."""
        ...

    def activations(self, ids: WordIds) -> Activations:
        """The last layer's hidden states ``(tokens, directions, units)``."""
        ...


def make_attributor(artifact: Artifact) -> Attributor:
    """The attributor of the kernel, or the one in NumPy where the kernel is not built."""
    return NativeAttributor(artifact) if native_available() else NumpyAttributor(artifact)


class Explainer:
    """Explains the answers of one classifier, whichever engine computed them."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._attributor: Attributor | None = None

    @property
    def _ready(self) -> Attributor:
        if self._attributor is None:
            self._attributor = make_attributor(self._classifier.artifact)
        return self._attributor

    def attribute(self, questions: Sequence[Question]) -> list[Contributions]:
        """Contributions for each question: the work that goes through the queue.

        Raises :class:`NonFiniteAnswer` for a logit that is not finite.
        """
        answers = [self._ready.attribute(question.ids, question.label) for question in questions]
        for answer in answers:
            require_finite(np.array((answer.logit, answer.baseline_logit)))
        return answers

    def activate(self, questions: Sequence[Question]) -> list[Activations]:
        """Activations ``(tokens, directions, units)`` for each question, whatever its label.

        Raises :class:`NonFiniteAnswer` for an activation that is not finite.
        """
        answers = [self._ready.activations(question.ids) for question in questions]
        for activations in answers:
            require_finite(activations)
        return answers

    def questions(self, reading: WindowedText, label: str) -> list[Question]:
        """The questions about an encoded text: one for each window.

        Raises ``ValueError`` for a label that the model does not have.
        """
        index = self._classifier.manifest.labels.index(label)
        return [
            Question(ids, unknown, index, self._ready.cost)
            for ids, unknown in zip(reading.windows, reading.unknown, strict=True)
        ]

    def explanation(
        self,
        text: str,
        label: str,
        truncation: Truncation,
        questions: Sequence[Question],
        answers: Sequence[Contributions],
    ) -> Explanation:
        """The explanation of ``text`` from its :meth:`questions` and their answers."""
        tokens = list(iter_spans(text))
        windows, weights = self._window_tokens(len(tokens), truncation)
        total = np.zeros(len(tokens))
        read = np.zeros(len(tokens), dtype=bool)
        unknown = np.zeros(len(tokens), dtype=bool)
        logit = baseline = 0.0
        for places, weight, question, answer in zip(
            windows, weights, questions, answers, strict=True
        ):
            total[places] += weight * answer.contributions
            read[places] = True
            unknown[places] = question.unknown
            logit += weight * answer.logit
            baseline += weight * answer.baseline_logit
        if not read.all():
            left = np.flatnonzero(~read).tolist()
            unknown[left] = self._unknown(text[slice(*tokens[index])] for index in left)
        # A network may explode over so many tokens; the completeness error shows it.
        total[~np.isfinite(total)] = 0.0
        added = float(total.sum())
        difference = logit - baseline
        error = abs(added - difference) / max(abs(difference), _MIN_DIFFERENCE)
        return Explanation(
            label, logit, baseline, added, error,
            [
                {
                    "start": start,
                    "end": end,
                    "contribution": contribution,
                    "unknown": new,
                    "truncated": left_out,
                }
                for (start, end), contribution, new, left_out in zip(
                    tokens, total.tolist(), unknown.tolist(), (~read).tolist(), strict=True
                )
            ],
        )  # fmt: skip

    def rank_units(self, text: str, activations: Activations, *, max_units: int) -> TextActivations:
        """The ``max_units`` most telling units, by ``activations`` of the text's first window."""
        tokens = tokenize(text)[: len(activations)]
        weights = self._classifier.artifact.tensors["output.weight"]  # (labels, pooled)
        _, directions, units = activations.shape
        # with max_mean pooling, the two weights of a unit count together
        apart = np.ptp(weights, axis=0).reshape(-1, directions, units).sum(axis=0)
        spread = activations.std(axis=0) if len(tokens) else np.zeros_like(apart)
        telling = apart * spread  # (directions, units)
        order = np.argsort(-telling, axis=None, kind="stable")[:max_units]
        return TextActivations(
            list(zip(tokens, self._unknown(token.surface for token in tokens), strict=True)),
            [
                UnitActivation(
                    ("forward", "backward")[direction],
                    unit,
                    float(telling[direction, unit]),
                    activations[:, direction, unit].tolist(),
                )
                for direction, unit in (divmod(int(index), units) for index in order)
            ],
        )

    def _window_tokens(
        self, tokens: int, truncation: Truncation
    ) -> tuple[list[NDArray[np.int64]], list[float]]:
        """The indices of the tokens of each window, and the weights of the windows."""
        parts = truncations.select_ranges(tokens, self._classifier.manifest.max_tokens, truncation)
        places = [np.arange(part.start, part.stop) for part in parts]
        if truncation != "window":
            return [np.concatenate(places)], [1.0]
        fresh = truncations.count_new_tokens(parts)
        return places, [count / max(tokens, 1) for count in fresh] if tokens else [1.0]

    def _unknown(self, surfaces: Iterable[str]) -> list[bool]:
        knows = self._classifier.artifact.vocabulary.knows
        return [not knows(surface) for surface in surfaces]
