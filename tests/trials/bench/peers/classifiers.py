"""The classifiers of the part ``peers``, each loaded as its own users do: one thread, one text.

Each reads the folder that :mod:`tests.trials.bench.fits` wrote, and imports what it needs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = Sequence[float]
Classify = Callable[[str], Scores]
"""From a text to the score of each of :data:`LABELS`; the best score names the label."""

LABELS = ("negative", "neutral", "positive")
# up to here the compound score of VADER is neutral, as its authors recommend
_VADER_NEUTRAL = 0.05


def load_vader(folder: Path) -> Classify:
    """The lexicon, with the rule of its authors for the label."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()

    def classify(text: str) -> Scores:
        compound = analyzer.polarity_scores(text)["compound"]
        return choose_polarity(compound)

    return classify


def choose_polarity(compound: float) -> Scores:
    """One for the label of a compound score, and zero for the others."""
    return (
        float(compound <= -_VADER_NEUTRAL),
        float(abs(compound) < _VADER_NEUTRAL),
        float(compound >= _VADER_NEUTRAL),
    )


def load_fasttext(folder: Path) -> Classify:
    """The model of the file ``fasttext.bin``."""
    import fasttext

    model = fasttext.load_model(str(folder / "fasttext.bin"))

    def classify(text: str) -> Scores:
        # fastText reads lines
        names, values = model.predict(" ".join(text.split()), k=len(LABELS))
        found = dict(zip(names, values, strict=True))
        return [float(found.get(f"__label__{label}", 0.0)) for label in LABELS]

    return classify


def load_static(folder: Path) -> Classify:
    """Static vectors of pieces, their mean, a logistic regression."""
    tokenizer = _load_tokenizer(folder)
    with np.load(folder / "static.npz") as stored:
        vectors, weights, bias = stored["vectors"], stored["weights"], stored["bias"]

    def classify(text: str) -> Scores:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        return _softmax(mean_vector(vectors, ids) @ weights + bias)

    return classify


def mean_vector(vectors: NDArray[np.float32], ids: Sequence[int]) -> NDArray[np.float32]:
    """The mean of the vectors at ``ids``, of length 1; zeros for a text without pieces."""
    if not ids:
        return np.zeros(vectors.shape[1], dtype=np.float32)
    mean: NDArray[np.float32] = vectors[ids].mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def load_minilm(folder: Path) -> Classify:
    """The tuned encoder of the file ``minilm.onnx``."""
    import onnxruntime

    tokenizer = _load_tokenizer(folder)
    tokenizer.enable_truncation(128)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "minilm.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def classify(text: str) -> Scores:
        encoded = tokenizer.encode(text)
        inputs = {"ids": [encoded.ids], "mask": [encoded.attention_mask]}
        (logits,) = session.run(
            ["logits"], {name: np.array(rows, dtype=np.int64) for name, rows in inputs.items()}
        )
        return _softmax(logits[0])

    return classify


def load_network(folder: Path) -> Classify:
    """The served network and its tokenizer, with ONNX Runtime in int8."""
    import os

    from valence.service.classifier import artifact
    from valence.service.classifier.classifier import Classifier

    from tests.trials.bench import eager, onnx_peer

    loaded = artifact.load(Path(os.environ[eager.MODEL]))
    sessions = onnx_peer.sessions(loaded.manifest.architecture, loaded.tensors)
    compute, classifier = sessions["ONNX Runtime dynamic int8"], Classifier(loaded)

    def classify(text: str) -> Scores:
        logits = compute([classifier.encode_head(text).ids])
        return classifier.predict(logits)[0].probabilities

    return classify


def read_label(content: dict[str, Any]) -> str:
    """The label in an answer of Valence, of MLServer, or of a peer."""
    if "outputs" in content:
        return str(content["outputs"][0]["data"][0])
    return str(content.get("results", [content])[0]["label"])


LOADERS: dict[str, Callable[[Path], Classify]] = {
    "vader": load_vader,
    "fasttext": load_fasttext,
    "static": load_static,
    "minilm": load_minilm,
    "network": load_network,
}


def _load_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _softmax(logits: NDArray[np.float32]) -> Scores:
    powers = np.exp(logits - logits.max())
    scores: list[float] = (powers / powers.sum()).tolist()
    return scores
