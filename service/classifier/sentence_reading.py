"""A long text as its sentences: word ids to the sentences, and their logits to one answer.

A recurrent network that has learnt from sentences takes each sentence of a long review for the
whole. So the network reads each sentence alone, from a fresh state. The probabilities of the text
are the weighted mean of those of its sentences, raised to a power and made to sum to 1 again. The
weight of a sentence is the square of its polarity: a sentence without feeling says little about a
text that has others. The power makes up for sentences that disagree: their mean is less sure than
the text is.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Logits, read_probabilities
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.sentences import is_full_stop
from valence.service.classifier.vocabulary import Vocabulary, WordIds
from valence.service.pacing import background

# a shorter sentence is read with the next one: "Why?" says little alone
_MIN_TOKENS = 8
# the weight of a sentence without polarity, so that many of them make a text neutral
_LEAST_WEIGHT = 0.02
_LEAST_PROBABILITY = 1e-12


class SentenceReader:
    """Cuts word ids into sentences, and merges their logits; the manifest has ``sentences``.

    A text of more than ``longer_than`` tokens is cut.
    """

    def __init__(self, manifest: Manifest, vocabulary: Vocabulary) -> None:
        reading, polarity = manifest.sentences, manifest.polarity
        if reading is None or polarity is None:
            raise ValueError(f"the manifest of {manifest.name} has no sentences, or no polarity")
        self.longer_than = reading.longer_than
        self._sharpness = reading.sharpness
        self._manifest = manifest
        self._polarity = np.array([polarity[label] for label in manifest.labels])
        ends = (
            is_full_stop(word)
            for words in background.cut(vocabulary.words, background.PIECE_WORDS)
            for word in words
        )
        self._ends = np.fromiter(ends, bool, len(vocabulary))

    def split(self, ids: WordIds) -> list[WordIds]:
        """The sentences of ``ids`` ``(tokens,)``, in order, without overlap and gap."""
        if len(ids) <= self.longer_than:
            return [ids]
        borders = [0]
        for border in (np.flatnonzero(self._ends[ids]) + 1).tolist():
            if border - borders[-1] >= _MIN_TOKENS:
                borders.append(border)
        if len(ids) - borders[-1] >= _MIN_TOKENS or len(borders) == 1:
            borders.append(len(ids))
        borders[-1] = len(ids)  # the last sentence takes a short rest
        return [ids[start:end] for start, end in itertools.pairwise(borders)]

    def weigh(self, logits: Logits) -> NDArray[np.float64]:
        """The weights ``(sentences,)`` of ``logits`` ``(sentences, labels)``; they sum to 1."""
        weights = np.square(self._read(logits) @ self._polarity) + _LEAST_WEIGHT
        whole: NDArray[np.float64] = weights / weights.sum()
        return whole

    def merge(self, logits: Logits) -> Logits:
        """The logits ``(labels,)`` of a text of sentences of ``logits`` ``(sentences, labels)``."""
        if len(logits) == 1:
            only: Logits = logits[0]
            return only
        mean = self.weigh(logits) @ self._read(logits)
        logarithms = np.log(np.maximum(mean, _LEAST_PROBABILITY))
        scale = self._manifest.temperature * self._sharpness
        merged: Logits = (scale * logarithms).astype(np.float32)
        return merged

    def _read(self, logits: Logits) -> NDArray[np.float64]:
        return read_probabilities(logits, self._manifest)
