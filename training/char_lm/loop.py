"""The training loop of character models: the state is carried from chunk to chunk."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from valence.service.errors import ConfigurationError
from valence.training.char_lm import checkpoint
from valence.training.char_lm.alphabet import Alphabet, CharacterIds
from valence.training.char_lm.checkpoint import CharacterCheckpoint, Epoch
from valence.training.char_lm.config import CharacterConfiguration, CharacterOptimization
from valence.training.char_lm.documents import DocumentSplits, join_documents
from valence.training.char_lm.model import CharacterModel, State, detach_state, initialize_weights
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import copy_weights, flatten_optimizer, restore_optimizer
from valence.training.trainer import optimizer as schedule

# held-out text is read in parallel streams; each stream but the first starts without a state
_EVALUATION_STREAMS = 16
_EVALUATION_CHUNK = 100


class _EncodedSplits(NamedTuple):
    """The character ids of each split."""

    train: CharacterIds
    dev: CharacterIds
    test: CharacterIds


def train_model(
    configuration: CharacterConfiguration,
    texts: DocumentSplits,
    *,
    target: Path,
    run: Run,
    fresh: bool = False,
) -> CharacterCheckpoint:
    """Train a model, keep the epoch with the best dev loss, and score it on the test text.

    ``target`` is replaced after each epoch. An interrupted run continues after its last epoch and
    reaches the same weights as an uninterrupted run; ``fresh`` starts over. Raises
    :class:`ConfigurationError` for a text too short for the streams, and if training diverges.
    """
    optimization = configuration.optimization
    alphabet = Alphabet.from_text(
        join_documents(texts.train), minimum_count=configuration.data.minimum_count
    )
    splits = _EncodedSplits(
        *(alphabet.encode(join_documents(part)) for part in (texts.train, texts.dev, texts.test))
    )
    if len(splits.train) < optimization.streams * (optimization.chunk + 1):
        raise ConfigurationError(
            f"{len(splits.train)} characters of training text are too few for "
            f"{optimization.streams} streams of at least {optimization.chunk} characters; "
            "lower optimization.streams"
        )
    data_sha256 = hashlib.sha256(b"".join(part.tobytes() for part in splits)).hexdigest()
    model = checkpoint.build_network(configuration, alphabet)
    initialize_weights(model, optimization.seed)
    model.to(run.device)
    optimizer = _optimizer(model, optimization)
    history: tuple[Epoch, ...] = ()
    best = copy_weights(model)
    before = None if fresh else _load_interrupted_run(target, configuration, data_sha256)
    if before is not None:
        if before.test_bits is not None:
            run.reporter.say(
                f"{target}: this model is trained already; use --fresh to train it again"
            )
            return before
        history, best = before.history, before.best
        model.load_state_dict(before.model)
        restore_optimizer(optimizer, before.optimizer)
        run.reporter.say(f"continuing after epoch {len(history)} of an interrupted run")

    def make_checkpoint(test_bits: float | None) -> CharacterCheckpoint:
        return CharacterCheckpoint(
            configuration,
            alphabet,
            data_sha256,
            history,
            test_bits,
            model=copy_weights(model),
            best=best,
            optimizer=flatten_optimizer(optimizer),
        )

    while len(history) < optimization.epochs:
        epoch = _train_epoch(
            model,
            optimizer,
            splits,
            history=history,
            optimization=optimization,
            run=run,
        )
        history = (*history, epoch)
        if min(history, key=lambda past: past.dev_bits) is epoch:
            best = copy_weights(model)
        checkpoint.save_checkpoint(make_checkpoint(None), target)
    model.load_state_dict(best)
    done = make_checkpoint(measure_bits(model, splits.test))
    checkpoint.save_checkpoint(done, target)
    return done


def measure_bits(model: CharacterModel, text: CharacterIds) -> float:
    """Bits per character of ``text``: cross-entropy in base 2. The perplexity is 2 ** bits."""
    model.eval()
    device = model.output.weight.device
    total, count = 0.0, 0
    state: State | None = None
    with torch.inference_mode():
        for inputs, targets in iterate_chunks(
            text, streams=_EVALUATION_STREAMS, length=_EVALUATION_CHUNK
        ):
            logits, state = model(inputs.to(device), state)
            loss = functional.cross_entropy(
                logits.flatten(0, 1).double(), targets.to(device).flatten(), reduction="sum"
            )
            total += loss.item()
            count += targets.numel()
    return total / count / math.log(2.0)


def iterate_chunks(
    text: CharacterIds, *, streams: int, length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of ``text``, cut into ``streams`` equal parts that are read in parallel.

    Yields characters ``(T, B)`` and the next characters ``(T, B)``, where T is at most ``length``.
    Each chunk continues the previous chunk, so that a state can be carried over. The remainder of
    the division is not read.
    """
    streams = max(1, min(streams, len(text) // 2))
    size = (len(text) - 1) // streams
    inputs = torch.from_numpy(text[: size * streams].reshape(streams, size).T.copy())
    targets = torch.from_numpy(text[1 : size * streams + 1].reshape(streams, size).T.copy())
    for start in range(0, size, length):
        yield inputs[start : start + length], targets[start : start + length]


def _train_epoch(
    model: CharacterModel,
    optimizer: torch.optim.Optimizer,
    splits: _EncodedSplits,
    *,
    history: Sequence[Epoch],
    optimization: CharacterOptimization,
    run: Run,
) -> Epoch:
    number = len(history) + 1
    note = f"dev {history[-1].dev_bits:.3f} bits per character" if history else ""
    torch.manual_seed(optimization.seed * 10_007 + number)
    model.train()
    device = model.output.weight.device
    # each epoch starts at another offset, so that chunks begin at other characters
    offset = int(np.random.default_rng(number).integers(optimization.chunk))
    text = splits.train[offset:]
    steps = math.ceil(((len(text) - 1) // optimization.streams) / optimization.chunk)
    started = time.perf_counter()
    loss_sum = torch.zeros((), device=device)
    seen = 0
    state: State | None = None
    with run.reporter.bar(
        f"epoch {number}/{optimization.epochs}",
        total=steps * optimization.epochs,
        done=(number - 1) * steps,
        note=note,
    ) as advance:
        pairs = iterate_chunks(text, streams=optimization.streams, length=optimization.chunk)
        for step, (inputs, targets) in enumerate(pairs, start=(number - 1) * steps):
            done = step / (steps * optimization.epochs)
            schedule.set_learning_rate(optimizer, optimization.learning_rate * (1.0 - 0.9 * done))
            logits, state = model(inputs.to(device), state)
            state = detach_state(state)
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.to(device).flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
            optimizer.step()
            loss_sum += loss.detach() * targets.numel()
            seen += targets.numel()
            advance(tokens_per_second=seen / (time.perf_counter() - started))
    seconds = time.perf_counter() - started
    epoch = Epoch(
        epoch=number,
        train_bits=loss_sum.item() / seen / math.log(2.0),
        dev_bits=measure_bits(model, splits.dev),
        seconds=seconds,
        characters_per_second=seen / seconds,
    )
    if not (math.isfinite(epoch.train_bits) and math.isfinite(epoch.dev_bits)):
        raise ConfigurationError(
            f"training diverged in epoch {number}; lower optimization.learning_rate "
            f"({optimization.learning_rate}) or optimization.clip_norm ({optimization.clip_norm})"
        )
    run.reporter.say(
        f"epoch {number}/{optimization.epochs}: train {epoch.train_bits:.3f}, "
        f"dev {epoch.dev_bits:.3f} bits per character, {seconds:.0f} s, "
        f"{epoch.characters_per_second:,.0f} characters/s"
    )
    return epoch


def _optimizer(model: CharacterModel, optimization: CharacterOptimization) -> torch.optim.Optimizer:
    if optimization.optimizer == "adagrad":  # Duchi, Hazan, Singer 2011
        return torch.optim.Adagrad(model.parameters(), lr=optimization.learning_rate)
    return torch.optim.AdamW(
        model.parameters(), lr=optimization.learning_rate, weight_decay=0.0, fused=True
    )


def _load_interrupted_run(
    target: Path, configuration: CharacterConfiguration, data_sha256: str
) -> CharacterCheckpoint | None:
    """The checkpoint of an earlier run with the same configuration and text."""
    try:
        before = checkpoint.load_checkpoint(target)
    except ConfigurationError:
        return None
    # the expected result changes no weight
    same = before.configuration.model_copy(update={"expected": configuration.expected})
    return before if same == configuration and before.data_sha256 == data_sha256 else None
