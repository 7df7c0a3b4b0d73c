"""The peers of the part ``peers``: each is fitted to the training texts of the served model.

A fit writes what :mod:`tests.trials.bench.peers.classifiers` reads: files in a folder.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from sklearn.linear_model import LogisticRegression
from valence.training.config.schema import MINILM, Distillation
from valence.training.distillation.fine_tuning import (
    EncoderClassifier,
    Pieces,
    TuningPlan,
    fine_tune,
)
from valence.training.embeddings.encoder_model import Encoder, LoadedEncoder
from valence.training.embeddings.sentence_encoder import reduce_dimensions
from valence.training.runtime.run import Run

from tests.trials.bench.peers.classifiers import mean_vector

TUNED_TEXTS = 12_000
"""Training texts that MiniLM is tuned on: what two cores read in about 100 seconds."""

_VECTOR_SIZE = 256  # as Model2Vec has by default
_PIECES_AT_ONCE = 1_024
_LONGEST = 128  # pieces of a text


class Labelled(NamedTuple):
    """Texts and the index of the label of each."""

    texts: Sequence[str]
    truth: NDArray[np.int64]
    labels: Sequence[str]


def fit_fasttext(train: Labelled, folder: Path) -> None:
    """Words, word pairs and parts of words: of four settings the best on the dev texts.

    fastText reads its lines in order, so they are shuffled.
    """
    import fasttext

    lines = [
        f"__label__{train.labels[label]} {' '.join(text.split())}\n"
        for text, label in zip(train.texts, train.truth, strict=True)
    ]
    order = np.random.default_rng(0).permutation(len(lines))
    path = folder / "train.txt"
    path.write_text("".join(lines[row] for row in order), encoding="utf-8")
    model = fasttext.train_supervised(
        str(path), lr=0.3, wordNgrams=2, minn=2, maxn=5, thread=1, verbose=0
    )
    model.save_model(str(folder / "fasttext.bin"))


def fit_static(train: Labelled, folder: Path, run: Run) -> None:
    """A vector for each piece of MiniLM's tokenizer, and a logistic regression on their mean.

    As Model2Vec makes them: the encoder reads each piece alone, the components of the vectors are
    reduced, and a frequent piece weighs less. The tokenizer lists its pieces by frequency.
    """
    tokenizer, model = _load_encoder(run)
    vectors = reduce_dimensions(_encode_pieces(tokenizer, model), _VECTOR_SIZE)
    frequencies = 1.0 / np.arange(2, len(vectors) + 2)
    frequencies /= frequencies.sum()
    vectors *= (1e-3 / (1e-3 + frequencies)).astype(np.float32)[:, None]
    tokenizer.save_pretrained(folder)
    ids = tokenizer(list(train.texts), add_special_tokens=False)["input_ids"]
    means = np.stack([mean_vector(vectors, each) for each in ids])
    linear = LogisticRegression(C=10.0, max_iter=1_000).fit(means, train.truth)
    np.savez(
        folder / "static.npz",
        vectors=vectors,
        weights=linear.coef_.T.astype(np.float32),
        bias=linear.intercept_.astype(np.float32),
    )


def fit_minilm(train: Labelled, folder: Path, run: Run) -> None:
    """MiniLM, tuned whole for one epoch on :data:`TUNED_TEXTS` texts, as ONNX in int8."""
    tokenizer, model = _load_encoder(run)
    model.set_attn_implementation("eager")  # a graph whose attention the runtime can fuse
    torch.manual_seed(0)
    network = EncoderClassifier(
        model, hidden_size=model.config.hidden_size, labels=len(train.labels)
    )
    chosen = np.random.default_rng(0).permutation(len(train.texts))[:TUNED_TEXTS]
    pieces = Pieces(tokenizer, [train.texts[row] for row in chosen], longest=_LONGEST)
    targets = np.eye(len(train.labels), dtype=np.float32)[train.truth[chosen]]
    settings = Distillation(teacher=MINILM, epochs=1, learning_rate=1e-4)
    plan = TuningPlan(settings, "single_label", 0, folder / "unfinished", "MiniLM")
    fine_tune(network, pieces, targets, plan, run)
    export_int8(network, tokenizer, folder)


def export_int8(network: EncoderClassifier, tokenizer: Any, folder: Path) -> None:
    """Write the graph with fused attention and int8 weights, and the tokenizer."""
    warnings.simplefilter("ignore")  # exporters and quantizers warn about their own future
    logging.getLogger().setLevel(logging.ERROR)
    config = network.encoder.config
    example = torch.ones(1, 8, dtype=torch.long)
    axes = {0: "batch", 1: "time"}
    torch.onnx.export(
        network.eval(),
        (example, example),
        str(folder / "fp32.onnx"),
        input_names=["ids", "mask"],
        output_names=["logits"],
        dynamic_axes={"ids": axes, "mask": axes, "logits": {0: "batch"}},
        dynamo=False,
        opset_version=17,
    )
    fused = optimizer.optimize_model(
        str(folder / "fp32.onnx"),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
    )
    fused.save_model_to_file(str(folder / "fused.onnx"))
    quantize_dynamic(
        folder / "fused.onnx",
        folder / "minilm.onnx",
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    tokenizer.save_pretrained(folder)


def _load_encoder(run: Run) -> LoadedEncoder:
    return Encoder(MINILM).load(run.workspace.corpora, key="peers")


def _encode_pieces(tokenizer: Any, model: Any) -> NDArray[np.float32]:
    """For each piece the mean of the encoder's outputs for the piece between its two marks."""
    model.eval()
    pieces = torch.arange(len(tokenizer))
    rows = np.empty((len(pieces), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(pieces), _PIECES_AT_ONCE):
            chunk = pieces[start : start + _PIECES_AT_ONCE]
            begin = torch.full_like(chunk, tokenizer.cls_token_id)
            end = torch.full_like(chunk, tokenizer.sep_token_id)
            hidden = model(input_ids=torch.stack([begin, chunk, end], dim=1)).last_hidden_state
            rows[start : start + len(chunk)] = hidden.mean(1).numpy()
    return rows
