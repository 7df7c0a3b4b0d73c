"""BentoML's adaptive batching around a torch model."""

from __future__ import annotations

import bentoml


@bentoml.service(name="bentoml_batchable", workers=1)
class Batchable:
    def __init__(self) -> None:
        from tests.trials.bench.eager import EagerClassifier

        self.classifier = EagerClassifier()

    # the latency is the time that its optimizer may wait; with a lower value it answers 503
    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def classify(self, texts: list[str]) -> list[dict]:
        return self.classifier.classify(texts)
