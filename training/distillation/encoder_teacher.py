"""Teachers that are tuned sentence encoders, with their weights and calibrated logits on disk.

Networks that are tuned on the same texts from different seeds err on different texts. The mean of
their answers is therefore right more often than each of them, and one student can learn that mean
(Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015).
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
from valence.training.config.schema import MAX_NETWORKS, Distillation
from valence.training.data.split import hash_examples
from valence.training.distillation.fine_tuning import (
    EncoderClassifier,
    Pieces,
    TuningPlan,
    compute_logits,
    fine_tune,
)
from valence.training.distillation.head import fit_head
from valence.training.distillation.logit_cache import LogitCache
from valence.training.distillation.pairs import tune_on_pairs
from valence.training.distillation.teacher import TeacherData
from valence.training.embeddings.encoder_model import Encoder, LoadedEncoder
from valence.training.runtime import tensor_file
from valence.training.runtime.hashing import sha256_of_json
from valence.training.runtime.run import Run
from valence.training.trainer.checkpoint import hold_run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_PIECES = 256  # of a text
_KEY = "distillation.teacher"
_MODEL = "model"
_TUNING = ("epochs", "learning_rate")
_PACKAGES = ("torch", "transformers")


class EncoderTeacher:
    """Encoders tuned on and calibrated by ``data``; read from the workspace if it has them.

    The name of the files depends on the texts, the settings, the packages and the encoder. The
    first call of :meth:`logits` raises :class:`ConfigurationError` as :meth:`Encoder.load` does.
    """

    def __init__(
        self,
        encoder: Encoder,
        settings: Distillation,
        data: TeacherData,
        run: Run,
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._data = data
        self._targets = data.targets()
        self._run = run
        self._tokenizer: PreTrainedTokenizerBase | None = None
        content = [
            self._encoder.sha256(),
            {name: getattr(settings, name) for name in _TUNING}
            | ({"tuning": settings.tuning} if settings.tuning != "whole" else {}),
            MAX_PIECES,
            [
                data.labels,
                data.task,
                settings.seed,
                hash_examples((*data.train, *data.counterfactuals)),
                hash_examples(data.dev),
            ],
            hashlib.sha256(self._targets.tobytes()).hexdigest(),
            {name: version(name) for name in _PACKAGES},
        ]
        self._key = sha256_of_json(content)[:16]

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the networks' calibrated logits ``(N, K)``; new logits are cached."""
        mean = np.zeros((len(texts), len(self._data.labels)), dtype=np.float32)
        for number in range(self._settings.networks):
            mean += self._network_logits(number, texts) / self._settings.networks
        return mean

    @property
    def origin(self) -> TeacherOrigin:
        """The origin of the encoder, and the hashes of its tuned networks."""
        return TeacherOrigin(
            name=self._encoder.name,
            source=self._encoder.origin,
            license=self._encoder.license,
            sha256=self._encoder.sha256(),
            networks_sha256=tuple(
                seal.sha256(self._path(str(number))) for number in range(self._settings.networks)
            ),
        )

    def _network_logits(self, number: int, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated logits ``(N, K)`` of one network."""
        cache = LogitCache(self._path(f"{number}-logits"))
        if missing := cache.missing(texts):
            network, temperature = self._load_network(number)

            def answer(chunk: Sequence[str]) -> NDArray[np.float32]:
                rows = np.arange(len(chunk))
                logits = compute_logits(network, self._cut(chunk), rows, self._run.device)
                return logits / np.float32(temperature)

            cache.add(missing, answer, who=self._title(number), reporter=self._run.reporter)
        return cache.get(texts)

    def _load_network(self, number: int) -> tuple[EncoderClassifier, float]:
        """The tuned network and its temperature; tunes the network if the workspace lacks it."""
        path = self._path(str(number))
        seed = self._settings.seed * MAX_NETWORKS + number
        torch.manual_seed(seed)
        model = self._load_encoder().model
        network = EncoderClassifier(
            model, hidden_size=model.config.hidden_size, labels=len(self._data.labels)
        )
        try:
            parts, values = tensor_file.read_tensors(path, (_MODEL,))
            network.load_state_dict(parts[_MODEL])
            return network.to(self._run.device), float(values["temperature"])
        except tensor_file.UNREADABLE:
            pass
        with hold_run(path):
            checkpoint = self._path(f"{number}-unfinished")
            plan = TuningPlan(
                self._settings, self._data.task, seed, checkpoint, self._title(number)
            )
            pieces = self._cut(self._data.texts)
            if self._settings.tuning == "whole":
                fine_tune(network, pieces, self._targets, plan, self._run)
            else:
                if self._settings.tuning == "pairs":
                    tune_on_pairs(network, pieces, self._targets, plan, self._run)
                fit_head(network, pieces, self._targets, self._data.task, self._run.device)
            dev = self._cut([example.text for example in self._data.dev])
            logits = compute_logits(network, dev, np.arange(len(self._data.dev)), self._run.device)
            temperature = self._data.temperature(logits)
            tensor_file.write_tensors(
                path, {_MODEL: tensor_file.copy_weights(network)}, {"temperature": temperature}
            )
            checkpoint.unlink(missing_ok=True)
        return network, temperature

    def _cut(self, texts: Sequence[str]) -> Pieces:
        if self._tokenizer is None:
            self._tokenizer = self._load_encoder().tokenizer
        return Pieces(self._tokenizer, texts, longest=MAX_PIECES)

    def _load_encoder(self) -> LoadedEncoder:
        return self._encoder.load(
            self._run.workspace.corpora, key=_KEY, progress=self._run.reporter.say
        )

    def _title(self, number: int) -> str:
        return f"teacher {number + 1}/{self._settings.networks}"

    def _path(self, what: str) -> Path:
        return self._run.workspace.teachers / f"{self._key}-{what}.safetensors"
