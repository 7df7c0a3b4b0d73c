"""The choice of tokens in a text with more tokens than a model reads at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

Truncation = Literal["error", "head", "tail", "head_tail", "window"]
TRUNCATIONS: tuple[Truncation, ...] = get_args(Truncation)


def select_ranges(tokens: int, limit: int, truncation: Truncation) -> tuple[range, ...]:
    """Ranges of token indices to read, of a text of ``tokens`` tokens; ``limit`` is the maximum.

    * ``head``, ``tail``: the first, or the last, ``limit`` tokens;
    * ``head_tail``: half of ``limit`` from each end, as two ranges of one document;
    * ``window``: all tokens, each range a document of ``limit`` tokens. A window overlaps the
      window before it by a quarter. So the model reads every token, except the first and last few,
      with at least an eighth of ``limit`` on either side. The last window ends at the end of the
      text. On news articles an overlap of a half or of three quarters did not give better answers,
      and took up to twice the work.

    A text of ``limit`` tokens or fewer is one range for every ``truncation``. For a longer text
    ``error`` returns no ranges, and the caller raises the error.
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
            tail = limit // 2
            return (range(limit - tail), range(tokens - tail, tokens))
        case "window":
            stride = limit - limit // 4
            starts = (*range(0, tokens - limit, stride), tokens - limit)
            return tuple(range(start, start + limit) for start in starts)


def count_new_tokens(windows: tuple[range, ...]) -> tuple[int, ...]:
    """The number of tokens of each window that are in no earlier window: the window's weight.

    The weights sum to the number of tokens: each token counts once, in the first window with it.
    """
    return len(windows[0]), *(after.stop - before.stop for before, after in pairwise(windows))
