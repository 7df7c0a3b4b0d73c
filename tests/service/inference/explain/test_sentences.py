from __future__ import annotations

import numpy as np
import pytest
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.sentence_reading import SentenceReader
from valence.service.inference.explain.explainer import make_attributor

from tests.service.inference.engines.test_sentences import (
    LONG,
    SENTENCES,
    make,
    read_sentences,
)


@pytest.mark.parametrize("label", range(3))
def test_tokens_add_up_to_the_weighted_difference(tiny_artifact: Artifact, label: int) -> None:
    artifact = read_sentences(tiny_artifact)
    engine = make(artifact, "native")
    attributor = make_attributor(artifact, engine)
    found = attributor.attribute(LONG, label)
    reader = SentenceReader(artifact.manifest, artifact.vocabulary)
    logits = make(tiny_artifact, "reference").logits(SENTENCES)
    assert found.logit == pytest.approx(float(reader.weigh(logits) @ logits[:, label]), abs=0.02)
    assert found.contributions.shape == LONG.shape
    difference = found.logit - found.baseline_logit
    assert float(found.contributions.sum()) == pytest.approx(difference, abs=1e-3)


def test_a_short_text_is_explained_as_a_whole(tiny_artifact: Artifact) -> None:
    artifact = read_sentences(tiny_artifact)
    engine = make(artifact, "native")
    read, whole = (
        make_attributor(each, engine).attribute(SENTENCES[0], 1)
        for each in (artifact, tiny_artifact)
    )
    np.testing.assert_array_equal(read.contributions, whole.contributions)


def test_each_sentence_is_read_from_a_fresh_state(tiny_artifact: Artifact) -> None:
    artifact = read_sentences(tiny_artifact)
    attributor = make_attributor(artifact, make(artifact, "native"))
    states = attributor.activations(LONG)
    alone = [attributor.activations(sentence) for sentence in SENTENCES]
    np.testing.assert_allclose(states, np.concatenate(alone), atol=1e-6)
