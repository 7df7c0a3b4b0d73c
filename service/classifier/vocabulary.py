"""Words and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import tokenizer
from valence.service.classifier.manifest import Misspelled
from valence.service.classifier.spelling import SpellingIndex
from valence.service.errors import ArtifactError

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

WordIds = NDArray[np.int32]


class Encoded(NamedTuple):
    """A text as word ids ``(tokens,)``, and which of them are of known words.

    A word that is not known is read as ``<unk>``, or as another that it is a misspelling of.
    ``tokens`` counts those of the whole text, which may be more than were read.
    """

    ids: WordIds
    known: NDArray[np.bool_]
    tokens: int


class Vocabulary:
    """The words a classifier knows; a word's id is its line in ``vocabulary.txt``.

    Id 0 is ``<unk>``. There is no padding word: batches are ragged, or masked by length. Words are
    in the order of their frequency, as far as ``misspelled`` ones are read as the likeliest. A
    number that is a word is read as itself, any other as ``<number>``.
    """

    def __init__(self, words: Iterable[str], *, misspelled: Misspelled = "unknown") -> None:
        self.words = tuple(words)
        if not self.words or self.words[UNKNOWN_ID] != UNKNOWN:
            raise ArtifactError(f"the first word of a vocabulary must be {UNKNOWN!r}")
        for word in self.words:
            if not word or "\n" in word or "\r" in word:
                raise ArtifactError(f"a vocabulary word must be one non-empty line, not {word!r}")
        try:
            "".join(self.words).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ArtifactError(
                f"a vocabulary word holds {error.object[error.start]!r}, half of a character"
            ) from None
        self._ids = {word: index for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            ordered = sorted(self.words)
            repeated = next(a for a, b in pairwise(ordered) if a == b)
            raise ArtifactError(f"the vocabulary holds {repeated!r} twice")
        self.misspelled: Misspelled = misspelled
        self._pieces = _Pieces(
            self._ids, SpellingIndex(self.words) if misspelled == "nearest" else None
        )

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, surface: str) -> int:
        """The id that a token as written is read as; 0 for ``<unk>``."""
        return abs(self._pieces.find(surface))

    def knows(self, surface: str) -> bool:
        """Whether a token as written, or an alternative spelling, is a word of the vocabulary."""
        return self._pieces.find(surface) > UNKNOWN_ID

    def encode(self, text: str, *, max_tokens: int | None = None) -> Encoded:
        """The first ``max_tokens`` tokens of ``text``, or all of them."""
        # no token holds white space, so the text's pieces between it are tokenized one by one
        pieces = text.split()
        left: list[str] = []
        if max_tokens is not None and len(pieces) > max_tokens:
            # a piece is a token or more: these are not read, only counted
            pieces, left = pieces[:max_tokens], pieces[max_tokens:]
        found = list(chain.from_iterable(map(self._pieces.__getitem__, pieces)))
        signed = np.array(found[:max_tokens], dtype=np.int32)
        tokens = len(found) + (sum(map(self._pieces.count, left)) if left else 0)
        return Encoded(np.abs(signed), signed > UNKNOWN_ID, tokens)


class _Pieces(dict[str, tuple[int, ...]]):
    """What stands between white space -> ids of its tokens, filled as pieces are met.

    Of a word that is not known, but read as another, it is that one's id, negative.

    Cutting and normalizing are paid once a spelling: what people type repeats, and a look-up takes
    a twentieth of the time. Bounded, so that what strangers type cannot grow the process. What is
    not made of known words may be a name or a password: its hash is kept, not the piece, of 64 bits
    and keyed anew in each process.
    """

    _LONGEST = 32

    def __init__(self, ids: dict[str, int], misspellings: SpellingIndex | None) -> None:
        super().__init__()
        self._ids = ids
        self._misspellings = misspellings
        self._limit = 4 * len(ids)
        self._by_hash: dict[tuple[int, int], tuple[int, ...]] = {}
        kinds = (tokenizer.URL, tokenizer.USER, tokenizer.NUMBER)
        # a few numbers that are words may make one that is not, and is somebody's
        numbers = {number for word, number in ids.items() if word[0].isdigit()}
        self._not_kept = numbers | {ids[kind] for kind in kinds if kind in ids}

    def find(self, surface: str) -> int:
        """The id of one token."""
        word = tokenizer.normalize(surface, self._ids)
        found = self._ids.get(word)
        if found is not None:
            return found
        for other in tokenizer.alternative_spellings(word):
            found = self._ids.get(other)
            if found is not None:
                return found
        meant = None if self._misspellings is None else self._misspellings.find(word)
        return UNKNOWN_ID if meant is None else -meant

    def count(self, piece: str) -> int:
        """How many tokens ``piece`` is cut into."""
        found = self.get(piece)
        return len(tokenizer.find_surfaces(piece) if found is None else found)

    def __missing__(self, piece: str) -> tuple[int, ...]:
        # Python hashes bytes, which those of a shorter text in wider characters may be
        key = hash(piece), len(piece)
        again = self._by_hash.get(key)
        if again is not None:
            return again
        found = tuple(map(self.find, tokenizer.find_surfaces(piece)))
        if len(piece) > self._LONGEST or not self._not_kept.isdisjoint(found):
            return found
        if min(found) > UNKNOWN_ID:
            if len(self) < self._limit:
                self[piece] = found
        elif len(self._by_hash) < len(self._ids):
            self._by_hash[key] = found
        return found
