"""The training loop: chunk after chunk, the state carried over."""

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
from valence.training.char_lm import store
from valence.training.char_lm.alphabet import Alphabet, Characters
from valence.training.char_lm.config import CharacterConfiguration, Optimization
from valence.training.char_lm.model import CharacterModel, State, detach, seeded
from valence.training.char_lm.store import Epoch, Saved
from valence.training.char_lm.text import Texts, join
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import copy_weights, flatten_optimizer, restore_optimizer
from valence.training.trainer import optimizer as descent

# held-out text is read in so many places at once, each but the first without what came before it
_JUDGED_STREAMS = 16
_JUDGED_CHUNK = 100


class _Encoded(NamedTuple):
    """The characters of each split, as numbers."""

    train: Characters
    dev: Characters
    test: Characters


def fit(
    configuration: CharacterConfiguration,
    texts: Texts,
    *,
    target: Path,
    run: Run,
    fresh: bool = False,
) -> Saved:
    """Train, keep the epoch that predicts dev best in ``target``, and judge it on the test text.

    ``target`` is replaced after each epoch, and a run that was interrupted continues from the last
    one to the very weights it would have reached; ``fresh`` begins anew. Raises
    :class:`ConfigurationError` for text shorter than its streams, and if training diverges.
    """
    optimization = configuration.optimization
    alphabet = Alphabet.of(join(texts.train), minimum_count=configuration.data.minimum_count)
    parts = _Encoded(
        *(alphabet.encode(join(part)) for part in (texts.train, texts.dev, texts.test))
    )
    if len(parts.train) < optimization.streams * (optimization.chunk + 1):
        raise ConfigurationError(
            f"{len(parts.train)} characters to learn from are too few for {optimization.streams} "
            f"streams of {optimization.chunk} at least; lower optimization.streams"
        )
    hashed = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    model = store.network(configuration, alphabet)
    seeded(model, optimization.seed)
    model.to(run.device)
    optimizer = _optimizer(model, optimization)
    history: tuple[Epoch, ...] = ()
    best = copy_weights(model)
    before = None if fresh else _interrupted(target, configuration, hashed)
    if before is not None:
        if before.test_bits is not None:
            run.reporter.say(f"{target}: this model is trained already; --fresh trains it anew")
            return before
        history, best = before.history, before.best
        model.load_state_dict(before.model)
        restore_optimizer(optimizer, before.optimizer)
        run.reporter.say(f"continuing after epoch {len(history)} of an interrupted run")

    def saved(test_bits: float | None) -> Saved:
        return Saved(
            configuration,
            alphabet,
            hashed,
            history,
            test_bits,
            model=copy_weights(model),
            best=best,
            optimizer=flatten_optimizer(optimizer),
        )

    while len(history) < optimization.epochs:
        epoch = _epoch(
            model,
            optimizer,
            parts,
            history=history,
            optimization=optimization,
            run=run,
        )
        history = (*history, epoch)
        if min(history, key=lambda one: one.dev_bits) is epoch:
            best = copy_weights(model)
        store.save(saved(None), target)
    model.load_state_dict(best)
    done = saved(bits(model, parts.test))
    store.save(done, target)
    return done


def bits(model: CharacterModel, text: Characters) -> float:
    """Bits a character of ``text``: cross-entropy in base 2. The perplexity is 2 to this power."""
    model.eval()
    device = model.output.weight.device
    total, count = 0.0, 0
    state: State | None = None
    with torch.inference_mode():
        for read, following in chunks(text, streams=_JUDGED_STREAMS, length=_JUDGED_CHUNK):
            logits, state = model(read.to(device), state)
            loss = functional.cross_entropy(
                logits.flatten(0, 1).double(), following.to(device).flatten(), reduction="sum"
            )
            total += loss.item()
            count += following.numel()
    return total / count / math.log(2.0)


def chunks(text: Characters, *, streams: int, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """``text`` cut into ``streams`` equal parts, read side by side ``length`` at a time.

    Yields characters ``(T, B)`` and those that follow them. Every chunk goes on where the one
    before ended, so that a state can be carried over. What is left of the division is not read.
    """
    streams = max(1, min(streams, len(text) // 2))
    each = (len(text) - 1) // streams
    read = torch.from_numpy(text[: each * streams].reshape(streams, each).T.copy())
    following = torch.from_numpy(text[1 : each * streams + 1].reshape(streams, each).T.copy())
    for start in range(0, each, length):
        yield read[start : start + length], following[start : start + length]


def _epoch(
    model: CharacterModel,
    optimizer: torch.optim.Optimizer,
    parts: _Encoded,
    *,
    history: Sequence[Epoch],
    optimization: Optimization,
    run: Run,
) -> Epoch:
    number = len(history) + 1
    note = f"dev {history[-1].dev_bits:.3f} bits a character" if history else ""
    torch.manual_seed(optimization.seed * 10_007 + number)
    model.train()
    device = model.output.weight.device
    # another start each epoch: the same characters do not always begin a chunk
    offset = int(np.random.default_rng(number).integers(optimization.chunk))
    text = parts.train[offset:]
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
        pairs = chunks(text, streams=optimization.streams, length=optimization.chunk)
        for step, (read, following) in enumerate(pairs, start=(number - 1) * steps):
            done = step / (steps * optimization.epochs)
            descent.set_learning_rate(optimizer, optimization.learning_rate * (1.0 - 0.9 * done))
            logits, state = model(read.to(device), state)
            state = detach(state)
            loss = functional.cross_entropy(logits.flatten(0, 1), following.to(device).flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
            optimizer.step()
            loss_sum += loss.detach() * following.numel()
            seen += following.numel()
            advance(tokens_per_second=seen / (time.perf_counter() - started))
    seconds = time.perf_counter() - started
    epoch = Epoch(
        epoch=number,
        train_bits=loss_sum.item() / seen / math.log(2.0),
        dev_bits=bits(model, parts.dev),
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
        f"dev {epoch.dev_bits:.3f} bits a character, {seconds:.0f} s, "
        f"{epoch.characters_per_second:,.0f} characters/s"
    )
    return epoch


def _optimizer(model: CharacterModel, optimization: Optimization) -> torch.optim.Optimizer:
    if optimization.optimizer == "adagrad":  # Duchi, Hazan, Singer 2011
        return torch.optim.Adagrad(model.parameters(), lr=optimization.learning_rate)
    return torch.optim.AdamW(
        model.parameters(), lr=optimization.learning_rate, weight_decay=0.0, fused=True
    )


def _interrupted(target: Path, configuration: CharacterConfiguration, hashed: str) -> Saved | None:
    """What an earlier run of just this configuration and text left."""
    try:
        before = store.load(target)
    except ConfigurationError:
        return None
    same = before.configuration == configuration and before.data_sha256 == hashed
    return before if same else None
