"""What an engine is given for texts of which more is asked than their first tokens, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from valence.service.classifier.classifier import Classifier, Prediction, Usage, WindowedText
from valence.service.classifier.sentences import Span, iter_sentences, split_sentences
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import TextTooLong

# As for texts read plainly, but with sentences to find a character takes several times as long.
_TURN_CHARACTERS = 1_000
# of finding sentences, one a token: as long
_TURN_STEPS = 256


class Sentence(NamedTuple):
    """A sentence of a text, ``text[start:end]``, scored as if it were the whole text."""

    start: int
    end: int
    prediction: Prediction
    usage: Usage


class Parts(NamedTuple):
    """A text as it is scored: whole, and sentence by sentence if that was asked."""

    whole: WindowedText
    spans: Sequence[Span]
    sentences: Sequence[WindowedText]

    @property
    def usage(self) -> Usage:
        """What was read of the whole text."""
        return self.whole.usage


async def read(
    classifier: Classifier, texts: Sequence[str], truncation: Truncation, *, sentences: bool
) -> list[Parts]:
    """The parts of each text; large requests let others have a turn.

    Raises :class:`TextTooLong` for all the texts that ``truncation`` refuses.
    """
    read_texts = []
    faults = []
    characters = 0
    # a sentence of a text that is not too long is not either
    within: Truncation = "head" if truncation == "error" else truncation
    for place, text in enumerate(texts):
        try:
            whole = classifier.encode_windows(text, truncation)
        except TextTooLong as error:
            faults.append((place, str(error)))
            continue
        spans = await _split(text) if sentences else ()
        readings = []
        for start, end in spans:
            readings.append(classifier.encode_windows(text[start:end], within))
            characters += end - start
            if characters > _TURN_CHARACTERS:
                characters = 0
                await asyncio.sleep(0)
        read_texts.append(Parts(whole, spans, readings))
        characters += len(text)
        if characters > _TURN_CHARACTERS:
            characters = 0
            await asyncio.sleep(0)
    if faults:
        raise TextTooLong(tuple(faults))
    return read_texts


async def _split(text: str) -> list[Span]:
    """The sentences of ``text``; to find those of a long one, many turns are taken."""
    if len(text) <= _TURN_CHARACTERS:
        return split_sentences(text)
    spans = []
    for count, span in enumerate(iter_sentences(text)):
        if span is not None:
            spans.append(span)
        if not count % _TURN_STEPS:
            await asyncio.sleep(0)
    return spans


def windows(texts: Sequence[Parts]) -> list[WordIds]:
    """All windows of the parts of ``texts``, as an engine is given them."""
    return [ids for text in texts for part in _readings(text) for ids in part.windows]


def gather(
    classifier: Classifier, texts: Sequence[Parts], predictions: Sequence[Prediction]
) -> tuple[list[Prediction], list[list[Sentence]]]:
    """From a prediction for each of :func:`windows` to one for each text and its sentences."""
    readings = [reading for text in texts for reading in _readings(text)]
    left = iter(classifier.merge_windows(readings, predictions))
    wholes, sentences = [], []
    for text in texts:
        wholes.append(next(left))
        sentences.append(
            [
                Sentence(*span, prediction, reading.usage)
                for span, reading, prediction in zip(
                    text.spans, text.sentences, islice(left, len(text.spans)), strict=True
                )
            ]
        )
    return wholes, sentences


def _readings(text: Parts) -> tuple[WindowedText, ...]:
    return text.whole, *text.sentences
