"""Which tokens of a text are read when it has more than a model reads at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

Truncation = Literal["error", "head", "tail", "head_tail", "window"]
TRUNCATIONS: tuple[Truncation, ...] = get_args(Truncation)


def select_ranges(tokens: int, limit: int, truncation: Truncation) -> tuple[range, ...]:
    """The places, among ``tokens``, of those that are read, where at most ``limit`` are at once.

    * ``head``, ``tail``: the first, or the last, ``limit`` tokens;
    * ``head_tail``: the first half of ``limit`` and the last, as two parts of one document;
    * ``window``: all of them, each part a document of ``limit`` tokens. A window overlaps the one
      before by a quarter, so that every token but the first and last few is read with at least an
      eighth of ``limit`` on either side; the last one ends where the text does. On news articles
      a half or three quarters of overlap made no better answers, and up to twice the work.

    A text of ``limit`` tokens or fewer is one part, whole, whatever ``truncation`` says. A longer
    one is nothing (no parts) under ``error``: the caller tells.
    """
    if tokens <= limit:
        return (range(tokens),)
    match truncation:
        case "error":
            return ()
        case "head":
            return (range(limit),)
        case "tail":
            return (range(tokens - limit, tokens),)
        case "head_tail":
            last = limit // 2
            return (range(limit - last), range(tokens - last, tokens))
        case "window":
            stride = limit - limit // 4
            starts = (*range(0, tokens - limit, stride), tokens - limit)
            return tuple(range(start, start + limit) for start in starts)


def count_new_tokens(windows: tuple[range, ...]) -> tuple[int, ...]:
    """How many tokens of each window no window before it holds; what its answer weighs.

    They sum to the number of tokens, so that each token counts once, where it is first read.
    """
    return len(windows[0]), *(after.stop - before.stop for before, after in pairwise(windows))
