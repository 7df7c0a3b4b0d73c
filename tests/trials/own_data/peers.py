"""The simpler models that people pick for few labels, fitted to the same texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from valence.service.classifier import tokenizer
from valence.training.config.schema import MINILM
from valence.training.corpora.example import Example
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.sentence_encoder import encode_words, reduce_dimensions
from valence.training.metrics.predictions import Floats

# of static vectors, as Model2Vec has by default
_SIZE = 256


@dataclass(frozen=True)
class Answers:
    """Probabilities ``(N, K)``, processor seconds of the training, and texts per such second."""

    probabilities: Floats
    seconds: float
    speed: float


def answer(
    name: str, train: Sequence[Example], texts: Sequence[str], labels: Sequence[str], cache: Path
) -> Answers:
    """What the peer ``name``, fitted to ``train``, answers to ``texts``."""
    started = time.process_time()
    read = PEERS[name](train, texts, cache)
    model = LogisticRegression(C=10.0, max_iter=1_000)
    truth = np.array([labels.index(example.label) for example in train])
    pipeline = make_pipeline(read, model).fit([example.text for example in train], truth)
    seconds = time.process_time() - started
    begun = time.process_time()
    found = pipeline.predict_proba(list(texts))
    spent = time.process_time() - begun
    # the model has no column for a label that train lacks
    probabilities = np.zeros((len(texts), len(labels)))
    probabilities[:, pipeline.classes_] = found
    return Answers(probabilities, seconds, len(texts) / spent)


def _read_words(*_: object) -> Any:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def _read_characters(*_: object) -> Any:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)


def _read_static_vectors(train: Sequence[Example], texts: Sequence[str], cache: Path) -> Any:
    """The mean of MiniLM's vectors of the words of a text, each encoded alone, as Model2Vec has."""
    words = sorted(
        {
            surface.lower()
            for text in (*(example.text for example in train), *texts)
            for surface in tokenizer.find_surfaces(text)
        }
    )
    encoded = encode_words(Encoder(MINILM), words, cache=cache)
    vectors = reduce_dimensions(encoded, _SIZE)
    rows = dict(zip(words, vectors, strict=True))
    empty = np.zeros(vectors.shape[1], dtype=np.float32)

    def embed(several: Sequence[str]) -> Floats:
        return np.stack(
            [
                np.mean(
                    [rows.get(one.lower(), empty) for one in tokenizer.find_surfaces(text)]
                    or [empty],
                    axis=0,
                )
                for text in several
            ]
        ).astype(np.float64)

    return make_pipeline(FunctionTransformer(embed), Normalizer())


PEERS: dict[str, Callable[[Sequence[Example], Sequence[str], Path], Any]] = {
    "TF-IDF of words and pairs, logistic regression": _read_words,
    "TF-IDF of characters, logistic regression": _read_characters,
    "static vectors of MiniLM, logistic regression": _read_static_vectors,
}
