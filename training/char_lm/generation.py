"""Text generation with a character model."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.model import CharacterModel, State


def generate_characters(
    model: CharacterModel,
    alphabet: Alphabet,
    *,
    prime: str,
    temperature: float,
    seed: int,
) -> Iterator[str]:
    """An endless stream of characters that continue ``prime``, each yielded when drawn.

    Logits are divided by ``temperature`` before the softmax: below 1 likely characters become
    likelier, at 0 the likeliest character is always drawn. The same seed gives the same text. The
    character for unknown characters is never drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    # without a prime, start after a line break, as after the gap between two documents
    ids = torch.from_numpy(alphabet.encode(prime or "\n"))[:, None]  # (T, 1)
    state: State | None = None
    model.eval()
    while True:
        with torch.inference_mode():
            logits, state = model(ids, state)
            index = _draw(logits[-1, 0], temperature, generator)
        yield alphabet.characters[index]
        ids = torch.tensor([[index]])


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    # the first character stands for unknown characters
    logits = logits.double().index_fill(0, torch.tensor([0]), -torch.inf)
    if temperature == 0.0:
        return int(logits.argmax())
    probabilities = (logits / temperature).softmax(0)
    return int(torch.multinomial(probabilities, 1, generator=generator))
