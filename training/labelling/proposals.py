"""Texts with proposed labels: some for a person to confirm, and the rest to learn from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.training.config.columns import Columns
from valence.training.config.schema import MINILM
from valence.training.corpora import catalog
from valence.training.corpora.normal_form import normal_form
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.sentence_encoder import encode_texts
from valence.training.labelling.label_names import NamedLabel
from valence.training.labelling.prototypes import Vectors, find_shares, normalize
from valence.training.runtime.run import Run

# More texts teach a student hardly more, and an encoder needs minutes for them.
_MOST_TEXTS = 20_000
_MOST_LEARNT = 5_000
# The least certain texts are the most often wrong.
_LEARNT = 0.8


@dataclass(frozen=True, slots=True)
class Proposals:
    """The ``texts``, and the ``shares`` ``(N, K)`` of the ``labels`` in each."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    shares: Vectors

    def draw(self, count: int) -> NDArray[np.int64]:
        """The rows of so many texts to confirm: a random sample, each label with its share of it.

        The confirmed texts judge the model, so near and far texts of a label are drawn alike, and
        no label has more of the sample than of the texts.
        """
        proposed = self.shares.argmax(axis=1)
        random = np.random.default_rng(0)
        order = random.permutation(len(self.texts))
        places = np.empty(len(order))
        for label in np.unique(proposed):
            own = order[proposed[order] == label]
            # a label's texts lie evenly over the whole sample, from a place that no label prefers
            places[own] = (np.arange(len(own)) + random.random()) * len(order) / len(own)
        return order[np.argsort(places[order], kind="stable")][:count]

    def choose_certain(self, excluded: Sequence[str]) -> NDArray[np.int64]:
        """The rows to learn from: of each label the most certain texts, no ``excluded`` one."""
        left_out = set(map(normal_form, excluded))
        proposed, certain = self.shares.argmax(axis=1), self.shares.max(axis=1)
        most = max(20, _MOST_LEARNT // len(self.labels))
        chosen: list[int] = []
        for label in range(len(self.labels)):
            own = np.flatnonzero(proposed == label)
            own = own[np.argsort(-certain[own], kind="stable")]
            chosen += own[: min(most, int(np.ceil(_LEARNT * len(own))))].tolist()
        return np.array(
            [row for row in chosen if normal_form(self.texts[row]) not in left_out], dtype=np.int64
        )

    def write(self, path: Path, rows: NDArray[np.int64]) -> None:
        """Write the texts of ``rows`` with their likeliest labels as CSV."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["text", "label"])
        proposed = self.shares.argmax(axis=1)
        writer.writerows([self.texts[row], self.labels[proposed[row]]] for row in rows.tolist())
        write_file(path, buffer.getvalue())


def propose_labels(
    patterns: Sequence[str], columns: Columns, labels: Sequence[NamedLabel], run: Run
) -> Proposals:
    """The texts of ``patterns``, 20,000 at most, with the shares of ``labels`` in each.

    Raises :class:`ConfigurationError` for fewer texts than labels, and :class:`FetchError` if the
    encoder cannot be fetched.
    """
    loaded = catalog.load_corpora(
        (),
        cache=run.workspace.corpora,
        patterns=patterns,
        columns=columns,
        progress=run.reporter.say,
    )
    texts = tuple(example.text for example in loaded.examples)
    if len(texts) < len(labels):
        raise ConfigurationError(
            f"{', '.join(patterns)}: {len(texts):,} texts are fewer than the {len(labels)} labels; "
            "give more texts"
        )
    if len(texts) > _MOST_TEXTS:
        rows = np.random.default_rng(0).permutation(len(texts))[:_MOST_TEXTS]
        texts = tuple(texts[row] for row in np.sort(rows).tolist())
        run.reporter.say(f"{len(texts):,} texts, drawn at random, are enough")
    vectors = encode_texts(
        Encoder(MINILM),
        [*(label.description for label in labels), *texts],
        cache=run.workspace.corpora,
        progress=run.reporter.say,
    )
    units = normalize(vectors)
    shares = find_shares(units[len(labels) :], units[: len(labels)])
    return Proposals(texts, tuple(label.name for label in labels), shares)
