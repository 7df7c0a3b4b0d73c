from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.config import loader

from tests.trials.gpu import measurements, peers
from tests.trials.gpu.measurements import Scale
from tests.trials.gpu.network import (
    LABELS,
    count_bytes,
    count_operations,
    draw_documents,
    make_artifact,
    spell,
)

PRESET = Path(loader.__file__).parent / "presets" / "sentiment.toml"
CPU = torch.device("cpu")
SCALE = Scale(words=300, batches=(2,), texts=32, seconds=0.0, product=16, copy_bytes=64)


def test_the_network_has_the_sizes_of_the_preset() -> None:
    preset = loader.load_configuration(PRESET)
    shape = make_artifact(words=300).manifest.architecture
    assert shape.model_dump(include=set(type(preset.network).model_fields)) == (
        preset.network.model_dump()
    )
    assert preset.labels == LABELS
    assert preset.words.vectors == ("glove-6b-50d", "all-minilm-l6-v2")
    assert shape.embedding_size == 50 + 384 + preset.words.learned_size


def test_each_word_is_one_word_of_the_vocabulary() -> None:
    words = make_artifact(words=300).vocabulary
    assert len(words) == 300
    text = " ".join(map(spell, range(1, 300)))
    assert words.encode(text, max_tokens=300).ids.tolist() == list(range(1, 300))


def test_operations_and_bytes_are_those_of_the_products() -> None:
    shape = make_artifact(words=300).manifest.architecture
    weights = 2 * 4 * 128 * (434 + 128)
    assert count_operations(shape, 10) == 2 * 10 * weights
    assert count_bytes(shape, 10, width=2) == 2 * (weights + 10 * (434 + 2 * 256))


@pytest.mark.parametrize("make", [peers.make_eager, None], ids=["packed", "padded"])
def test_peers_compute_the_same_network(make: object) -> None:
    artifact = make_artifact(words=300)
    documents = draw_documents(9, words=300, shortest=1)
    expected = ReferenceEngine(artifact).logits(documents)
    if make is None:
        ids, lengths = peers.pad(documents)
        found = peers._make_network(artifact, CPU)(ids, lengths).detach().numpy()
    else:
        found = peers.make_eager(artifact, CPU)(documents)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    # weights that hardly move the labels would agree whatever an engine computes
    assert expected.std() > 0.5
    assert len(set(expected.argmax(1).tolist())) > 1


def test_another_network_does_not_agree() -> None:
    documents = draw_documents(9, words=300)
    right, wrong = (
        ReferenceEngine(make_artifact(words=300, seed=seed)).logits(documents) for seed in (0, 1)
    )
    assert measurements.agrees(measurements.compare(right, right))
    assert not measurements.agrees(measurements.compare(right, wrong))
    assert not measurements.agrees(measurements.compare(right, right * np.float32(np.nan)))


def test_the_engine_is_measured_beside_the_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(peers, "make_compiled", fail)
    (row,) = measurements.measure_speed(CPU, SCALE)
    assert row["rows"] == 2
    assert float(row["engine"]) > 0
    assert float(row["eager"]) > 0
    assert row["compiled"] == "failed: RuntimeError"
    assert "graph" not in row


def test_a_peer_that_answers_wrong_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        peers, "make_compiled", lambda *_: lambda documents: np.eye(len(documents), 3)
    )
    (row,) = measurements.measure_speed(CPU, SCALE)
    assert row["compiled"] == "wrong answers"


def test_agreement_and_training_run_on_a_processor() -> None:
    (agreement,) = measurements.measure_agreement(CPU, SCALE)
    assert measurements.agrees(agreement)
    assert agreement["texts"] == 17
    (training,) = measurements.measure_training(CPU, dataclasses.replace(SCALE, texts=8))
    assert float(training["trainer"]) > 0
    assert float(training["cudnn"]) > 0
