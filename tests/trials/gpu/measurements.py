"""The parts of the check: each yields rows of figures as soon as they are measured."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.model import RecurrentClassifier, load_tensors
from valence.service.inference.engines.reference import ReferenceEngine

from tests.trials.bench.measure import interleave, median
from tests.trials.gpu import peers
from tests.trials.gpu.network import (
    LABELS,
    Documents,
    count_bytes,
    count_operations,
    draw_documents,
    make_artifact,
    spell,
)

Row = dict[str, str | float]
# no more than the paths of 16 bits of the native engine may differ
MOST_DIFFERENCE = 0.01
_GRAPH_ROWS = 32
_ROUNDS = 3


@dataclass(frozen=True)
class Scale:
    """How much is measured; less on a processor, which stands in for a GPU."""

    words: int
    batches: tuple[int, ...]
    texts: int
    seconds: float  # of one subject in one round
    product: int  # rows and columns of the product that finds the limit of computing
    copy_bytes: int


def find_scale(device: torch.device) -> Scale:
    """The scale for ``device``: a GPU's limits are measured in a sixteenth of its memory."""
    if device.type != "cuda":
        return Scale(2_000, (1, 8), 64, 0.02, 256, 2**22)
    memory = torch.cuda.get_device_properties(device).total_memory
    side = 8_192 if memory >= 2**33 else 2_048
    batches = (1, 8, 32, 128, 512, 2_048, 4_096)
    return Scale(50_000, batches, 8_192, 0.3, side, min(2**32, memory // 32))


def measure_limits(device: torch.device, scale: Scale) -> Iterator[Row]:
    """What ``device`` reaches in a large product and a large copy."""
    side, kind = scale.product, peers.precision(device)
    left, right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    seconds = _time(lambda: torch.matmul(left, right), device)
    source = torch.zeros(scale.copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = _time(lambda: target.copy_(source), device)
    yield {
        "device": describe(device),
        "operations_per_second": 2.0 * side**3 / seconds,
        "bytes_per_second": 2.0 * scale.copy_bytes / copied,  # read and written
    }


def describe(device: torch.device) -> str:
    """The name of ``device``, and the versions that compute on it."""
    if device.type != "cuda":
        return f"{device.type}, torch {torch.__version__}"
    found = torch.cuda.get_device_properties(device)
    return (
        f"{found.name}, {found.multi_processor_count} multiprocessors, "
        f"{found.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}, "
        f"cuDNN {torch.backends.cudnn.version()}, torch {torch.__version__}"
    )


def measure_agreement(device: torch.device, scale: Scale) -> Iterator[Row]:
    """The engine on ``device`` beside the reference on the processor."""
    artifact = make_artifact(words=scale.words)
    draw = [(scale.texts // 2, 0, 40), (max(1, scale.texts // 32), 100, 256)]
    documents = [
        document
        for count, shortest, longest in draw
        for document in draw_documents(
            count, words=scale.words, shortest=shortest, longest=longest, seed=count
        )
    ]
    expected = ReferenceEngine(artifact).logits(documents)
    yield compare(expected, ReferenceEngine(artifact, device=str(device)).logits(documents))


def compare(expected: NDArray[np.float32], found: NDArray[np.float32]) -> Row:
    """How far probabilities differ, and the share of texts with the same label."""
    truth, given = (
        to_probabilities(logits, temperature=1.0, task="single_label")
        for logits in (expected, found)
    )
    return {
        "texts": len(truth),
        "difference": float(np.abs(truth - given).max()),
        "same": float((truth.argmax(1) == given.argmax(1)).mean()),
    }


def agrees(row: Row) -> bool:
    """Whether the difference is one of rounding; a NaN is none."""
    return float(row["difference"]) <= MOST_DIFFERENCE


def measure_speed(device: torch.device, scale: Scale) -> Iterator[Row]:
    """Texts per second by batch, from word ids to logits on the processor, interleaved."""
    artifact = make_artifact(words=scale.words)
    engine = ReferenceEngine(artifact, device=str(device))
    shape, width = artifact.manifest.architecture, peers.precision(device).itemsize
    for rows in scale.batches:
        documents = draw_documents(rows, words=scale.words, seed=rows)
        tokens = sum(map(len, documents))
        row: Row = {
            "rows": rows,
            "operations": count_operations(shape, tokens),
            "bytes": count_bytes(shape, tokens, width=width),
        }
        subjects = {"engine": engine.logits, **_make_peers(artifact, device, documents, row)}
        times = interleave(
            {name: _timer(answer, documents, scale) for name, answer in subjects.items()},
            rounds=_ROUNDS,
        )
        yield row | {name: rows / median(seconds) for name, seconds in times.items()}


def _make_peers(
    artifact: Artifact, device: torch.device, documents: Documents, row: Row
) -> dict[str, peers.Answer]:
    """The peers that run here and answer right; ``row`` gets the reason for each other."""
    makers: dict[str, Callable[[], peers.Answer]] = {
        "eager": lambda: peers.make_eager(artifact, device),
        "compiled": lambda: peers.make_compiled(artifact, device),
    }
    if device.type == "cuda" and len(documents) <= _GRAPH_ROWS:
        makers["graph"] = lambda: peers.make_graph(artifact, device, documents)
    expected = ReferenceEngine(artifact).logits(documents)
    found: dict[str, peers.Answer] = {}
    for name, make in makers.items():
        try:
            answer = make()
            if agrees(compare(expected, answer(documents))):
                found[name] = answer
            else:
                row[name] = "wrong answers"
        except Exception as error:  # whatever a compiler raises on this machine
            row[name] = f"failed: {type(error).__name__}"
    return found


def measure_training(device: torch.device, scale: Scale) -> Iterator[Row]:
    """Tokens per second of the trainer, and of the recurrence of cuDNN alone."""
    from valence.training.config.schema import Optimization, Regularization
    from valence.training.corpora.example import Example
    from valence.training.data.batches import EncodedTexts
    from valence.training.runtime.progress import Reporter
    from valence.training.runtime.run import Run
    from valence.training.runtime.workspace import Workspace
    from valence.training.trainer import loop

    artifact = make_artifact(words=scale.words)
    shape = artifact.manifest.architecture
    examples = [
        Example(" ".join(map(spell, document.tolist())), LABELS[row % len(LABELS)], "random")
        for row, document in enumerate(draw_documents(scale.texts, words=scale.words))
    ]
    texts = EncodedTexts(
        examples, artifact.vocabulary, labels=LABELS, max_tokens=256, use_shares=False
    )
    optimization = Optimization(epochs=4)
    model = RecurrentClassifier(shape)
    load_tensors(model, {n: torch.from_numpy(v.copy()) for n, v in artifact.tensors.items()})
    with tempfile.TemporaryDirectory() as scratch:
        plan = loop.TrainingPlan(
            optimization, Regularization(), Path(scratch) / "checkpoint", shape.embedding_size
        )
        run = Run(Workspace(Path(scratch)), Reporter(quiet=True), device)
        history = loop.train(model, texts, texts.take(np.arange(8)), plan, run=run)
    lstm = nn.LSTM(
        shape.embedding_size, shape.hidden_size, batch_first=True, bidirectional=True
    ).to(device)
    batches = [texts.batch(rows) for rows in texts.plan(tokens=optimization.batch_tokens, seed=1)]
    inputs = [
        pack_padded_sequence(
            torch.randn(*batch.ids.shape, shape.embedding_size, device=device),
            batch.lengths,
            batch_first=True,
            enforce_sorted=False,
        )
        for batch in batches
    ]

    def recur() -> None:
        for packed in inputs:
            lstm.zero_grad()
            lstm(packed)[0].data.sum().backward()

    yield {
        "tokens": texts.tokens,
        "trainer": median([epoch.tokens_per_second for epoch in history[1:]]),
        "cudnn": texts.tokens / _time(recur, device),
    }


def _timer(answer: peers.Answer, documents: Documents, scale: Scale) -> Callable[[], float]:
    """A function that returns the seconds of one call, the median of those of a round."""
    answer(documents)

    def measure() -> float:
        seconds, started = [], time.perf_counter()
        while not seconds or time.perf_counter() - started < scale.seconds:
            begun = time.perf_counter()
            answer(documents)
            seconds.append(time.perf_counter() - begun)
        return median(seconds)

    return measure


def _time(work: Callable[[], object], device: torch.device, *, rounds: int = 5) -> float:
    """The median seconds of ``work`` after two calls that warm up."""
    seconds = []
    for _ in range(rounds + 2):
        _wait(device)
        begun = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - begun)
    return median(seconds[2:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
