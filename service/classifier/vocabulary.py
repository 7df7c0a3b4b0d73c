"""The words of a classifier and their ids."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import tokenizer
from valence.service.classifier.emoji import emoji_spellings
from valence.service.classifier.manifest import EmojiWords, Misspelled
from valence.service.classifier.spelling import SpellingIndex
from valence.service.classifier.tokenizer import Rules
from valence.service.errors import ArtifactError
from valence.service.inference.engines.kernel.extension import find_class
from valence.service.pacing import background

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

# signs that may follow a plain word; each is a token of its own there
_SIGNS = ".,!?;"

WordIds = NDArray[np.int32]


class Encoded(NamedTuple):
    """A text as word ids ``(tokens,)``, and a mask of the known words.

    An unknown word has the id of ``<unk>``, or that of the known word that it is a misspelling of.
    ``tokens`` is the number of tokens of the whole text, which may be more than the ids.
    """

    ids: WordIds
    known: NDArray[np.bool_]
    tokens: int


class EncodedHead(NamedTuple):
    """The word ids ``(tokens_used,)`` of the beginning of a text.

    ``unknown_tokens`` of them are outside the vocabulary; ``tokens`` is as in :class:`Encoded`.
    """

    ids: WordIds
    unknown_tokens: int
    tokens: int


class Vocabulary:
    """The words of a classifier. The id of a word is its line in ``vocabulary.txt``.

    Id 0 is ``<unk>``. A word for padding does not exist: batches are ragged, or masked by length.
    If ``misspelled`` is ``nearest``, the words must be in the order of their frequency. A number in
    the vocabulary has its own id, other numbers are ``<number>``. If ``emoji`` is ``named``, an
    emoji has the id of the emoji without skin tone, and an emoticon that of its emoji. ``rules``
    are those of the tokenizer that cuts the texts.
    """

    def __init__(
        self,
        words: Iterable[str],
        *,
        misspelled: Misspelled = "unknown",
        emoji: EmojiWords = "written",
        rules: Rules = tokenizer.SCRIPTS,
    ) -> None:
        self.words = tuple(words)
        if not self.words or self.words[UNKNOWN_ID] != UNKNOWN:
            raise ArtifactError(f"the first word of a vocabulary must be {UNKNOWN!r}")
        self._ids: dict[str, int] = {}
        numbered = enumerate(self.words)
        for words_of_piece in background.cut(self.words, background.PIECE_WORDS):
            _require_lines(words_of_piece)
            self._ids.update((word, index) for index, word in islice(numbered, len(words_of_piece)))
        if len(self._ids) != len(self.words):
            ordered = sorted(self.words)
            repeated = next(a for a, b in pairwise(ordered) if a == b)
            raise ArtifactError(f"the vocabulary has {repeated!r} twice")
        self.misspelled: Misspelled = misspelled
        self.emoji: EmojiWords = emoji
        self.rules: Rules = rules
        self._pieces = _Pieces(
            self.words,
            self._ids,
            SpellingIndex(self.words) if misspelled == "nearest" else None,
            named_emoji=emoji == "named",
            rules=rules,
        )
        self._native = self._make_native()

    def _make_native(self) -> Any:
        """What reads plain words in native code; None where the kernel was not built."""
        encoder = find_class("Encoder")
        if encoder is None:
            return None
        find = self._pieces.find
        native: Any = encoder(
            self._pieces,
            self._pieces.by_hash,
            len(self.words),
            {sign: find(sign) for sign in _SIGNS},
            number=find(tokenizer.NUMBER),
            user=find(tokenizer.USER),
        )
        first = 0
        for words_of_piece in background.cut(self.words, background.PIECE_WORDS):
            native.add(words_of_piece, first)
            first += len(words_of_piece)
        return native

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def without_corrections(self) -> Vocabulary:
        """The same words, read without correction of misspelled words."""
        return Vocabulary(self.words, emoji=self.emoji, rules=self.rules)

    def forget_pieces(self) -> None:
        """Empty the caches, a few entries at a time."""
        for cache in (self._pieces, self._pieces.by_hash):
            while cache:
                for _ in range(min(len(cache), background.PIECE_WORDS)):
                    cache.popitem()
                background.pause()

    def id(self, surface: str) -> int:
        """The id for a token as written; 0 for ``<unk>``."""
        return abs(self._pieces.find(surface))

    def knows(self, surface: str) -> bool:
        """Whether the vocabulary has a token as written, or one of its alternative spellings."""
        return self._pieces.find(surface) > UNKNOWN_ID

    def encode(self, text: str, *, max_tokens: int | None = None) -> Encoded:
        """The ids of the first ``max_tokens`` tokens of ``text``, or of all tokens."""
        ids, tokens = self._find_ids(text, max_tokens)
        signed = np.array(ids, dtype=np.int32)
        return Encoded(np.abs(signed), signed > UNKNOWN_ID, tokens)

    def encode_head(self, text: str, max_tokens: int) -> EncodedHead:
        """As :meth:`encode`, with the number of unknown tokens instead of a mask.

        The vocabulary knows all tokens of most texts, and they need no array but the ids.
        """
        if self._native is not None:
            # the kernel reads plain words and numbers, and looks other pieces up in the cache
            encoded = self._native.encode(text, max_tokens)
            if encoded is not None:
                return EncodedHead(*encoded)
        ids, tokens = self._find_ids(text, max_tokens)
        unknown = 0
        if ids and min(ids) <= UNKNOWN_ID:
            unknown = sum([index <= UNKNOWN_ID for index in ids])
            ids = [abs(index) for index in ids]
        return EncodedHead(np.array(ids, dtype=np.int32), unknown, tokens)

    def _find_ids(self, text: str, max_tokens: int | None) -> tuple[list[int], int]:
        """The ids, negative for corrected words, and the number of tokens of the whole text."""
        # tokens do not have white space, so the pieces between white space are tokenized one by one
        pieces = text.split()
        uncut: list[str] = []
        if max_tokens is not None and len(pieces) > max_tokens:
            # each piece has at least one token, so tokens of later pieces are only counted
            pieces, uncut = pieces[:max_tokens], pieces[max_tokens:]
        ids = list(chain.from_iterable(map(self._pieces.__getitem__, pieces)))
        tokens = len(ids) + (sum(map(self._pieces.count, uncut)) if uncut else 0)
        return ids[:max_tokens], tokens

    def encode_in_steps(
        self, text: str, *, max_tokens: int | None = None
    ) -> Generator[None, None, Encoded]:
        """As :meth:`encode`, in steps of a few look-ups each, so that the caller can pause.

        A look-up of an unknown word takes a hundred times as long as that of a known piece, so a
        long text may take a second.
        """
        pieces = self._pieces
        ids = array("i")
        tokens = 0
        for piece in text.split():
            if len(piece) <= pieces.MAX_CHARACTERS:
                if max_tokens is not None and len(ids) >= max_tokens:
                    tokens += pieces.count(piece)
                else:
                    found = pieces[piece]
                    ids.extend(found)
                    tokens += len(found)
                yield
                continue
            for surface in tokenizer.iter_surfaces(piece, self.rules):
                if max_tokens is None or len(ids) < max_tokens:
                    ids.append(pieces.find(surface))
                tokens += 1
                yield
        signed = np.array(ids[:max_tokens], dtype=np.int32)
        return Encoded(np.abs(signed), signed > UNKNOWN_ID, tokens)


def _require_lines(words: Sequence[str]) -> None:
    """Raise :class:`ArtifactError` unless a line of UTF-8 can hold each of ``words``."""
    for word in words:
        if not word or "\n" in word or "\r" in word:
            raise ArtifactError(f"a vocabulary word must be one non-empty line, not {word!r}")
    try:
        "".join(words).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArtifactError(
            f"a vocabulary word has {error.object[error.start]!r}, half of a character"
        ) from None


class _Pieces(dict[str, tuple[int, ...]]):
    """Cache from a piece of text between white space to the ids of its tokens.

    The id of a misspelled word is that of the known word, negated.

    The cache saves tokenization and normalization: pieces repeat, and a look-up takes a twentieth
    of the time. The size is bounded, so that requests cannot grow the process. A piece with unknown
    words may be a name or a password, so the cache has its hash instead: 64 bits, with a new key in
    each process.
    """

    MAX_CHARACTERS = 32

    def __init__(
        self,
        words: Sequence[str],
        ids: dict[str, int],
        spelling: SpellingIndex | None,
        *,
        named_emoji: bool,
        rules: Rules,
    ) -> None:
        super().__init__()
        self._ids = ids
        self._spelling = spelling
        self._named_emoji = named_emoji
        self._rules: Rules = rules
        self._limit = 4 * len(ids)
        self.by_hash: dict[tuple[int, int], tuple[int, ...]] = {}
        kinds = (tokenizer.URL, tokenizer.USER, tokenizer.NUMBER)
        # several known numbers may form a private one, such as a telephone number
        numbers = {
            ids[word]
            for piece in background.cut(words, background.PIECE_WORDS)
            for word in piece
            if word[0].isdigit()
        }
        self._private = numbers | {ids[kind] for kind in kinds if kind in ids}

    def find(self, surface: str) -> int:
        """The id of one token; negative for a corrected word."""
        word = tokenizer.normalize(surface, self._ids)
        index = self._ids.get(word)
        if index is not None:
            return index
        spellings = tokenizer.alternative_spellings(word)
        if self._named_emoji:
            spellings += emoji_spellings(word)
        for spelling in spellings:
            index = self._ids.get(spelling)
            if index is not None:
                return index
        corrected = None if self._spelling is None else self._spelling.find(word)
        return UNKNOWN_ID if corrected is None else -corrected

    def count(self, piece: str) -> int:
        """The number of tokens in ``piece``."""
        ids = self.get(piece)
        return len(tokenizer.find_surfaces(piece, self._rules) if ids is None else ids)

    def __missing__(self, piece: str) -> tuple[int, ...]:
        # Python hashes the bytes of a string, and strings of different width may have the same
        # bytes
        key = hash(piece), len(piece)
        ids = self.by_hash.get(key)
        if ids is not None:
            return ids
        ids = tuple(map(self.find, tokenizer.find_surfaces(piece, self._rules)))
        if len(piece) > self.MAX_CHARACTERS or not self._private.isdisjoint(ids):
            return ids
        # known letters may form a name, as known numbers may; and a phrase hardly repeats
        if len(ids) > 1 and self._rules != tokenizer.ENGLISH and tokenizer.has_unspaced(piece):
            return ids
        if min(ids) > UNKNOWN_ID:
            if len(self) < self._limit:
                self[piece] = ids
        elif len(self.by_hash) < len(self._ids):
            self.by_hash[key] = ids
        return ids
