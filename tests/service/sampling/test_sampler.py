"""Which texts of a stream of answers are kept, with the seeds of chance fixed."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from concurrent.futures import Future
from typing import Any

import pytest
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.reference import (
    CONFIDENCES,
    ConfidenceCounts,
    NamedCounts,
    RangeCounts,
    Reference,
)
from valence.service.observability.log import Log
from valence.service.sampling import sampler as module
from valence.service.sampling.sampler import MAX_CHARACTERS, Sampler
from valence.service.sampling.store import SampleStore
from valence.service.sampling.writer import SampleWriter

from tests.service.sampling.conftest import make_sample

LABELS = ("negative", "neutral", "positive")


class Kept:
    """A writer that keeps all it is given."""

    def __init__(self) -> None:
        self.busy = False
        self.lowest: dict[Any, float] = {}
        self.samples: list[Any] = []

    def keep(self, samples: list[Any]) -> None:
        self.samples += samples

    def texts(self, reason: str) -> list[str]:
        return [one.text for one in self.samples if one.reason == reason]


def predict(index: int, sure: float) -> Prediction:
    rest = (1.0 - sure) / 2
    probabilities = tuple(sure if place == index else rest for place in range(3))
    return Prediction(LABELS[index], probabilities, None, (LABELS[index],))


def use(tokens: int) -> Usage:
    return Usage(10, tokens, tokens, 0)


def observe(sampler: Sampler, texts: list[tuple[str, Prediction, Usage]]) -> None:
    """In the parts that a flush takes."""
    for start in range(0, len(texts), 100):
        part = texts[start : start + 100]
        sampler.observe(*zip(*part, strict=True))
        sampler.flush()


def make(artifact: Artifact, reference: Reference | None = None) -> tuple[Sampler, Kept]:
    writer = Kept()
    return Sampler(artifact.manifest, reference, writer, seed=1), writer  # type: ignore[arg-type]


async def settle(writer: SampleWriter) -> None:
    """Wait until the thread has written what it was given."""
    if writer._running is not None:
        await asyncio.wrap_future(writer._running)


def highest(kept: Kept, reason: str, count: int) -> list[str]:
    ranked = sorted(kept.samples, key=lambda one: -one.priority)
    return [one.text for one in ranked if one.reason == reason][:count]


def test_unsure_texts_are_likelier(tiny_artifact: Artifact) -> None:
    """A tenth of the texts are unsure: they are most of the highest priorities."""
    sampler, kept = make(tiny_artifact)
    observe(
        sampler,
        [
            (f"sure {n}", predict(0, 0.99), use(5))
            if n % 10
            else (f"unsure {n}", predict(0, 0.4), use(5))
            for n in range(3_000)
        ],
    )
    best = highest(kept, "uncertain", 50)
    assert sum(text.startswith("unsure") for text in best) >= 40


def test_each_label_is_kept_about_as_often(tiny_artifact: Artifact) -> None:
    """One in twenty is positive."""
    sampler, kept = make(tiny_artifact)
    observe(
        sampler,
        [
            (f"negative {n}", predict(0, 0.9), use(5))
            if n % 20
            else (f"positive {n}", predict(2, 0.9), use(5))
            for n in range(6_000)
        ],
    )
    counts = Counter(text.split()[0] for text in highest(kept, "diverse", 100))
    assert counts["positive"] >= 30


def test_texts_of_a_new_kind_are_kept(tiny_artifact: Artifact) -> None:
    """The texts of the training were short; from text 500 on, every second one is long."""
    classes = len(CONFIDENCES) + 1
    reference = Reference(
        labels=NamedCounts(names=("negative", "(other)"), texts=(0, 0)),
        confidence=ConfidenceCounts(bounds=CONFIDENCES, texts=(0,) * classes, right=(0,) * classes),
        lengths=RangeCounts(bounds=(8.0,), texts=(500, 0)),
    )
    sampler, kept = make(tiny_artifact, reference)
    observe(sampler, [(f"short {n}", predict(0, 0.9), use(5)) for n in range(600)])
    assert kept.texts("drifting") == []
    observe(
        sampler,
        [
            (f"long {n}" if n % 2 else f"short {n}", predict(0, 0.9), use(30 if n % 2 else 5))
            for n in range(600)
        ],
    )
    found = kept.texts("drifting")
    assert len(found) >= 50
    assert all(text.startswith("long") for text in found)


def test_what_cannot_enter_is_not_handed_over(tiny_artifact: Artifact) -> None:
    sampler, kept = make(tiny_artifact)
    kept.lowest = {("sentiment", reason): 1.0 for reason in ("uncertain", "drifting", "diverse")}
    observe(sampler, [("text", predict(0, 0.5), use(5))] * 50)
    assert kept.samples == []


def test_long_empty_and_surplus_texts_are_not_held(tiny_artifact: Artifact, monkeypatch) -> None:
    sampler, kept = make(tiny_artifact)
    answer = (predict(0, 0.4), use(5))
    monkeypatch.setattr(sampler._flush_soon, "_work", lambda: None)
    sampler.observe(["", "a" * (MAX_CHARACTERS + 1)], [answer[0]] * 2, [answer[1]] * 2)
    assert sampler._waiting == []
    many = [f"text {n}" for n in range(module._MAX_TEXTS + 10)]
    sampler.observe(many, [answer[0]] * len(many), [answer[1]] * len(many))
    assert len(sampler._waiting) == module._MAX_TEXTS
    kept.busy = True
    sampler.flush()
    assert (sampler._waiting, kept.samples) == ([], [])


def test_a_multi_label_model_is_sampled(tiny_artifact: Artifact) -> None:
    several = tiny_artifact.manifest.model_copy(
        update={"task": "multi_label", "thresholds": dict.fromkeys(LABELS, 0.5)}
    )
    kept = Kept()
    sampler = Sampler(several, None, kept, seed=1)  # type: ignore[arg-type]
    answer = Prediction("neutral", (0.1, 0.45, 0.2), None, ())
    observe(sampler, [(f"text {n}", answer, use(5)) for n in range(30)])
    assert kept.texts("uncertain")
    assert kept.samples[0].predicted == ()


async def test_the_writer_keeps_and_bounds_the_sample(tiny_artifact: Artifact, tmp_path) -> None:
    address, logged = str(tmp_path / "feedback.db"), io.StringIO()
    store = SampleStore.open(address)
    store.prepare()
    writer = SampleWriter(lambda: SampleStore.open(address), Log(logged), most=5, days=30)
    sampler = Sampler(tiny_artifact.manifest, None, writer, seed=1)
    for start in range(0, 200, 50):
        texts = [f"text {n}" for n in range(start, start + 50)]
        sampler.observe(texts, [predict(0, 0.4)] * 50, [use(5)] * 50)
        sampler.flush()
        await settle(writer)
    await writer.close()
    kept = list(store.read())
    store.close()
    assert Counter(one.reason for one in kept) == {"uncertain": 5, "diverse": 5}
    assert set(writer.lowest) == {("sentiment", "uncertain"), ("sentiment", "diverse")}
    assert "not kept" not in logged.getvalue()


async def test_old_texts_are_deleted_with_the_first_new_one(tmp_path) -> None:
    address = str(tmp_path / "feedback.db")
    store = SampleStore.open(address)
    store.prepare()
    store.keep([make_sample(1)], most=5)
    writer = SampleWriter(lambda: SampleStore.open(address), Log(io.StringIO()), most=5, days=30)
    writer.keep([make_sample(2, time=4e9)])
    await writer.close()
    assert [one.id for one in store.read()] == ["id-2"]
    store.close()


async def test_a_database_that_fails_is_told_once_without_a_text(tmp_path) -> None:
    logged = io.StringIO()
    log = Log(logged)
    missing = str(tmp_path / "none" / "feedback.db")
    writer = SampleWriter(lambda: SampleStore.open(missing), log, most=5, days=0)
    for _ in range(2):
        writer.keep([make_sample(text="xyzzy-canary-1f3a")])
        await settle(writer)
    await writer.close()
    log.flush()
    assert logged.getvalue().count("sample not kept") == 1
    assert "xyzzy" not in logged.getvalue()


@pytest.mark.parametrize("done", [True, False])
def test_a_busy_writer_takes_nothing(done: bool) -> None:
    writer = SampleWriter(lambda: None, Log(io.StringIO()), most=1, days=0)  # type: ignore[arg-type, return-value]
    writer._running = Future()
    if done:
        writer._running.set_result(None)
    assert writer.busy is not done
