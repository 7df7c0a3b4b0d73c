"""Texts that belong to none of the labels, and the texts of the labels that they are told from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.sentences import iter_sentences
from valence.training.config.columns import Columns
from valence.training.config.schema import Configuration, OutsideKind
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.data.split import Splits
from valence.training.runtime.run import Run

_FOLDER = Path(__file__).parent / "kinds"
# More texts of a source, or of the labels, make the row no better and its fit slower.
MAX_TEXTS = 2_000


@dataclass(frozen=True, slots=True)
class OutsideTexts:
    """Texts that belong to none of the labels, with the kind of each: its file or its corpus."""

    texts: tuple[str, ...]
    kinds: tuple[str, ...]


def list_texts(kind: OutsideKind) -> tuple[str, ...]:
    """The texts that Valence has of ``kind``, each a line of a file."""
    return tuple((_FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines())


def load_outside_texts(configuration: Configuration, splits: Splits, run: Run) -> OutsideTexts:
    """The texts outside the labels of ``configuration``, without copies of labelled texts.

    Of a corpus or a file with more than :data:`MAX_TEXTS` texts, those with the smallest hashes.
    """
    settings = configuration.outside
    labelled = {example.normal_form for example in (*splits.train, *splits.dev, *splits.test)}
    sources: dict[str, list[str]] = {}
    for kind in configuration.outside_kinds:
        sources[kind] = list(list_texts(kind))
    if settings.corpora or settings.files:
        loaded = catalog.load_corpora(
            settings.corpora,
            cache=run.workspace.corpora,
            patterns=settings.files,
            columns=Columns(settings.text, "", settings.encoding) if settings.files else None,
            progress=run.reporter.say,
        )
        for example in loaded.examples:
            sources.setdefault(example.corpus, []).append(example.text)
    found = {
        kind: select_texts(
            text for text in texts if Example(text, "", corpus="").normal_form not in labelled
        )
        for kind, texts in sources.items()
    }
    pairs = [(text, kind) for kind, texts in found.items() for text in texts]
    return OutsideTexts(tuple(text for text, _ in pairs), tuple(kind for _, kind in pairs))


def select_texts(texts: Iterable[str], *, most: int = MAX_TEXTS) -> list[str]:
    """At most so many of ``texts``, those with the smallest hashes; the same for the same texts."""
    chosen = list(texts)
    return chosen if len(chosen) <= most else sorted(chosen, key=hash_text)[:most]


def hash_text(text: str) -> int:
    """64 bits that depend on the text alone."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def cut_openings(texts: Sequence[str]) -> list[str]:
    """The first sentence of each text that has another one.

    A model of long texts is asked about short ones too, and a short text is not outside its labels
    because it is short.
    """
    openings = []
    for text in texts:
        spans = (span for span in iter_sentences(text) if span is not None)
        first = next(spans, None)
        if first is not None and next(spans, None) is not None:
            openings.append(text[first.start : first.end])
    return openings
