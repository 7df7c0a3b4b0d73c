"""What a network starts from: weights of a language model, trained once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from service.classifier.manifest import LanguageModelRecord
from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training import ranks, state
from training.checkpoint import alone
from training.configuration import Pretraining
from training.corpora import Example
from training.fitting import freeze
from training.pretraining.cutoffs import choose
from training.pretraining.fitting import fit
from training.pretraining.model import LanguageModel, starting_weights
from training.pretraining.sequences import Sequences
from training.progress import Reporter
from training.split import Splits, digest
from training.state import Tensors
from training.unlabelled import Unlabelled

_WEIGHTS = "weights"
_TRAINING = (
    "epochs", "learning_rate", "sequence_tokens", "batch_tokens", "dropout", "cutoffs", "seed",
)  # fmt: skip
_PACKAGES = ("torch", "numpy")


@dataclass(frozen=True, slots=True)
class Start:
    """Weights by their names in the classifier, and where they came from."""

    weights: Tensors
    record: LanguageModelRecord


@dataclass(frozen=True, slots=True)
class _Job:
    """What a language model depends on, beside packages."""

    network: RecurrentClassifier
    settings: Pretraining
    splits: Splits
    unlabelled: Unlabelled
    words: Vocabulary
    frozen_columns: int


def start(
    network: RecurrentClassifier,
    settings: Pretraining,
    splits: Splits,
    unlabelled: Unlabelled,
    *,
    words: Vocabulary,
    frozen_columns: int,
    folder: Path,
    device: torch.device,
    reporter: Reporter,
) -> Start:
    """Train a language model of ``network``'s modules, in place, or find its weights in ``folder``.

    It reads the training and the unlabelled texts, and is judged on dev texts; the first
    ``frozen_columns`` of the embedding stay as they are. What depends on other texts, words,
    settings, packages or another network has another name there. Raises
    :class:`ConfigurationError` while another process is at the same, and for ``cutoffs`` past the
    words.
    """
    _check(settings, words)
    job = _Job(network, settings, splits, unlabelled, words, frozen_columns)
    kept = folder / f"{_key(job)}.safetensors"
    found = ranks.from_first(lambda: _read(kept))
    if found is None:
        with alone(kept) if ranks.is_first() else nullcontext():
            found = _trained(job, kept=kept, device=device, reporter=reporter)
    reporter.say(
        f"the network starts from a language model of {found.record.tokens:,} tokens, perplexity "
        f"{found.record.perplexity:.1f}"
    )
    return found


def _trained(job: _Job, *, kept: Path, device: torch.device, reporter: Reporter) -> Start:
    network, settings, words = job.network, job.settings, job.words
    exact = Vocabulary(words)  # as training texts are read: see training.preparation.encoded
    train, held_out = (
        _sequences(examples, exact, settings)
        for examples in ((*job.splits.train, *job.unlabelled.examples), job.splits.dev)
    )
    cutoffs = settings.cutoffs or choose(
        train.counts(len(words)), units=network.architecture.hidden_size
    )
    reporter.say(
        f"language model: {train.tokens:,} tokens, {settings.epochs} epochs, softmax cut at "
        f"{', '.join(f'{cutoff:,}' for cutoff in cutoffs)} of {len(words):,} words"
    )
    freeze(network.embedding, job.frozen_columns)
    torch.manual_seed(settings.seed)  # the softmax's weights
    checkpoint = kept.with_name(f"{kept.stem}-unfinished.safetensors")
    perplexity = fit(
        LanguageModel(network, cutoffs=cutoffs),
        train,
        held_out,
        settings=settings,
        device=device,
        checkpoint=checkpoint,
        reporter=reporter,
    )
    weights = starting_weights(network)
    record = LanguageModelRecord(
        sha256=_sha256(weights),
        texts={"labelled": len(job.splits.train), "unlabelled": len(job.unlabelled.examples)},
        tokens=train.tokens,
        unlabelled=job.unlabelled.records,
        perplexity=perplexity,
    )
    if ranks.is_first():
        state.write(kept, {_WEIGHTS: weights}, record.model_dump(mode="json"))
        checkpoint.unlink(missing_ok=True)
    return Start(weights, record)


def _check(settings: Pretraining, words: Vocabulary) -> None:
    if len(words) < 2:
        raise ConfigurationError(
            "pretraining: the texts have no word twice, so there is none to tell; lower "
            "text.minimum_count, or leave the section out"
        )
    if settings.cutoffs and settings.cutoffs[-1] >= len(words):
        raise ConfigurationError(
            f"pretraining.cutoffs {list(settings.cutoffs)}: there are {len(words):,} words; give "
            "less, or none for the cheapest"
        )


def _sequences(examples: Sequence[Example], words: Vocabulary, settings: Pretraining) -> Sequences:
    texts = (example.text for example in examples)
    return Sequences(texts, words, longest=settings.sequence_tokens)


def _key(job: _Job) -> str:
    """Names a language model by all that it depends on; its first weights tell the vectors."""
    texts = (job.splits.train, job.splits.dev, job.unlabelled.examples)
    content = [
        {name: getattr(job.settings, name) for name in _TRAINING},
        [digest(examples) for examples in texts],
        [list(job.words), job.frozen_columns, _sha256(starting_weights(job.network))],
        {name: version(name) for name in _PACKAGES},
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _sha256(weights: Tensors) -> str:
    whole = hashlib.sha256()
    for name in sorted(weights):
        value = np.ascontiguousarray(weights[name].numpy())
        whole.update(json.dumps([name, value.shape]).encode() + value.tobytes())
    return whole.hexdigest()


def _read(kept: Path) -> Start | None:
    """What an earlier run came to; None where there is nothing, or nothing that can be read."""
    try:
        parts, record = state.read(kept, (_WEIGHTS,))
        return Start(parts[_WEIGHTS], LanguageModelRecord.model_validate(record))
    except state.UNREADABLE:
        return None
