"""Why a text got its label: what each of its tokens added, and which units of the network spoke up.

:mod:`valence.service.inference.explain.attribution` says how; the native kernel does the same in fp32 where it was
built. Nothing here is made before someone asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import truncation as truncations
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, WindowedText
from valence.service.classifier.tokenizer import Token, iter_spans, tokenize
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.native import native_available
from valence.service.inference.explain.attribution import Contributions, NumpyAttributor
from valence.service.inference.explain.native import NativeAttributor

# Differences of logits smaller than this are held to an absolute error instead of a relative one.
_LEAST_DIFFERENCE = 0.01

Activations = NDArray[np.float32]


class TokenContribution(TypedDict):
    """What a token added to the logit; ``text[start:end]`` is the token, in code points.

    ``unknown``: the model does not know the word, whatever it was read as. ``truncated``: it was
    not read, and adds 0. A dictionary, since that is what it will be in the answer, and an object
    more for each token would cost as much as the rest of it.
    """

    start: int
    end: int
    contribution: float
    unknown: bool
    truncated: bool


class Explanation(NamedTuple):
    """Every token's contribution to the logit of ``label``, in the order of the text.

    ``baseline_logit`` is that of as many unknown words; ``sum`` is that of the contributions, and
    should be ``logit - baseline_logit``. ``completeness_error`` is by how much it is not, relative
    to that difference (but to 0.01 at least). All are of the attributor's network: the logit of an
    engine that rounds otherwise may differ by that. Of a text read in several
    windows, logits and contributions are the windows' means, weighted as their predictions are.
    """

    label: str
    logit: float
    baseline_logit: float
    sum: float
    completeness_error: float
    tokens: list[TokenContribution]


class UnitActivation(NamedTuple):
    """One unit's hidden state at every token that was read.

    ``telling`` ranks units for this text: how far the unit's output weights lie apart between
    labels, times how far its activation varies over the tokens.
    """

    direction: str
    unit: int
    telling: float
    activations: list[float]


class TextActivations(NamedTuple):
    """Units, the most telling first, and the tokens ``(token, unknown)`` that they read."""

    tokens: list[tuple[Token, bool]]
    units: list[UnitActivation]


class Question:
    """A document in the queue with the label to explain; its length is what it costs there."""

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
        """What a token costs, in tokens of a prediction by the native engine."""
        ...

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """What each token of ``ids`` ``(tokens,)`` adds to the logit of the label of that index."""
        ...

    def activations(self, ids: WordIds) -> Activations:
        """The last layer's hidden states ``(tokens, directions, units)``."""
        ...


def attributor(artifact: Artifact) -> Attributor:
    """The kernel's, or NumPy's where the kernel was not built."""
    return NativeAttributor(artifact) if native_available() else NumpyAttributor(artifact)


class Explainer:
    """Explains the answers of one classifier, whichever engine gave them."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._attributor: Attributor | None = None

    @property
    def _ready(self) -> Attributor:
        if self._attributor is None:
            self._attributor = attributor(self._classifier.artifact)
        return self._attributor

    def attribute(self, questions: Sequence[Question]) -> list[Contributions]:
        """Contributions for each question: the work that goes through the queue."""
        return [self._ready.attribute(question.ids, question.label) for question in questions]

    def activate(self, questions: Sequence[Question]) -> list[Activations]:
        """Activations ``(tokens, directions, units)`` for each question, whatever its label."""
        return [self._ready.activations(question.ids) for question in questions]

    def questions(self, reading: WindowedText, label: str) -> list[Question]:
        """What is to be asked about a text as it was read: a question a window.

        Raises ``ValueError`` for no label of the model.
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
        """From the :meth:`questions` of ``text`` so read, of the same label, and their answers."""
        tokens = list(iter_spans(text))
        windows, weights = self._places(len(tokens), truncation)
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
            unknown[left] = self._unknown(text[slice(*tokens[place])] for place in left)
        # of a network that explodes over so many tokens; the completeness error will tell
        total[~np.isfinite(total)] = 0.0
        added = float(total.sum())
        difference = logit - baseline
        error = abs(added - difference) / max(abs(difference), _LEAST_DIFFERENCE)
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

    def telling(self, text: str, activations: Activations, *, most: int) -> TextActivations:
        """The ``most`` most telling units of ``text``, of its first window's ``activations``."""
        tokens = tokenize(text)[: len(activations)]
        weights = self._classifier.artifact.tensors["output.weight"]  # (labels, pooled)
        _, directions, units = activations.shape
        # of max_mean pooling, a unit's two weights together
        apart = np.ptp(weights, axis=0).reshape(-1, directions, units).sum(axis=0)
        spread = activations.std(axis=0) if len(tokens) else np.zeros_like(apart)
        telling = apart * spread  # (directions, units)
        order = np.argsort(-telling, axis=None, kind="stable")[:most]
        return TextActivations(
            list(zip(tokens, self._unknown(token.surface for token in tokens), strict=True)),
            [
                UnitActivation(
                    ("forward", "backward")[direction],
                    unit,
                    float(telling[direction, unit]),
                    activations[:, direction, unit].tolist(),
                )
                for direction, unit in (divmod(int(place), units) for place in order)
            ],
        )

    def _places(
        self, tokens: int, truncation: Truncation
    ) -> tuple[list[NDArray[np.int64]], list[float]]:
        """Which tokens each window read, and what its answer weighs."""
        parts = truncations.select_ranges(tokens, self._classifier.manifest.max_tokens, truncation)
        places = [np.arange(part.start, part.stop) for part in parts]
        if truncation != "window":
            return [np.concatenate(places)], [1.0]
        fresh = truncations.count_new_tokens(parts)
        return places, [count / max(tokens, 1) for count in fresh] if tokens else [1.0]

    def _unknown(self, surfaces: Iterable[str]) -> list[bool]:
        knows = self._classifier.artifact.vocabulary.knows
        return [not knows(surface) for surface in surfaces]
