"""The simpler models that people pick for few labels, fitted to the same texts."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
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


@dataclass(frozen=True)
class Given:
    """The texts that a peer learns, those that it answers, and where downloads are."""

    train: Sequence[Example]
    texts: Sequence[str]
    labels: Sequence[str]
    cache: Path

    @property
    def truth(self) -> NDArray[np.int64]:
        """The places of the labels of ``train``."""
        return np.array([self.labels.index(str(example.label)) for example in self.train])

    def spread(self, found: Floats, classes: Sequence[int]) -> Floats:
        """``found`` with a column for each label, also for those that ``train`` lacks."""
        probabilities = np.zeros((len(found), len(self.labels)))
        probabilities[:, list(classes)] = found
        return probabilities


# the probabilities of texts
Predict = Callable[[Sequence[str]], Floats]


def answer(name: str, given: Given) -> Answers:
    """What the peer ``name``, fitted to the texts of ``given``, answers to the others."""
    started = time.process_time()
    predict = PEERS[name](given)
    seconds = time.process_time() - started
    begun = time.process_time()
    probabilities = predict(list(given.texts))
    return Answers(probabilities, seconds, len(given.texts) / (time.process_time() - begun))


def list_missing_packages() -> dict[str, str]:
    """The peers that cannot be measured here, each with the package that it needs."""
    return {name: one for name, one in _PACKAGES.items() if importlib.util.find_spec(one) is None}


def _fit_regression(read: Callable[[Given], Any], given: Given) -> Predict:
    model = LogisticRegression(C=10.0, max_iter=1_000)
    pipeline = make_pipeline(read(given), model)
    pipeline.fit([example.text for example in given.train], given.truth)
    return lambda texts: given.spread(pipeline.predict_proba(texts), pipeline.classes_)


def _fit_fasttext(given: Given) -> Predict:
    """Words and pairs, as its tutorial has it; few texts need more than its 25 epochs."""
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.txt")
        rows = zip(given.truth.tolist(), given.train, strict=True)
        path.write_text("".join(f"__label__{row} {_clean(one.text)}\n" for row, one in rows))
        model = fasttext.train_supervised(
            str(path), epoch=100, lr=0.5, wordNgrams=2, thread=1, verbose=0
        )

    def predict(texts: Sequence[str]) -> Floats:
        probabilities = np.zeros((len(texts), len(given.labels)))
        for row, text in enumerate(texts):
            # the array that `predict` makes fails with numpy 2, so its core is asked
            for share, label in model.f.predict(_clean(text) + "\n", -1, 0.0, "strict"):
                probabilities[row, int(label.removeprefix("__label__"))] = share
        return probabilities

    return predict


def _clean(text: str) -> str:
    return " ".join(tokenizer.find_surfaces(text.lower()))


def _fit_setfit(given: Given) -> Predict:
    """As its authors have it: 20 pairs of each text, one epoch, a logistic regression."""
    import datasets
    import sentence_transformers as st
    import setfit
    from sentence_transformers import models

    loaded = Encoder(MINILM).load(given.cache, key="setfit")
    with tempfile.TemporaryDirectory() as folder:
        loaded.model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
        words = models.Transformer(folder, max_seq_length=256)
        pooling = models.Pooling(words.get_word_embedding_dimension())
        body = st.SentenceTransformer(modules=[words, pooling], device="cpu")
        model = setfit.SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1_000))
        rows = {"text": [one.text for one in given.train], "label": given.truth.tolist()}
        settings = setfit.TrainingArguments(
            output_dir=folder, num_iterations=20, num_epochs=1, report_to="none", save_strategy="no"
        )
        trainer = setfit.Trainer(model, settings, train_dataset=datasets.Dataset.from_dict(rows))
        trainer.train()
    return lambda texts: given.spread(
        np.asarray(model.predict_proba(list(texts), as_numpy=True)), model.model_head.classes_
    )


def _read_words(_: Given) -> Any:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def _read_characters(_: Given) -> Any:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)


def _read_static_vectors(given: Given) -> Any:
    """The mean of MiniLM's vectors of the words of a text, each encoded alone, as Model2Vec has."""
    words = sorted(
        {
            surface.lower()
            for text in (*(example.text for example in given.train), *given.texts)
            for surface in tokenizer.find_surfaces(text)
        }
    )
    encoded = encode_words(Encoder(MINILM), words, cache=given.cache)
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


PEERS: dict[str, Callable[[Given], Predict]] = {
    "TF-IDF of words and pairs, logistic regression": partial(_fit_regression, _read_words),
    "TF-IDF of characters, logistic regression": partial(_fit_regression, _read_characters),
    "static vectors of MiniLM, logistic regression": partial(_fit_regression, _read_static_vectors),
    "fastText": _fit_fasttext,
    "SetFit on MiniLM": _fit_setfit,
}
_PACKAGES = {"fastText": "fasttext", "SetFit on MiniLM": "setfit"}
