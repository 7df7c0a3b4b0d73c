"""In process, on one core: every engine and dispatch path, and the usual alternatives."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from valence.service.classifier import artifact
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, Logits
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines import native
from valence.service.inference.engines.native import NativeEngine
from valence.service.inference.engines.reference import ReferenceEngine

from tests.trials.bench import eager, onnx_peer, serving, texts
from tests.trials.bench.measure import Options, interleave, median, rate, say
from tests.trials.bench.processes import server_cpu
from tests.trials.bench.report import Goal, Section, Table, figure

Compute = Callable[[list[WordIds]], Logits]

_BATCHES = (1, 8, 32, 128)
_SENTENCES = 512
_SECONDS = 0.25
_CHECKED = 64

FIXED = Architecture(
    vocabulary_size=20_000, embedding_size=300, hidden_size=256, pooling="max", labels=3
)


@dataclass(frozen=True)
class _Engine:
    """An engine; with ``sort`` it gets documents sorted by length, the best case for padding."""

    compute: Compute
    sort: bool = False


@dataclass(frozen=True)
class _Shape:
    name: str
    architecture: Architecture
    tensors: artifact.Tensors
    documents: list[WordIds]


def run(options: Options) -> Section:
    """Measure both shapes, then whole texts."""
    warnings.simplefilter("ignore")  # exporters and quantizers warn about their own future
    os.sched_setaffinity(0, {server_cpu()})
    torch.set_num_threads(1)
    loaded = artifact.load(serving.model_folder())
    sentences = texts.sentences(_SENTENCES)
    encoded = [Classifier(loaded).encode_head(text).ids for text in sentences]
    lengths = [len(document) for document in encoded]
    fixed = _Shape(
        "the fixed shape",
        FIXED,
        eager.random_tensors(FIXED),
        texts.documents(lengths, vocabulary=FIXED.vocabulary_size),
    )
    default = _Shape("the default model", loaded.manifest.architecture, loaded.tensors, encoded)
    peaks = {path: native.peak_gflops(path) for path in native.available_paths()}
    products = {"fp32": _product_gflops(torch.float32), "bf16": _product_gflops(torch.bfloat16)}
    tables, goals = [], []
    for shape in (fixed, default):
        say(f"  {shape.name}")
        speeds, difference = _measure(shape, loaded, options)
        tables.append(_table(shape, speeds, difference, peaks, products))
        if shape is fixed:
            goals = _goals(shape, speeds, peaks, products)
    say("  whole texts")
    tables.append(_whole_texts(loaded, sentences, options))
    machine = ", ".join(f"{path} {figure(gflops)}" for path, gflops in peaks.items())
    text = (
        f"One core, one thread. {_SENTENCES} sentences of the vader corpus (mean "
        f"{np.mean(lengths):.0f} tokens, p95 {np.percentile(lengths, 95):.0f}) as word ids, in "
        "their original order unless a row says sorted. Figures are sentences per second of "
        "processor time; on a dedicated core this equals wall-clock time. The column of logits is "
        "the largest difference from the reference engine; padded eager torch reads the padding in "
        "the backward direction and therefore differs.\n\n"
        "Peaks of this core in GFLOP/s (integer operations where the name of a path says so): "
        f"multiply-adds on registers only, {machine}; a 1024-cubed matrix product by torch, fp32 "
        f"{figure(products['fp32'])}, bf16 {figure(products['bf16'])}. Shares of a peak count only "
        "the recurrent product (tokens x directions x 2 x 4H x H), because the input product is "
        "folded into the gate table, and are for batch 32."
    )
    return Section("In process", text, tables, goals)


def _measure(
    shape: _Shape, loaded: Artifact, options: Options
) -> tuple[dict[tuple[str, int], float], dict[str, float]]:
    engines = _engines(shape, loaded)
    reference = engines["reference engine"].compute(shape.documents[:_CHECKED])
    difference = {
        name: float(np.abs(_in_batches(engine, shape.documents[:_CHECKED], 32) - reference).max())
        for name, engine in engines.items()
    }
    subjects: dict[tuple[str, int], Callable[[], float]] = {}
    for name, engine in engines.items():
        for size in _BATCHES:
            subjects[name, size] = _timing(engine, shape.documents, size)
    taken = interleave(subjects, rounds=options.rounds)
    return {key: median(values) for key, values in taken.items()}, difference


def _engines(shape: _Shape, loaded: Artifact) -> dict[str, _Engine]:
    own = Artifact(
        loaded.manifest.model_copy(update={"architecture": shape.architecture}),
        loaded.vocabulary,
        shape.tensors,
    )
    network = eager.EagerNetwork(shape.architecture, shape.tensors)
    quantized = torch.ao.quantization.quantize_dynamic(
        network, {torch.nn.LSTM, torch.nn.Linear}, dtype=torch.qint8
    )
    engines = {
        f"native, {path}": _Engine(NativeEngine(own, path=path).logits)
        for path in native.available_paths()
    }
    engines["reference engine"] = _Engine(ReferenceEngine(own).logits)
    engines["eager torch, padded"] = _Engine(lambda d: eager.run(network, d, packed=False))
    engines["eager torch, padded, sorted"] = _Engine(
        lambda d: eager.run(network, d, packed=False), sort=True
    )
    engines["eager torch, packed"] = _Engine(lambda d: eager.run(network, d, packed=True))
    engines["torch dynamic int8, padded, sorted"] = _Engine(
        lambda d: eager.run(quantized, d, packed=False), sort=True
    )
    for name, compute in onnx_peer.sessions(shape.architecture, shape.tensors).items():
        engines[f"{name}, sorted"] = _Engine(compute, sort=True)
    return engines


def _in_batches(engine: _Engine, documents: list[WordIds], size: int) -> Logits:
    return np.concatenate([engine.compute(batch) for batch in texts.batches(documents, size)])


def _timing(engine: _Engine, documents: list[WordIds], size: int) -> Callable[[], float]:
    ordered = sorted(documents, key=len) if engine.sort else documents
    batches = list(texts.batches(ordered, size))

    def once() -> int:
        for batch in batches:
            engine.compute(batch)
        return len(ordered)

    def timed() -> float:
        engine.compute(batches[len(batches) // 2])
        return rate(once, seconds=_SECONDS)

    return timed


def _recurrent_flops(shape: _Shape) -> float:
    """Return the mean number of floating-point operations of the recurrent product per sentence."""
    tokens = float(np.mean([len(document) for document in shape.documents]))
    hidden = shape.architecture.hidden_size
    return tokens * shape.architecture.directions * 2 * 4 * hidden * hidden


def _product(path: str, products: Mapping[str, float]) -> float | None:
    """Return GFLOP/s of torch's matrix product in the path's number format, or None."""
    if path.endswith("int16"):
        return None
    return products["bf16" if path.endswith("bf16") else "fp32"]


def _table(
    shape: _Shape,
    speeds: Mapping[tuple[str, int], float],
    difference: Mapping[str, float],
    peaks: Mapping[str, float],
    products: Mapping[str, float],
) -> Table:
    rows = []
    base = speeds["eager torch, padded", 32]
    for name, largest in difference.items():
        path = name.removeprefix("native, ")
        shares = ["", ""]
        if path in peaks:
            gflops = speeds[name, 32] * _recurrent_flops(shape) / 1e9
            product = _product(path, products)
            shares = [f"{gflops / peaks[path]:.0%}", f"{gflops / product:.0%}" if product else ""]
        rows.append(
            [
                name,
                *(figure(speeds[name, size]) for size in _BATCHES),
                f"{speeds[name, 32] / base:.1f}x",
                *shares,
                f"{largest:.0e}",
            ]
        )
    a = shape.architecture
    return Table(
        [
            "engine",
            *(f"batch {size}" for size in _BATCHES),
            "over eager padded",
            "of the register peak",
            "of torch's product",
            "logits",
        ],
        rows,
        note=f"**{shape.name[0].upper()}{shape.name[1:]}**: vocabulary {a.vocabulary_size:,}, "
        f"E = {a.embedding_size}, H = {a.hidden_size}, one bidirectional LSTM layer, {a.pooling} "
        f"pooling, {a.labels} labels:",
    )


def _goals(
    shape: _Shape,
    speeds: Mapping[tuple[str, int], float],
    peaks: Mapping[str, float],
    products: Mapping[str, float],
) -> list[Goal]:
    paths = [f"native, {path}" for path in peaks]
    best = {size: max(speeds[path, size] for path in paths) for size in _BATCHES}
    eager_torch = {size: speeds["eager torch, padded", size] for size in _BATCHES}
    int8 = {
        size: max(speed for (name, s), speed in speeds.items() if s == size and "int8" in name)
        for size in _BATCHES
    }
    goals = [
        Goal(
            f"native over eager torch, batch {size}, order of arrival",
            8.0,
            best[size] / eager_torch[size],
        )
        for size in (1, 32)
    ]
    goals += [
        Goal(
            f"native over the best int8 of torch and ONNX Runtime, batch {size}",
            2.5,
            best[size] / int8[size],
        )
        for size in (1, 32)
    ]
    for path, peak in peaks.items():
        if path != "portable":
            gflops = speeds[f"native, {path}", 32] * _recurrent_flops(shape) / 1e9
            # the lower of the measured peaks for the number format of the path
            limit = min(peak, _product(path, products) or peak)
            goals.append(
                Goal(
                    f"{path}: share of its format's measured peak",
                    75.0,
                    100 * gflops / limit,
                    unit=" %",
                )
            )
    if "avx2" in peaks:
        goals.append(
            Goal(
                "the AVX2 path over eager torch, batch 32",
                3.0,
                speeds["native, avx2", 32] / eager_torch[32],
            )
        )
    return goals


def _product_gflops(dtype: torch.dtype) -> float:
    """Return the best of many measurements of torch's 1024-cubed matrix product, in GFLOP/s."""
    size = 1024
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    best = float("inf")
    for _ in range(50):
        started = time.process_time()
        left @ right
        best = min(best, time.process_time() - started)
    return 2 * size**3 / best / 1e9


def _whole_texts(loaded: Artifact, sentences: Sequence[str], options: Options) -> Table:
    """Measure from text to label, tokenization included, as linear models are measured."""
    import fasttext
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    corpus, labels = texts.labelled()
    linear = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32),
        LogisticRegression(C=2.0, max_iter=500),
    ).fit(corpus, labels)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "train.txt"
        lines.write_text(
            "".join(
                f"__label__{label} {' '.join(text.split())}\n"
                for text, label in zip(corpus, labels, strict=True)
            ),
            encoding="utf-8",
        )
        fast = fasttext.train_supervised(str(lines), wordNgrams=2, thread=1, verbose=0)
    classifier, engine = Classifier(loaded), NativeEngine(loaded)
    plain = [" ".join(text.split()) for text in sentences]  # fastText refuses line breaks

    def valence(batch: list[str]) -> object:
        return classifier.predict(
            engine.logits([classifier.encode_head(text).ids for text in batch])
        )

    subjects: dict[tuple[str, int], Callable[[], float]] = {}
    named: dict[str, Callable[[list[str]], object]] = {
        f"Valence ({engine.name}): tokenize, score, calibrate": valence,
        "fastText, words and word pairs": lambda batch: fast.predict(batch, k=3),
        "scikit-learn TF-IDF + logistic regression": linear.predict_proba,
    }
    for name, predict in named.items():
        for size in _BATCHES:
            subjects[name, size] = _text_timing(predict, plain, size)
    taken = interleave(subjects, rounds=options.rounds)
    return Table(
        ["from text to label", *(f"batch {size}" for size in _BATCHES)],
        [[name, *(figure(median(taken[name, size])) for size in _BATCHES)] for name in named],
        note="**Whole texts**, compared with linear models that are known for their speed; the "
        "accuracy of each is in the report of a model:",
    )


def _text_timing(
    predict: Callable[[list[str]], object], plain: list[str], size: int
) -> Callable[[], float]:
    batches = [plain[start : start + size] for start in range(0, len(plain), size)]

    def once() -> int:
        for batch in batches:
            predict(batch)
        return len(plain)

    return lambda: rate(once, seconds=_SECONDS)
