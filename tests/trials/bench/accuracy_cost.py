"""Accuracy beside cost: what other programs that label a sentence cost, and how often they err.

Each program is asked for the test texts of the served model over HTTP, one text a request, so the
program that is judged is the program that is measured. Each that learns has the same training
texts.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.training.corpora.example import Example
from valence.training.data.split import Splits
from valence.training.evaluation.stored_model import load_own_splits
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.trials.bench import fits, load, reload, serving, texts
from tests.trials.bench.cost_picture import Point, draw_points
from tests.trials.bench.fits import Labelled
from tests.trials.bench.load import Job, Result
from tests.trials.bench.measure import Options, interleave, median, say
from tests.trials.bench.peers.classifiers import LABELS, read_label
from tests.trials.bench.processes import BenchError, Server, generator_cpu, server_cpu
from tests.trials.bench.report import Section, Table, figure
from tests.trials.bench.serving import Subject

_CONNECTIONS = (1, 64)
_ASKED = 2_000  # texts that take turns in a measurement


@dataclass(frozen=True)
class _Program:
    """A running server, how it is asked, and its short name in the picture."""

    subject: Subject
    short: str
    server: Server


@dataclass(frozen=True)
class _Judged:
    """The scores of a program on the test texts, and its results by number of connections."""

    program: _Program
    accuracy: float
    macro_f1: float
    results: dict[int, list[Result]]

    def middle(self, connections: int, name: str) -> float:
        """The median of a figure over the rounds."""
        return median([getattr(result, name) for result in self.results[connections]])

    @property
    def cost(self) -> float:
        """CPU-seconds of a million requests at the most connections."""
        return 1e6 / self.middle(_CONNECTIONS[-1], "per_cpu_second")


def run(options: Options) -> Section:
    """Fit the peers, serve them, judge and measure each."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valence-bench-")))
        splits = _load_splits()
        _fit(splits.train, scratch)
        programs = list(_serve(stack, scratch))
        generator = stack.enter_context(
            ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_pin_generator
            )
        )
        asked = [example.text for example in splits.test[:_ASKED]]

        def measure(program: _Program, connections: int) -> Result:
            job = Job(
                port=program.server.port,
                requests=[program.subject.one(text) for text in asked],
                connections=connections,
                seconds=options.seconds,
                pids=program.server.pids(),
            )
            result: Result = generator.submit(load.run, job).result()
            if result.failed:
                raise BenchError(f"{program.subject.name} refused {result.failed} requests")
            return result

        say("  measuring")
        taken = interleave(
            {
                (program.short, count): lambda program=program, count=count: measure(program, count)
                for program in programs
                for count in _CONNECTIONS
            },
            rounds=options.rounds,
        )
        judged = []
        for program in programs:
            say(f"  judging {program.short}")
            found = ask_labels(program, [example.text for example in splits.test])
            truth = [example.label for example in splits.test]
            judged.append(
                _Judged(
                    program,
                    float(accuracy_score(truth, found)),
                    float(f1_score(truth, found, average="macro")),
                    {count: taken[program.short, count] for count in _CONNECTIONS},
                )
            )
    return _section(judged, splits)


def ask_labels(program: _Program, asked: Sequence[str]) -> list[str]:
    """The label of each text, as the program answers it."""
    connection = http.client.HTTPConnection("127.0.0.1", program.server.port, timeout=60)
    with contextlib.closing(connection):
        return [_ask_label(connection, program.subject.one(text)) for text in asked]


def _ask_label(connection: http.client.HTTPConnection, request: bytes) -> str:
    head, _, body = request.partition(b"\r\n\r\n")
    connection.request("POST", head.split()[1].decode(), body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    if answer.status != 200:
        raise BenchError(f"a text of the test was answered with {answer.status}: {content}")
    return read_label(content)


def _load_splits() -> Splits:
    say("  reading the texts of sentiment")
    classifier = Classifier(artifact.load(serving.model_folder()))
    if tuple(classifier.manifest.labels) != LABELS:
        raise BenchError(f"sentiment has the labels {classifier.manifest.labels}, not {LABELS}")
    return load_own_splits(classifier, _run())


def _run() -> Run:
    return Run(Workspace(texts.CACHE.parent), Reporter(quiet=True))


def _fit(train: Sequence[Example], folder: Path) -> None:
    labelled = Labelled(
        [example.text for example in train],
        np.array([LABELS.index(example.label) for example in train]),
        LABELS,
    )
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    say("  fitting fastText")
    fits.fit_fasttext(labelled, folder)
    say("  fitting static vectors")
    fits.fit_static(labelled, folder, _run())
    say(f"  tuning MiniLM on {fits.TUNED_TEXTS:,} texts")
    fits.fit_minilm(labelled, folder, _run())


def _serve(stack: contextlib.ExitStack, folder: Path) -> Iterator[_Program]:
    """Start the servers."""
    peers = [
        ("ONNX Runtime int8", "the same network in ONNX Runtime int8, FastAPI", "network"),
        ("fastText", "fastText, words, their pairs and parts, FastAPI", "fasttext"),
        ("static vectors", "static vectors of MiniLM, logistic regression, FastAPI", "static"),
        ("MiniLM int8", "MiniLM tuned, ONNX Runtime int8, FastAPI", "minilm"),
        ("VADER", "VADER, FastAPI", "vader"),
    ]
    subjects = [("Valence", serving.VALENCE)]
    subjects += [
        (
            short,
            replace(
                serving.FASTAPI, name=name, command=serving.run_fastapi_classifier(kind, folder)
            ),
        )
        for short, name, kind in peers
    ]
    for short, subject in subjects:
        say(f"  starting {short}")
        server = stack.enter_context(serving.serve(subject, cpus={server_cpu()}))
        yield _Program(subject, short, server)
    if (reload.MLSERVER / "mlserver").exists():
        say("  starting MLServer")
        mlserver = stack.enter_context(
            reload.serve_mlserver(folder / "mlserver", [serving.model_folder()])
        )
        subject = replace(
            serving.VALENCE, name="MLServer, Valence's engine", one=reload.make_infer_request
        )
        yield _Program(subject, "MLServer", mlserver.server)
    else:
        say("  MLServer's environment is missing; `make bench ONLY=reload` makes it")


def _section(judged: Sequence[_Judged], splits: Splits) -> Section:
    rows = []
    for one in judged:
        row = [one.program.subject.name, f"{one.macro_f1:.3f}", f"{one.accuracy:.3f}"]
        for count in _CONNECTIONS:
            p50, p99 = (figure(one.middle(count, name) * 1e3) for name in ("p50", "p99"))
            row += [figure(one.middle(count, "per_cpu_second")), f"{p50} / {p99}"]
        rows.append([*row, figure(one.cost)])
    head = ["program", "macro-F1", "accuracy"]
    for count in _CONNECTIONS:
        head += [f"{count}: per CPU-s", "p50 / p99, ms"]
    names = {one.program.short for one in judged}
    text = (
        f"Macro-F1 and accuracy on the {len(splits.test):,} test texts of sentiment, each text "
        "asked over HTTP, one a request; requests per CPU-second of the server in a closed loop "
        "at 1 connection and at 64. CPU-s of a million requests are those at 64. Servers are "
        f"pinned to core {server_cpu()}, the generator to core {generator_cpu()}; each has one "
        "worker and computes with one thread. FastAPI writes no access log and answers in its "
        "event loop, its cheapest form.\n\n"
        f"What learns, learns from the labels of the same {len(splits.train):,} training texts. "
        "The static vectors are made as Model2Vec makes them, from `all-minilm-l6-v2`: no "
        "published model of Model2Vec is in a package index. MiniLM is tuned for one epoch on "
        f"{fits.TUNED_TEXTS:,} of the texts, so that the command takes minutes; tuned on all of "
        "them it labels better at the same cost. VADER has its lexicon and learns nothing. "
        "Valence's model also learns from the answers of a tuned MiniLM, which the repository "
        "has.\n\n"
        + (
            "MLServer 1.7.1 has its default settings and computes with Valence's engine. "
            if "MLServer" in names
            else "MLServer is measured where its environment is: `make bench ONLY=reload` makes "
            "it. "
        )
        + "Text-embeddings-inference is not measured: its server is published as an image and as "
        "source, and of PyPI and npm the first has clients of it alone."
    )
    points = [Point(one.program.short, one.cost, one.macro_f1) for one in judged]
    return Section(
        "Accuracy and cost",
        text,
        [Table([*head, "CPU-s of a million"], rows)],
        picture=draw_points(points),
    )


def _pin_generator() -> None:
    os.sched_setaffinity(0, {generator_cpu()})
