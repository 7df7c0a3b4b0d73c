"""Text that a character model makes up."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from valence.training.characters.alphabet import Alphabet
from valence.training.characters.model import CharacterModel, State


def sample(
    model: CharacterModel,
    alphabet: Alphabet,
    *,
    prime: str,
    temperature: float,
    seed: int,
) -> Iterator[str]:
    """Characters that go on from ``prime``, without end, each as soon as it is drawn.

    Logits are divided by ``temperature`` before the softmax: below 1 the text is more careful, at 0
    always the likeliest. The same seed gives the same text. What the alphabet has no character for
    is never drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    # without any, as a text begins: after the gap between two
    read = torch.from_numpy(alphabet.encode(prime or "\n"))[:, None]  # (T, 1)
    state: State | None = None
    model.eval()
    while True:
        with torch.inference_mode():
            logits, state = model(read, state)
            number = _draw(logits[-1, 0], temperature, generator)
        yield alphabet.characters[number]
        read = torch.tensor([[number]])


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    # the first character stands for those that are unknown
    logits = logits.double().index_fill(0, torch.tensor([0]), -torch.inf)
    if temperature == 0.0:
        return int(logits.argmax())
    shares = (logits / temperature).softmax(0)
    return int(torch.multinomial(shares, 1, generator=generator))
