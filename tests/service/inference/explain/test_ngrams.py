from __future__ import annotations

import numpy as np
import pytest
from valence.service.inference.engines import factory
from valence.service.inference.explain.explainer import make_attributor

from tests.service.inference.engines.test_ngrams import DOCUMENTS, SIZE, build

NETWORK = {"layers": 1, "embedding_size": 4, "hidden_size": 3}


@pytest.mark.parametrize("shape", [{}, NETWORK])
def test_tokens_add_up_to_the_difference_of_logits(shape: dict[str, int]) -> None:
    artifact = build(**shape)
    engine = factory.create_reference(artifact)
    attributor = make_attributor(artifact, engine)
    for ids in DOCUMENTS:
        logits, baseline = engine.logits([ids, np.zeros_like(ids)])
        for label in range(3):
            found = attributor.attribute(ids, label)
            assert found.logit == pytest.approx(logits[label], abs=1e-4)
            assert found.baseline_logit == pytest.approx(baseline[label], abs=1e-4)
            added = float(found.contributions.sum())
            assert added == pytest.approx(found.logit - found.baseline_logit, abs=1e-4)


def test_ngrams_alone_have_no_activations() -> None:
    artifact = build()
    attributor = make_attributor(artifact, factory.create_reference(artifact))
    states = attributor.activations(np.arange(SIZE, dtype=np.int32))
    assert states.size == 0
