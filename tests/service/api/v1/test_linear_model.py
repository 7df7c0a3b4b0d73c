"""A model of n-grams alone, from its folder to answers of the service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import safetensors.numpy
from valence.service.classifier import artifact, seal
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import to_probabilities
from valence.service.errors import ArtifactError
from valence.service.inference.engines.ngrams import NGramEngine

from tests.support.tiny_models import make_linear

TEXT = "Not good movie, tiramisu was very bad"


@pytest.fixture
def folder(tmp_path: Path, tiny_artifact: Artifact) -> Path:
    linear = make_linear(tiny_artifact)
    artifact.save(tmp_path / "linear", linear.manifest, linear.vocabulary, linear.tensors)
    return tmp_path / "linear"


@pytest.fixture
def client(serve: Callable[..., Any], folder: Path) -> httpx.AsyncClient:
    loaded = artifact.load(folder)
    served: httpx.AsyncClient = serve(artifact=loaded, engine=NGramEngine(loaded)).client
    return served


def test_a_folder_keeps_a_linear_model(folder: Path, tiny_artifact: Artifact) -> None:
    loaded, made = artifact.load(folder), make_linear(tiny_artifact)
    assert loaded.manifest == made.manifest
    assert loaded.tensors.keys() == made.tensors.keys()
    for name, value in made.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], value)


async def test_an_answer_is_explained_exactly(
    client: httpx.AsyncClient, tiny_artifact: Artifact
) -> None:
    body = {"text": TEXT, "explain": True}
    (result,) = (await client.post("/v1/classify", json=body)).json()["results"]
    linear = make_linear(tiny_artifact)
    ids = linear.vocabulary.encode(TEXT).ids
    logits = NGramEngine(linear).logits([ids])
    values = to_probabilities(logits, temperature=linear.manifest.temperature)[0]
    label = linear.manifest.labels[int(values.argmax())]
    assert result["label"] == label
    explanation = result["explanation"]
    assert explanation["completeness_error"] < 1e-4
    bias = linear.tensors["output.bias"][values.argmax()]
    assert explanation["baseline_logit"] == pytest.approx(bias, abs=1e-5)
    by_word = {
        TEXT[token["start"] : token["end"]]: token["contribution"]
        for token in explanation["tokens"]
    }
    assert by_word["tiramisu"] == 0.0  # a word that no text of the training had
    assert sum(by_word.values()) == pytest.approx(logits.max() - bias, abs=1e-4)


async def test_a_linear_model_has_no_activations(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/activations", json={"text": TEXT})
    assert answer.status_code == 422
    assert "linear over n-grams and has no units" in json.dumps(answer.json())


def copy_tensors(folder: Path) -> dict[str, np.ndarray]:
    stored = safetensors.numpy.load_file(folder / artifact.WEIGHTS)
    return {name: value.copy() for name, value in stored.items()}


def test_a_damaged_table_is_refused(folder: Path) -> None:
    tensors = copy_tensors(folder)
    tensors["ngrams.words"][0, 0] = 2.0  # the second row's word
    safetensors.numpy.save_file(tensors, folder / artifact.WEIGHTS)
    seal.seal(folder)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: ngrams\.words has"):
        artifact.load(folder)


def test_weights_that_overflow_are_refused(folder: Path) -> None:
    tensors = copy_tensors(folder)
    tensors["ngrams.weights"][0, 0] = 3e38
    safetensors.numpy.save_file(tensors, folder / artifact.WEIGHTS)
    seal.seal(folder)
    with pytest.raises(ArtifactError, match="may not be finite"):
        artifact.load(folder)
