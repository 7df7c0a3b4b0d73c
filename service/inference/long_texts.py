"""Split long texts into windows or sentences for the engine, and merge the predictions back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Classifier, Prediction, Usage, WindowedText
from valence.service.classifier.sentences import Span, iter_sentences, split_sentences
from valence.service.classifier.tokenizer import Rules
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import Encoded, WordIds
from valence.service.errors import TextTooLong
from valence.service.inference.request_cost import RequestCost
from valence.service.inference.scored import ScoreRequest, Sentence
from valence.service.inference.turns import Turns

# The event loop turns after so many characters. Finding sentences makes a character several times
# as expensive as tokenizing alone, so these are fewer than for plain texts.
_TURN_CHARACTERS = 1_000
# A longer text is encoded in many turns. Strange words, the slowest, of one turn take some
# milliseconds.
ONE_TURN_CHARACTERS = 2_000
# Windows of so many texts or sentences are merged in one turn, in one or two milliseconds.
_TURN_READINGS = 64


class SplitText(NamedTuple):
    """A text as it is scored: the whole text, and its sentences if they are asked for.

    ``known`` marks the tokens of the whole text that the vocabulary has.
    """

    text: str
    whole: WindowedText
    spans: Sequence[Span]
    sentences: Sequence[WindowedText]
    known: NDArray[np.bool_]

    @property
    def usage(self) -> Usage:
        """What is read of the whole text."""
        return self.whole.usage


async def split_texts(
    classifier: Classifier, request: ScoreRequest, cost: RequestCost, turns: Turns
) -> list[SplitText | TextTooLong]:
    """Split each text, or return the fault of a text that the truncation refuses.

    Other requests get turns of the event loop while many characters are split. Windows, sentences
    and tokens to explain are added to ``cost`` as they are found.
    """
    split: list[SplitText | TextTooLong] = []
    characters = 0
    rules, truncation = classifier.artifact.vocabulary.rules, request.truncation
    # a sentence of a text that is short enough is short enough too
    of_sentences: Truncation = "head" if truncation == "error" else truncation
    for text in request.texts:
        characters += len(text)
        if characters > _TURN_CHARACTERS:
            characters = 0
            await turns.give()
        encoded = await encode(classifier, text, turns)
        try:
            whole = classifier.select_windows(text, encoded, truncation)
        except TextTooLong as fault:
            # without the frames, which lead to this list
            split.append(fault.with_traceback(None))
            continue
        cost.add_windows(whole.usage.windows - 1)
        if request.explain:
            cost.add_explained(whole.usage.tokens)
        spans = await _find_spans(text, rules, cost, turns) if request.sentences else ()
        readings = []
        for start, end in spans:
            sentence = text[start:end]
            reading = classifier.select_windows(
                sentence, await encode(classifier, sentence, turns), of_sentences
            )
            cost.add_windows(reading.usage.windows - 1)
            readings.append(reading)
            characters += end - start
            if characters > _TURN_CHARACTERS:
                characters = 0
                await turns.give()
        split.append(SplitText(text, whole, spans, readings, encoded.known))
    return split


async def encode(
    classifier: Classifier, text: str, turns: Turns, *, max_tokens: int | None = None
) -> Encoded:
    """The word ids of ``text``; those of a long text are found in many turns."""
    vocabulary = classifier.artifact.vocabulary
    if len(text) <= ONE_TURN_CHARACTERS:
        return vocabulary.encode(text, max_tokens=max_tokens)
    return await turns.run(vocabulary.encode_in_steps(text, max_tokens=max_tokens))


async def _find_spans(text: str, rules: Rules, cost: RequestCost, turns: Turns) -> list[Span]:
    """The sentences of ``text``; those of a long text are found in many turns."""
    if len(text) <= _TURN_CHARACTERS:
        spans = split_sentences(text, rules)
        cost.add_windows(len(spans))
        cost.add_results(len(spans))
        return spans
    return await turns.run(_collect_spans(text, rules, cost))


def _collect_spans(text: str, rules: Rules, cost: RequestCost) -> Generator[None, None, list[Span]]:
    spans = []
    for span in iter_sentences(text, rules):
        if span is not None:
            cost.add_windows(1)
            cost.add_results(1)
            spans.append(span)
        yield
    return spans


def windows(texts: Sequence[SplitText]) -> list[WordIds]:
    """All windows of ``texts`` and their sentences, in the order in which the engine gets them."""
    return [ids for text in texts for reading in _readings(text) for ids in reading.windows]


async def merge(
    classifier: Classifier,
    texts: Sequence[SplitText],
    predictions: Sequence[Prediction],
    turns: Turns,
) -> tuple[list[Prediction], list[tuple[Sentence, ...]]]:
    """Merge the predictions for :func:`windows` into one for each text and each sentence."""
    rest = iter(predictions)
    wholes, sentences = [], []
    merged = 0
    for text in texts:
        of_text: list[Prediction] = []
        readings = _readings(text)
        for start in range(0, len(readings), _TURN_READINGS):
            some = readings[start : start + _TURN_READINGS]
            count = sum(len(reading.windows) for reading in some)
            of_text += classifier.merge_windows(some, list(islice(rest, count)))
            merged += len(some)
            if merged >= _TURN_READINGS:
                merged = 0
                await turns.give()
        wholes.append(of_text[0])
        sentences.append(
            tuple(
                Sentence(*span, prediction, reading.usage)
                for span, reading, prediction in zip(
                    text.spans, text.sentences, of_text[1:], strict=True
                )
            )
        )
    return wholes, sentences


def _readings(text: SplitText) -> tuple[WindowedText, ...]:
    return text.whole, *text.sentences
