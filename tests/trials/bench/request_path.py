"""Processor time of a request with one text, by its parts, through the whole application."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from valence.service.classifier.result import ResultWriter
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.request_record import RequestRecord

from tests.trials.bench import texts
from tests.trials.bench.application import Application
from tests.trials.bench.measure import Options, interleave
from tests.trials.bench.report import Section, Table

_MODEL = "sentiment"
_SENTENCES = 2_000
_AT_ONCE = (1, 31)


def run(options: Options) -> Section:
    """Measure the whole request with one and with many in flight, and its pieces separately."""
    application = Application(_MODEL)
    sentences = texts.sentences(_SENTENCES)
    bodies = [json.dumps({"text": sentence}).encode() for sentence in sentences]
    subjects: dict[str, Callable[[], float]] = {
        f"the whole request, {at_once} in flight": lambda at_once=at_once: _microseconds(
            lambda: application.run(bodies, at_once=at_once)
        )
        for at_once in _AT_ONCE
    }
    for name, work in _pieces(application, sentences).items():
        subjects[name] = lambda work=work: _microseconds(lambda: application.inside(work))
    # the minimum over the rounds: other load on the machine can only add time
    taken = {
        name: min(values)
        for name, values in interleave(subjects, rounds=max(options.rounds, 3)).items()
    }
    rows = [[name, f"{microseconds:.1f}"] for name, microseconds in taken.items()]
    text = (
        "CPU time per request of `POST /v1/classify` for one sentence of the vader corpus, "
        f"without a socket: the minimum of {max(options.rounds, 3)} rounds of {_SENTENCES} "
        "requests. Pieces are called separately, one sentence at a time."
    )
    return Section("The request path", text, [Table(["what", "us a request"], rows)], [])


def _microseconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) / _SENTENCES * 1e6


def _pieces(application: Application, sentences: list[str]) -> dict[str, Callable[[], None]]:
    classifier, engine, log = application.classifier, application.engine, application.log
    encoded = [classifier.encode_head(sentence) for sentence in sentences]
    documents = [document.ids for document in encoded]
    logits = engine.logits(documents)
    usages = [document.usage for document in encoded]
    answers = [[answer] for answer in zip(classifier.predict(logits), usages, strict=True)]
    writer = ResultWriter(classifier.manifest.labels)
    alone = [row[None] for row in logits]
    labels = classifier.manifest.labels[:1]
    of_model = ModelMetrics(
        application.metrics, name="pieces", version="1", labels=labels, engine=engine.name
    )

    record = RequestRecord(
        "POST", "/v1/classify", 200, 1e-3, request_id="0123456789abcdef-1", model=_MODEL,
        version="1", texts=1, tokens=20,
    )  # fmt: skip

    def encode() -> None:
        for sentence in sentences:
            classifier.encode_head(sentence)

    def compute() -> None:
        for document in documents:
            engine.logits([document])

    def predict() -> None:
        for row in alone:
            classifier.predict(row)

    def predict_together() -> None:
        for start in range(0, len(logits), _AT_ONCE[-1]):
            classifier.predict(logits[start : start + _AT_ONCE[-1]])

    def write_results() -> None:
        for answer in answers:
            writer.write(answer, [None])

    def count() -> None:
        for _ in sentences:
            of_model.count_scored(labels, ScoringRecord(20, 1, 0, 1e-5, 1e-5, 1e-4))
            application.metrics.count_request(record)
        of_model.flush()
        application.metrics.flush()

    def write() -> None:
        for _ in sentences:
            log.request(record)
        log.flush()

    return {
        "tokenizing and look-up": encode,
        "engine": compute,
        "probabilities and label": predict,
        f"probabilities and label, {_AT_ONCE[-1]} rows at once": predict_together,
        "result as JSON": write_results,
        "metrics": count,
        "log": write,
    }
