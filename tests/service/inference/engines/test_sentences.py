from __future__ import annotations

import io

import numpy as np
import pytest
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Sentences
from valence.service.classifier.sentence_reading import SentenceReader
from valence.service.inference.engines import factory
from valence.service.inference.engines.interface import Engine
from valence.service.observability.log import Log

from tests.support.tiny_models import WORDS

LIMIT, END = 20, WORDS.index(".")
RANDOM = np.random.default_rng(0)
SENTENCES = [
    np.append(RANDOM.integers(0, END, length), END).astype(np.int32) for length in (9, 12, 30)
]
LONG = np.concatenate(SENTENCES)


@pytest.fixture(scope="module")
def artifact(tiny_artifact: Artifact) -> Artifact:
    return read_sentences(tiny_artifact)


def read_sentences(artifact: Artifact) -> Artifact:
    reading = Sentences(longer_than=LIMIT, sharpness=2.0)
    manifest = artifact.manifest.model_copy(update={"sentences": reading})
    return Artifact(manifest, artifact.vocabulary, artifact.tensors)


def make(artifact: Artifact, name: str) -> Engine:
    if name == "reference":
        return factory.create_reference(artifact)
    return factory.create(artifact, name=name, log=Log(io.StringIO()))


@pytest.mark.parametrize("name", ["native", "reference"])
def test_a_long_document_is_the_mean_of_its_sentences(
    artifact: Artifact, tiny_artifact: Artifact, name: str
) -> None:
    engine, whole = make(artifact, name), make(tiny_artifact, name)
    short = SENTENCES[0]
    assert engine.name == whole.name
    found = engine.logits([short, LONG, LONG[:0]])
    expected = SentenceReader(artifact.manifest, artifact.vocabulary).merge(whole.logits(SENTENCES))
    np.testing.assert_allclose(found[1], expected, atol=2e-2 if name == "native" else 1e-5)
    np.testing.assert_allclose(found[::2], whole.logits([short, LONG[:0]]), atol=1e-5)
    assert not np.allclose(found[1], whole.logits([LONG])[0], atol=0.05)


def test_engines_agree_on_long_documents(artifact: Artifact) -> None:
    found, expected = (make(artifact, name).logits([LONG]) for name in ("native", "reference"))
    np.testing.assert_allclose(found, expected, atol=5e-2)


def test_no_documents_have_no_logits(artifact: Artifact) -> None:
    assert make(artifact, "native").logits([]).shape == (0, 3)
