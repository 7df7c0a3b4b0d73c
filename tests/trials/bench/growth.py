"""Growth of time and memory with document length, batch size, vocabulary and hidden size."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.native import NativeEngine

from tests.trials.bench import eager, serving, texts
from tests.trials.bench.measure import Options, interleave, median, rate, say
from tests.trials.bench.processes import BenchError, server_cpu
from tests.trials.bench.report import Goal, Section, Table, figure

_LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
_BATCHES = (1, 4, 16, 64, 256, 1_024)
_VOCABULARIES = (1_000, 10_000, 100_000, 300_000)
_HIDDEN = (32, 64, 128, 256, 512)
_MEMORY = (1_000, 10_000, 100_000, 1_000_000)
_HUGE_PAGE = 2 * 2**20
_SENTENCE = 21
_SECONDS = 0.2


def run(options: Options) -> Section:
    """Vary one size at a time from the shape of the default model."""
    os.sched_setaffinity(0, {server_cpu()})
    loaded = artifact.load(serving.model_folder())
    engine = NativeEngine(loaded)
    words = loaded.manifest.architecture.vocabulary_size

    say("  length")
    by_length = {n: texts.documents([n] * max(1, 20_000 // n), vocabulary=words) for n in _LENGTHS}
    token_ns = _interleaved({n: _alone(engine, some) for n, some in by_length.items()}, options)
    reading = {n: _reading(Classifier(loaded), n) for n in _LENGTHS}
    reading_ns = _interleaved(reading, options)
    length_table = Table(
        ["tokens of a document", "ns a token, engine", "ns a token, tokenizer"],
        [[f"{n:,}", figure(token_ns[n]), figure(reading_ns[n])] for n in _LENGTHS],
        note="One document per call:",
    )

    say("  batch")
    documents = texts.documents([_SENTENCE] * max(_BATCHES), vocabulary=words)
    batch_ns = _interleaved({n: _together(engine, documents[:n]) for n in _BATCHES}, options)
    batch_table = Table(
        ["documents in a batch", "ns a token"],
        [[f"{n:,}", figure(batch_ns[n])] for n in _BATCHES],
        note=f"Documents of {_SENTENCE} tokens, by batch:",
    )

    say("  memory of a call")
    one = {n: _request_bytes(engine, texts.documents([n], vocabulary=words)) for n in _MEMORY}
    many = {n: _request_bytes(engine, documents[:1] * (n // _SENTENCE)) for n in _MEMORY}
    memory_table = Table(
        ["tokens of a call", "one document, KiB", f"documents of {_SENTENCE} tokens, KiB"],
        [[f"{n:,}", figure(one[n] / 1024), figure(many[n] / 1024)] for n in _MEMORY],
        note="Increase of the process's highest RSS by one call:",
    )

    say("  vocabulary and hidden size")
    base = loaded.manifest.architecture
    vocabulary_table = _shapes(
        "words of the vocabulary",
        {n: base.model_copy(update={"vocabulary_size": n}) for n in _VOCABULARIES},
        loaded,
        options,
    )
    hidden_table = _shapes(
        "units a direction",
        {n: base.model_copy(update={"hidden_size": n}) for n in _HIDDEN},
        loaded,
        options,
    )
    text = (
        f"The default model's shape on `{engine.name}`, one core, processor time. One size varies "
        "at a time."
    )
    goals = [
        Goal(
            "growth of the time a token takes, 10 to 10,000 tokens, engine",
            1.2,
            growth(token_ns),
            at_least=False,
        ),
        Goal("the same, tokenizer", 1.2, growth(reading_ns), at_least=False),
        Goal(
            "growth of a call's memory a token, beyond a huge page",
            1.2,
            max(memory_growth(one), memory_growth(many)),
            at_least=False,
        ),
    ]
    return Section(
        "Growth",
        text,
        [length_table, batch_table, memory_table, vocabulary_table, hidden_table],
        goals,
    )


def memory_growth(sizes: dict[int, int]) -> float:
    """Return the largest increase of memory for ten times the tokens, over ten times the memory.

    One huge page is subtracted, because the operating system allocates memory in huge pages.
    """
    tokens = sorted(sizes)
    return max(
        max(0, sizes[larger] - _HUGE_PAGE) / larger / (max(sizes[smaller], 1) / smaller)
        for smaller, larger in pairwise(tokens)
    )


def growth(costs: dict[int, float]) -> float:
    """Return the largest ratio of a cost to the cost at any smaller size."""
    sizes = sorted(costs)
    return max(
        costs[larger] / costs[smaller]
        for position, larger in enumerate(sizes)
        for smaller in sizes[: position + 1]
    )


def _interleaved(timed: dict[int, Callable[[], float]], options: Options) -> dict[int, float]:
    """Return nanoseconds per token by size."""
    taken = interleave(timed, rounds=max(3, options.rounds))
    return {size: 1e9 / median(rates) for size, rates in taken.items()}


def _alone(engine: NativeEngine, documents: Sequence[WordIds]) -> Callable[[], float]:
    def once() -> int:
        for document in documents:
            engine.logits([document])
        return sum(map(len, documents))

    return lambda: rate(once, seconds=_SECONDS)


def _together(engine: NativeEngine, documents: Sequence[WordIds]) -> Callable[[], float]:
    def once() -> int:
        engine.logits(documents)
        return sum(map(len, documents))

    return lambda: rate(once, seconds=_SECONDS)


def _reading(classifier: Classifier, tokens: int) -> Callable[[], float]:
    """Return a function that tokenizes texts of about ``tokens`` tokens without truncation."""
    words = " ".join(texts.sentences(4_000)).split()
    some = [
        " ".join(words[start : start + tokens])
        for start in range(0, max(1, 20_000 // tokens) * tokens, tokens)
    ]
    vocabulary = classifier.artifact.vocabulary

    def once() -> int:
        return sum(vocabulary.encode(text).tokens for text in some)

    return lambda: rate(once, seconds=_SECONDS)


def _shapes(
    what: str, shapes: dict[int, Architecture], loaded: Artifact, options: Options
) -> Table:
    built = {}
    for size, architecture in shapes.items():
        sized = replace(
            loaded,
            manifest=loaded.manifest.model_copy(update={"architecture": architecture}),
            tensors=eager.random_tensors(architecture),
        )
        started = time.process_time()
        engine = NativeEngine(sized)
        seconds = time.process_time() - started
        documents = texts.documents([_SENTENCE] * 512, vocabulary=architecture.vocabulary_size)
        built[size] = (engine, seconds, documents)
    taken = _interleaved(
        {size: _together(engine, documents) for size, (engine, _, documents) in built.items()},
        options,
    )
    return Table(
        [what, "ns a token, batch 512", "gate table, MiB", "seconds to build"],
        [
            [f"{size:,}", figure(taken[size]), figure(engine.table_bytes / 2**20), figure(seconds)]
            for size, (engine, seconds, _) in built.items()
        ],
        note=f"By {what}:",
    )


def _request_bytes(engine: NativeEngine, documents: Sequence[WordIds]) -> int:
    """Return the increase of the highest RSS by one call, in a process with only tiny calls
    before.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def call() -> None:
        engine.logits([documents[0][:1]])
        # memory that the parent freed is part of this process's heap: a call would use it unnoticed
        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak
        before = _peak_bytes()
        engine.logits(documents)
        sender.send(_peak_bytes() - before)

    process = context.Process(target=call)
    process.start()
    process.join(60)
    if process.exitcode != 0:
        raise BenchError("the process that measures a call's memory did not end well")
    return int(receiver.recv())


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BenchError("this system does not report VmHWM")
