"""The network that teaches itself: trained on the labels alone first, it then answers for texts.

A student of its own earlier self gains from it (Furlanello et al.: *Born-Again Neural Networks*,
ICML 2018). Beside a teacher that errs on other texts, as n-grams do, it gains more: what each of
two views of a text knows, unlabelled texts pass on to one network (Blum, Mitchell: *Combining
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
from valence.training.distillation.logit_cache import Kept
from valence.training.distillation.teacher import Lesson
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime import distributed
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import copied, sha256
from valence.training.trainer import loop, network
from valence.training.trainer.checkpoint import hold_run


class Itself:
    """What ``configuration`` makes of ``prepared`` without a teacher, from the teacher's seed.

    Its weights and answers are kept in the workspace, so it is trained once, goes on where it was
    interrupted, and is asked of a text once. Of several processes all call this and train together.
    A training text it has learnt, label and all: what is new in its answers is what it says of
    others.
    """

    def __init__(
        self,
        configuration: Configuration,
        prepared: Prepared,
        columns: WordVectors | None,
        lesson: Lesson,
        *,
        seed: int,
        run: Run,
    ) -> None:
        optimization = configuration.optimization.model_copy(update={"seed": seed})
        self._configuration = configuration.model_copy(
            update={"name": SELF, "distillation": None, "optimization": optimization}
        )
        self._words = prepared.words
        self._reporter = run.reporter
        key = network.run_key(self._configuration, prepared.identity, prepared.words)
        path = run.workspace.teachers / f"{SELF}-{key}.safetensors"
        self._kept = Kept(path.with_name(f"{path.stem}-logits.safetensors"))
        run.reporter.say(f"{SELF}: the network learns from the labels alone, to teach itself then")
        with hold_run(path) if distributed.is_first() else nullcontext():
            self._model, _ = network.fit(
                self._configuration,
                prepared,
                columns,
                run=run,
                checkpoint=path,
            )
        self._temperature = lesson.temperature(loop.logits(self._model, prepared.encoded["dev"]))

    @property
    def origin(self) -> TeacherOrigin:
        """The package that it is made with, and its weights, whenever they were reached."""
        return TeacherOrigin(
            name=SELF,
            source=f"torch=={version('torch')}",
            license="BSD-3-Clause",
            networks_sha256=(sha256(copied(self._model)),),
        )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)``; what was answered before is read."""
        new = self._kept.missing(texts)
        self._kept.add(new, self._answer, who=SELF, reporter=self._reporter)
        return self._kept.of(texts)

    def _answer(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = encode_texts(texts, self._words, self._configuration)
        return loop.logits(self._model, encoded) / np.float32(self._temperature)
