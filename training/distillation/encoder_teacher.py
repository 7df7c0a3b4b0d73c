"""The teacher's networks and their calibrated logits, each made once and kept.

Networks that are tuned on the same texts from other seeds err on other texts, so the mean of what
they say is more often right than any of them, and one student can learn it (Hinton, Vinyals, Dean:
*Distilling the Knowledge in a Neural Network*, 2015).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from valence.service.classifier import seal
from valence.service.classifier.manifest import TeacherOrigin
from valence.training.config.schema import MOST_NETWORKS, Distillation
from valence.training.data.split import digest
from valence.training.distillation.fine_tuning import Network, Pieces, answers, fine_tune
from valence.training.distillation.logit_cache import Kept
from valence.training.distillation.teacher import Lesson
from valence.training.embeddings.encoder_model import Encoder, Loaded
from valence.training.runtime import tensor_file
from valence.training.runtime.hashing import sha256_of_json
from valence.training.runtime.run import Run
from valence.training.trainer.checkpoint import hold_run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 256  # pieces of a text that the teacher reads
_KEY = "distillation.teacher"
_MODEL = "model"
_TUNING = ("epochs", "learning_rate")
_PACKAGES = ("torch", "transformers")


class Ensemble:
    """Networks tuned on and calibrated by a ``lesson``, from the workspace if they are there.

    What depends on other texts, settings, packages or another encoder has another name there.
    Raises :class:`ConfigurationError` when it is first asked, as :meth:`Encoder.load` does.
    """

    def __init__(
        self,
        encoder: Encoder,
        settings: Distillation,
        lesson: Lesson,
        run: Run,
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._lesson = lesson
        self._targets = lesson.wanted()
        self._run = run
        self._tokenizer: PreTrainedTokenizerBase | None = None
        content = [
            self._encoder.sha256(),
            {name: getattr(settings, name) for name in _TUNING},
            LONGEST,
            [lesson.labels, lesson.task, settings.seed, digest(lesson.train), digest(lesson.dev)],
            hashlib.sha256(self._targets.tobytes()).hexdigest(),
            {name: version(name) for name in _PACKAGES},
        ]
        self._key = sha256_of_json(content)[:16]

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the networks' calibrated logits ``(N, K)``.

        What was answered before is read from the folder, and new answers are added to it.
        """
        found = np.zeros((len(texts), len(self._lesson.labels)), dtype=np.float32)
        for number in range(self._settings.networks):
            found += self._answered(number, texts) / self._settings.networks
        return found

    @property
    def origin(self) -> TeacherOrigin:
        """The encoder's, and its tuned networks."""
        return TeacherOrigin(
            name=self._encoder.name,
            source=self._encoder.origin,
            license=self._encoder.license,
            sha256=self._encoder.sha256(),
            networks_sha256=tuple(
                seal.sha256(self._path(str(number))) for number in range(self._settings.networks)
            ),
        )

    def _answered(self, number: int, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(texts, K)`` of one network."""
        kept = Kept(self._path(f"{number}-logits"))
        if new := kept.missing(texts):
            network, temperature = self._network(number)

            def answer(some: Sequence[str]) -> NDArray[np.float32]:
                rows = np.arange(len(some))
                logits = answers(network, self._pieces(some), rows, self._run.device)
                return logits / np.float32(temperature)

            kept.add(new, answer, who=self._title(number), reporter=self._run.reporter)
        return kept.of(texts)

    def _network(self, number: int) -> tuple[Network, float]:
        """The tuned network and its temperature; tuned first if it is not in the folder."""
        path = self._path(str(number))
        seed = self._settings.seed * MOST_NETWORKS + number
        torch.manual_seed(seed)
        model = self._encoder_parts().model
        network = Network(
            model, hidden_size=model.config.hidden_size, labels=len(self._lesson.labels)
        )
        try:
            parts, rest = tensor_file.read(path, (_MODEL,))
            network.load_state_dict(parts[_MODEL])
            return network.to(self._run.device), float(rest["temperature"])
        except tensor_file.UNREADABLE:
            pass
        with hold_run(path):
            checkpoint = self._path(f"{number}-unfinished")
            fine_tune(
                network,
                self._pieces([example.text for example in self._lesson.train]),
                self._targets,
                settings=self._settings,
                task=self._lesson.task,
                seed=seed,
                run=self._run,
                checkpoint=checkpoint,
                title=self._title(number),
            )
            dev = self._pieces([example.text for example in self._lesson.dev])
            logits = answers(network, dev, np.arange(len(self._lesson.dev)), self._run.device)
            temperature = self._lesson.temperature(logits)
            tensor_file.write(
                path, {_MODEL: tensor_file.copied(network)}, {"temperature": temperature}
            )
            checkpoint.unlink(missing_ok=True)
        return network, temperature

    def _pieces(self, texts: Sequence[str]) -> Pieces:
        if self._tokenizer is None:
            self._tokenizer = self._encoder_parts().tokenizer
        return Pieces(self._tokenizer, texts, longest=LONGEST)

    def _encoder_parts(self) -> Loaded:
        return self._encoder.load(
            self._run.workspace.corpora, key=_KEY, progress=self._run.reporter.say
        )

    def _title(self, number: int) -> str:
        return f"teacher {number + 1}/{self._settings.networks}"

    def _path(self, what: str) -> Path:
        return self._run.workspace.teachers / f"{self._key}-{what}.safetensors"
