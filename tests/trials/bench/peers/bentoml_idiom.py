"""BentoML as in the first page of its documentation: ``@bentoml.api`` around a torch model."""

from __future__ import annotations

import bentoml


@bentoml.service(name="bentoml_idiom", workers=1)
class Idiom:
    def __init__(self) -> None:
        from tests.trials.bench.eager import EagerClassifier

        self.classifier = EagerClassifier()

    @bentoml.api
    def classify(self, text: str) -> dict:
        return self.classifier.classify([text])[0]

    @bentoml.api
    def classify_many(self, texts: list[str]) -> list[dict]:
        return self.classifier.classify(texts)
