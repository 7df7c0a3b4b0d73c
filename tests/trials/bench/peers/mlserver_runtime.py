"""A runtime of MLServer that computes with Valence's own engine.

So a comparison of reloads compares the servers alone. MLServer imports this module by the name in
``model-settings.json``; it has an environment of its own, ``.venv-mlserver``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.engines import factory
from valence.service.observability.log import Log


class Classify(MLModel):
    """The model in the folder that ``parameters.uri`` names."""

    async def load(self) -> bool:
        """Load the artifact, as Valence's own server does."""
        loaded = artifact.load(Path(self.settings.parameters.uri))
        self._served = loaded.manifest.version
        self._classifier = Classifier(loaded)
        self._engine = factory.create(loaded, name="native", log=Log(sys.stderr))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer with a label for each text, and with the version that gave it."""
        texts = StringCodec.decode_input(payload.inputs[0])
        documents = [self._classifier.encode_head(text).ids for text in texts]
        predictions = self._classifier.predict(self._engine.logits(documents))
        labels = self._classifier.artifact.manifest.labels
        best = [
            labels[max(range(len(labels)), key=p.probabilities.__getitem__)] for p in predictions
        ]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("label", best),
                StringCodec.encode_output("version", [self._served]),
            ],
        )
