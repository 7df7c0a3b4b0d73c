"""Split long texts into windows or sentences for the engine, and merge the predictions back."""

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

# The event loop turns after so many characters. Finding sentences makes a character several times
# as expensive as tokenizing alone, so these are fewer than for plain texts.
_TURN_CHARACTERS = 1_000
# One step of the sentence finder is a token; so many steps take as long.
_TURN_STEPS = 256


class Sentence(NamedTuple):
    """A sentence of a text, ``text[start:end]``, scored as if it were the whole text."""

    start: int
    end: int
    prediction: Prediction
    usage: Usage


class SplitText(NamedTuple):
    """A text as it is scored: the whole text, and its sentences if they are asked for."""

    text: str
    whole: WindowedText
    spans: Sequence[Span]
    sentences: Sequence[WindowedText]

    @property
    def usage(self) -> Usage:
        """What is read of the whole text."""
        return self.whole.usage


async def split_texts(
    classifier: Classifier, texts: Sequence[str], truncation: Truncation, *, sentences: bool
) -> list[SplitText | TextTooLong]:
    """Split each text, or return the fault of a text that ``truncation`` refuses.

    Other requests get turns of the event loop while many characters are split.
    """
    split: list[SplitText | TextTooLong] = []
    characters = 0
    # a sentence of a text that is short enough is short enough too
    of_sentences: Truncation = "head" if truncation == "error" else truncation
    for text in texts:
        try:
            whole = classifier.encode_windows(text, truncation)
        except TextTooLong as fault:
            split.append(fault)
            continue
        spans = await _find_spans(text) if sentences else ()
        readings = []
        for start, end in spans:
            readings.append(classifier.encode_windows(text[start:end], of_sentences))
            characters += end - start
            if characters > _TURN_CHARACTERS:
                characters = 0
                await asyncio.sleep(0)
        split.append(SplitText(text, whole, spans, readings))
        characters += len(text)
        if characters > _TURN_CHARACTERS:
            characters = 0
            await asyncio.sleep(0)
    return split


async def _find_spans(text: str) -> list[Span]:
    """The sentences of ``text``; those of a long text are found in many turns of the event loop."""
    if len(text) <= _TURN_CHARACTERS:
        return split_sentences(text)
    spans = []
    for count, span in enumerate(iter_sentences(text)):
        if span is not None:
            spans.append(span)
        if not count % _TURN_STEPS:
            await asyncio.sleep(0)
    return spans


def windows(texts: Sequence[SplitText]) -> list[WordIds]:
    """All windows of ``texts`` and their sentences, in the order in which the engine gets them."""
    return [ids for text in texts for reading in _readings(text) for ids in reading.windows]


def merge(
    classifier: Classifier, texts: Sequence[SplitText], predictions: Sequence[Prediction]
) -> tuple[list[Prediction], list[tuple[Sentence, ...]]]:
    """Merge the predictions for :func:`windows` into one for each text and each sentence."""
    readings = [reading for text in texts for reading in _readings(text)]
    combined = iter(classifier.merge_windows(readings, predictions))
    wholes, sentences = [], []
    for text in texts:
        wholes.append(next(combined))
        sentences.append(
            tuple(
                Sentence(*span, prediction, reading.usage)
                for span, reading, prediction in zip(
                    text.spans, text.sentences, islice(combined, len(text.spans)), strict=True
                )
            )
        )
    return wholes, sentences


def _readings(text: SplitText) -> tuple[WindowedText, ...]:
    return text.whole, *text.sentences
