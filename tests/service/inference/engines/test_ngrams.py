"""The engine of n-grams, alone and beside every engine of networks."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.inference.engines import factory, native
from valence.service.observability.log import Log

SIZE = 6
WORDS = np.array([(1, 0, 0), (2, 0, 0), (3, 0, 0), (1, 2, 0), (1, 2, 3)], dtype=np.float32)
DOCUMENTS = [np.array(ids, dtype=np.int32) for ids in ([1, 2, 3], [], [5, 5], [3, 1, 2, 2])]


def build(**shape: Any) -> Artifact:
    """Return random weights; without ``shape``, n-grams alone."""
    architecture = Architecture(
        **{"vocabulary_size": SIZE, "labels": 3, "ngrams": len(WORDS), "layers": 0} | shape
    )
    random = np.random.default_rng(0)
    tensors = {
        name: random.uniform(0.1, 1.0, size).astype(np.float32)
        for name, size in architecture.tensor_shapes().items()
    }
    tensors["ngrams.words"] = WORDS
    vocabulary = Vocabulary(["<unk>", *(f"w{number}" for number in range(1, SIZE))])
    manifest = Manifest.model_construct(architecture=architecture, name="linear")
    return Artifact(manifest, vocabulary, tensors)


def make_log() -> Log:
    return Log(io.StringIO())


@pytest.mark.parametrize("name", ["auto", "native", "reference", "cuda"])
def test_ngrams_alone_need_no_engine_of_networks(name: str) -> None:
    artifact = build()
    engine = factory.create(artifact, name=name, log=make_log())
    assert engine.name == "ngrams"
    expected = NGramTable(artifact.tensors, vocabulary_size=SIZE).logits(DOCUMENTS)
    expected += artifact.tensors["output.bias"]
    np.testing.assert_array_equal(engine.logits(DOCUMENTS), expected)
    np.testing.assert_array_equal(engine.logits(DOCUMENTS)[1], artifact.tensors["output.bias"])


@pytest.mark.skipif(not native.native_available(), reason="the kernel is not built")
def test_native_and_reference_agree_on_the_sum() -> None:
    both = build(layers=1, embedding_size=4, hidden_size=3)
    reference = factory.create_reference(both)
    served = factory.create(both, name="auto", log=make_log())
    assert reference.name == "reference-cpu+ngrams"
    assert served.name.startswith("native-")
    assert served.name.endswith("+ngrams")
    answers = reference.logits(DOCUMENTS)
    exact = factory.create(both, name="native-portable", log=make_log()).logits(DOCUMENTS)
    np.testing.assert_allclose(exact, answers, atol=1e-5)
    ngrams = NGramTable(both.tensors, vocabulary_size=SIZE).logits(DOCUMENTS)
    without = build(layers=1, embedding_size=4, hidden_size=3)
    shape = without.manifest.architecture.model_copy(update={"ngrams": 0})
    without = Artifact(
        Manifest.model_construct(architecture=shape, name="network"),
        without.vocabulary,
        {name: both.tensors[name] for name in shape.tensor_shapes()},
    )
    network = factory.create_reference(without).logits(DOCUMENTS)
    np.testing.assert_allclose(answers - network, ngrams, atol=1e-5)


@pytest.mark.skipif(not native.native_available(), reason="the kernel is not built")
def test_no_ngram_is_added_to_the_logit_of_outside() -> None:
    both = build(layers=1, embedding_size=4, hidden_size=3, outside=True)
    shape = both.manifest.architecture.model_copy(update={"ngrams": 0})
    alone = Artifact(
        Manifest.model_construct(architecture=shape, name="network"),
        both.vocabulary,
        {name: both.tensors[name] for name in shape.tensor_shapes()},
    )
    ngrams = NGramTable(both.tensors, vocabulary_size=SIZE).logits(DOCUMENTS)
    for name in ("reference", "native-portable"):
        answers, network = (
            factory.create(one, name=name, log=make_log()).logits(DOCUMENTS)
            for one in (both, alone)
        )
        assert answers.shape == (len(DOCUMENTS), 4)
        np.testing.assert_array_equal(answers[:, 3], network[:, 3])
        np.testing.assert_allclose(answers[:, :3] - network[:, :3], ngrams, atol=1e-5)


def test_ngrams_alone_have_a_logit_of_outside() -> None:
    artifact = build(outside=True)
    logits = factory.create(artifact, name="auto", log=make_log()).logits(DOCUMENTS)
    assert logits.shape == (len(DOCUMENTS), 4)
    np.testing.assert_array_equal(logits[1], artifact.tensors["output.bias"])


def test_ngrams_are_served_without_torch_and_scikit_learn() -> None:
    program = """
import sys
from tests.service.inference.engines.test_ngrams import DOCUMENTS, build, make_log
from valence.service.inference.engines import factory
print(factory.create(build(), name="auto", log=make_log()).logits(DOCUMENTS).shape)
assert not {"torch", "sklearn", "scipy"} & set(sys.modules), sorted(sys.modules)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert shown.stdout == "(4, 3)\n"
