"""Explanations: the contribution of each token to a label, and the most telling units.

:mod:`valence.service.inference.explain.attribution` defines the method. The native kernel, where it
is built, computes the same in fp32. The attributor is made for the first request that needs it.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, TypedDict, overload

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import truncation as truncations
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, WindowedText, require_finite
from valence.service.classifier.tokenizer import Rules, Token, iter_spans, iter_tokens
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine
from valence.service.inference.engines.native import native_available
from valence.service.inference.explain.attribution import Contributions, NumpyAttributor
from valence.service.inference.explain.interface import Activations, Attributor
from valence.service.inference.explain.native import NativeAttributor
from valence.service.inference.explain.ngrams import NGramAttributor
from valence.service.inference.explain.sentences import SentenceAttributor

# Below this difference of logits the error is absolute instead of relative.
_MIN_DIFFERENCE = 0.01


class TokenContribution(TypedDict):
    """The contribution of a token to the logit; ``text[start:end]`` is the token, in code points.

    ``unknown``: the word is outside the vocabulary, even if it was read as another word.
    ``truncated``: the token was not read, and contributes 0.
    """

    start: int
    end: int
    contribution: float
    unknown: bool
    truncated: bool


class Places(NamedTuple):
    """Where the tokens of a text start and end, and which are outside the vocabulary."""

    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    unknown: NDArray[np.bool_]


def find_places(text: str, known: NDArray[np.bool_], rules: Rules) -> Generator[None, None, Places]:
    """The places of the tokens of ``text``, of which ``known`` are in the vocabulary; in steps.

    ``rules`` are those that cut the text when it was encoded.
    """
    borders = array("i")
    for span in iter_spans(text, rules):
        borders.extend(span)
        yield
    starts_and_ends = np.array(borders, dtype=np.int32).reshape(-1, 2)
    return Places(starts_and_ends[:, 0], starts_and_ends[:, 1], ~known)


class TokenContributions(Sequence[TokenContribution]):
    """The contributions of the tokens of a text, in columns.

    A dictionary for each token would take twenty times the memory, and a text may have a hundred
    thousand tokens.
    """

    __slots__ = ("_contributions", "_places", "_read")

    def __init__(
        self,
        places: Places,
        contributions: NDArray[np.float64],
        read: NDArray[np.bool_],
    ) -> None:
        self._places = places
        self._contributions = contributions
        self._read = read

    def __len__(self) -> int:
        return len(self._read)

    @overload
    def __getitem__(self, index: int) -> TokenContribution: ...

    @overload
    def __getitem__(self, index: slice) -> list[TokenContribution]: ...

    def __getitem__(self, index: int | slice) -> TokenContribution | list[TokenContribution]:
        if not isinstance(index, slice):
            place = range(len(self))[index]
            return self[place : place + 1][0]
        starts, ends, unknown = self._places
        return [
            {
                "start": start,
                "end": end,
                "contribution": contribution,
                "unknown": new,
                "truncated": not was_read,
            }
            for start, end, contribution, new, was_read in zip(
                starts[index].tolist(),
                ends[index].tolist(),
                self._contributions[index].tolist(),
                unknown[index].tolist(),
                self._read[index].tolist(),
                strict=True,
            )
        ]


class Explanation(NamedTuple):
    """The contribution of each token to the logit of ``label``, in the order of the text.

    ``baseline_logit`` is the logit of as many unknown words. ``sum`` is the sum of the
    contributions, and should be ``logit - baseline_logit``. ``completeness_error`` is the distance
    between the two, relative to that difference (to 0.01 at least). All values are of the
    attributor's network; the logit of an engine with other rounding may differ. For a text with
    several windows, logits and contributions are the means over the windows, with the weights of
    their predictions; so they are for the sentences of a text that is read sentence by sentence.
    """

    label: str
    logit: float
    baseline_logit: float
    sum: float
    completeness_error: float
    tokens: TokenContributions


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
    cost: int = 0
    """What they cost, in tokens of the engine."""


class Question:
    """A document with the label to explain; its length is its cost in the queue."""

    __slots__ = ("cost", "ids", "label")

    def __init__(self, ids: WordIds, label: int, cost: int) -> None:
        self.ids = ids
        self.label = label
        self.cost = cost

    def __len__(self) -> int:
        return self.cost * len(self.ids)


def make_attributor(artifact: Artifact, engine: Engine) -> Attributor:
    """The attributor of the kernel, or the one in NumPy where the kernel is not built.

    The contributions of n-grams are added. Sentences of a long text have the weights that they have
    in the answer of ``engine``.
    """
    attributor = _make_attributor(artifact)
    if artifact.manifest.sentences is None:
        return attributor
    return SentenceAttributor(artifact, attributor, engine)


def _make_attributor(artifact: Artifact) -> Attributor:
    architecture = artifact.manifest.architecture
    if not architecture.layers:
        return NGramAttributor(artifact)
    network = NativeAttributor(artifact) if native_available() else NumpyAttributor(artifact)
    return NGramAttributor(artifact, network) if architecture.ngrams else network


class Explainer:
    """Explains the answers of one classifier, which ``engine`` computes."""

    def __init__(self, classifier: Classifier, engine: Engine) -> None:
        self._classifier = classifier
        self._engine = engine
        self._attributor: Attributor | None = None

    @property
    def _ready(self) -> Attributor:
        if self._attributor is None:
            self._attributor = make_attributor(self._classifier.artifact, self._engine)
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
        return [Question(ids, index, self._ready.cost) for ids in reading.windows]

    def explanation(
        self,
        places: Places,
        label: str,
        truncation: Truncation,
        answers: Sequence[Contributions],
    ) -> Explanation:
        """The explanation of a text from its places and the answers to its :meth:`questions`."""
        tokens = len(places.starts)
        windows, weights = self._window_tokens(tokens, truncation)
        total = np.zeros(tokens)
        read = np.zeros(tokens, dtype=bool)
        logit = baseline = 0.0
        for window, weight, answer in zip(windows, weights, answers, strict=True):
            total[window] += weight * answer.contributions
            read[window] = True
            logit += weight * answer.logit
            baseline += weight * answer.baseline_logit
        # A network may explode over so many tokens; the completeness error shows it.
        total[~np.isfinite(total)] = 0.0
        added = float(total.sum())
        difference = logit - baseline
        error = abs(added - difference) / max(abs(difference), _MIN_DIFFERENCE)
        return Explanation(
            label, logit, baseline, added, error, TokenContributions(places, total, read)
        )

    def rank_units(self, text: str, activations: Activations, *, max_units: int) -> TextActivations:
        """The ``max_units`` most telling units, by ``activations`` of the text's first window."""
        artifact = self._classifier.artifact
        tokens = list(islice(iter_tokens(text, artifact.vocabulary.rules), len(activations)))
        labels = len(artifact.manifest.labels)
        weights = artifact.tensors["output.weight"][:labels]  # (labels, pooled)
        _, directions, units = activations.shape
        # with max_mean pooling, the two weights of a unit count together
        apart = np.ptp(weights, axis=0).reshape(-1, directions, units).sum(axis=0)
        spread = activations.std(axis=0) if tokens else np.zeros_like(apart)
        telling = apart * spread  # (directions, units)
        # fixed-point and bf16 states may leave [-1, 1] by a rounding
        activations = np.clip(activations, -1.0, 1.0)
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
