"""The network as its own teacher: trained on the labels alone first, it then labels texts.

A student gains from an earlier copy of itself (Furlanello et al.: *Born-Again Neural Networks*,
ICML 2018). It gains more beside a teacher that errs on other texts, such as n-grams: unlabelled
texts pass the knowledge of two views of a text on to one network (Blum, Mitchell: *Combining
Labeled and Unlabeled Data with Co-Training*, COLT 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import TeacherOrigin
from valence.training.config.schema import SELF, Configuration
from valence.training.data.batches import encode_texts
from valence.training.data.preparation import Prepared
from valence.training.distillation.logit_cache import LogitCache
from valence.training.distillation.teacher import TeacherData
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime import distributed
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import copy_weights, hash_tensors
from valence.training.trainer import loop, network
from valence.training.trainer.checkpoint import hold_run


class SelfTeacher:
    """The network of ``configuration``, trained on ``prepared`` without a teacher.

    ``seed`` is the teacher's. The workspace keeps the weights and logits. The network is therefore
    trained once, continues an interrupted training, and computes the logits of a text once. All
    processes of a training construct the teacher and train it together. The network has learnt the
    training texts with their labels; its logits of other texts are what it adds.
    """

    def __init__(
        self,
        configuration: Configuration,
        prepared: Prepared,
        pretrained: WordVectors | None,
        data: TeacherData,
        *,
        seed: int,
        run: Run,
    ) -> None:
        optimization = configuration.optimization.model_copy(update={"seed": seed})
        self._configuration = configuration.model_copy(
            update={"name": SELF, "distillation": None, "optimization": optimization}
        )
        self._vocabulary = prepared.vocabulary
        self._reporter = run.reporter
        key = network.run_key(self._configuration, prepared.identity, prepared.vocabulary)
        path = run.workspace.teachers / f"{SELF}-{key}.safetensors"
        self._cache = LogitCache(path.with_name(f"{path.stem}-logits.safetensors"))
        run.reporter.say(f"{SELF}: training the network on the labels alone, to be its own teacher")
        with hold_run(path) if distributed.is_first() else nullcontext():
            self._model = network.train_network(
                self._configuration, prepared, pretrained, run=run, checkpoint=path
            ).model
        self._temperature = data.temperature(
            loop.compute_logits(self._model, prepared.held_out["dev"])
        )

    @property
    def origin(self) -> TeacherOrigin:
        """The package that trained the network, and a hash of its weights."""
        return TeacherOrigin(
            name=SELF,
            source=f"torch=={version('torch')}",
            license="BSD-3-Clause",
            networks_sha256=(hash_tensors(copy_weights(self._model)),),
        )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``, read from the cache where they are known."""
        missing = self._cache.missing(texts)
        self._cache.add(missing, self._compute_logits, who=SELF, reporter=self._reporter)
        return self._cache.get(texts)

    def _compute_logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = encode_texts(texts, self._vocabulary, self._configuration)
        return loop.compute_logits(self._model, encoded) / np.float32(self._temperature)
