"""Two recurrent networks that feed into each other: an encoder and a decoder, trained as one.

    python examples/recurrent_networks/encoder_decoder.py

The encoder reads a word, character by character. Its last state is the first state of the decoder,
which writes the word backwards. No one tells the encoder what to keep: the gradient of what the
decoder writes goes back through the state into the encoder. The same decoder is also trained on an
encoder that stays as it was drawn: what is missing then is what the encoder learns.

Data: the words of the manual pages that Python ships. Picture: docs/images/recurrent_networks.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "recurrent_networks"
UNITS = 128
LONGEST = 9
STEPS = 2_200
BATCH = 128
END = 26
START = 27


def read_words() -> list[str]:
    """The words of small letters, three to LONGEST long, each once."""
    found = set()
    for text in topics.values():
        found |= set(re.findall(r"(?<![A-Za-z_])[a-z]+(?![A-Za-z_])", text))
    return sorted(word for word in found if 3 <= len(word) <= LONGEST)


def encode(words: list[str]) -> Tensor:
    """Letters (T, N) as numbers, END after each word and then until the longest is over."""
    rows = [
        [ord(letter) - ord("a") for letter in word] + [END] * (LONGEST + 1 - len(word))
        for word in words
    ]
    return torch.tensor(rows).T


class Reverser(nn.Module):
    """The decoder starts with the state in which the encoder ends."""

    def __init__(self) -> None:
        super().__init__()
        self.letter = nn.Embedding(28, 32)
        self.encoder = nn.LSTM(32, UNITS)
        self.decoder = nn.LSTM(32, UNITS)
        self.output = nn.Linear(UNITS, 27)

    def read(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """The state after the end of each word."""
        return self.encoder(self.letter(words))[1]

    def forward(self, words: Tensor, backwards: Tensor) -> Tensor:
        """Scores (T, N, 27) of each letter, given the true letters before."""
        start = torch.full_like(backwards[:1], START)
        before = torch.cat([start, backwards[:-1]])
        states, _ = self.decoder(self.letter(before), self.read(words))
        return self.output(states)

    @torch.no_grad()
    def write(self, words: Tensor) -> Tensor:
        """The likeliest letters (T, N), each the next input."""
        state = self.read(words)
        letter = torch.full_like(words[:1], START)
        written = []
        for _ in range(len(words)):
            states, state = self.decoder(self.letter(letter), state)
            letter = self.output(states).argmax(dim=2)
            written.append(letter)
        return torch.cat(written)


def train(words: list[str], *, together: bool, steps: int) -> Reverser:
    """Train the decoder, and the encoder with it if ``together``."""
    torch.manual_seed(0)
    model = Reverser()
    model.encoder.requires_grad_(together)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.003)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.006, total_steps=steps)
    inputs, targets = encode(words), encode([word[::-1] for word in words])
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        chosen = torch.randint(len(words), (BATCH,), generator=generator)
        scores = model(inputs[:, chosen], targets[:, chosen])
        loss = functional.cross_entropy(scores.flatten(0, 1), targets[:, chosen].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
    return model


def measure_reach(model: Reverser, word: str) -> Tensor:
    """How much each letter written (rows) depends on each letter read (columns).

    The norm of the gradient of a letter's score by the letter that was read: it goes through the
    decoder, through the state, and through the encoder.
    """
    inputs = encode([word])[: len(word)]
    targets = encode([word[::-1]])
    read = model.letter(inputs).detach().requires_grad_()
    state = model.encoder(model.letter(encode([word])[len(word) :]), model.encoder(read)[1])[1]
    before = torch.cat([torch.full_like(targets[:1], START), targets[:-1]])
    scores = model.output(model.decoder(model.letter(before), state)[0])[:, 0]
    rows = []
    for place, letter in enumerate(targets[: len(word), 0]):
        (gradient,) = torch.autograd.grad(
            scores[place].log_softmax(dim=0)[letter], read, retain_graph=True
        )
        rows.append(gradient[:, 0].norm(dim=1))
    table = torch.stack(rows)
    return table / table.max(dim=1, keepdim=True).values


def draw(right: dict[str, list[float]], reach: Tensor, word: str, path: Path) -> None:
    """The words written without a mistake by length, and which letter depends on which."""
    figure, (left, middle) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    lengths = range(3, LONGEST + 1)
    for name, shares in right.items():
        left.plot(lengths, shares, marker="o", label=name)
    left.set(
        xlabel="letters of the word",
        ylabel="written backwards without a mistake",
        ylim=(-0.02, 1.05),
    )
    left.legend()
    middle.imshow(reach.numpy(), cmap="Blues")
    middle.set_xticks(range(len(word)), list(word))
    middle.set_yticks(range(len(word)), list(word[::-1]))
    middle.set(xlabel="read by the encoder", ylabel="written by the decoder")
    middle.set_title("Gradient from a written letter to a read letter", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(pictures: Path = PICTURES, steps: int = STEPS) -> dict[str, float]:
    """Train with and without the encoder; judge on words that were not trained on."""
    started = time.perf_counter()
    words = read_words()
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(0)).tolist()
    held_out = [words[place] for place in order[:500]]
    training = [words[place] for place in order[500:]]
    print(f"{len(training):,} words to train on, {len(held_out)} to test on")
    expected = encode([word[::-1] for word in held_out])
    lengths = torch.tensor([len(word) for word in held_out])
    right, totals = {}, []
    for name, together in (("encoder as drawn", False), ("trained as one", True)):
        model = train(training, together=together, steps=steps)
        good = (model.write(encode(held_out)) == expected).all(dim=0).double()
        right[name] = [good[lengths == length].mean().item() for length in range(3, LONGEST + 1)]
        totals.append(good.mean().item())
        print(f"{name:16} {totals[-1]:.3f} of the words are written without a mistake")
    word = max((word for word in held_out if len(word) == 7), key=lambda word: len(set(word)))
    draw(right, measure_reach(model, word), word, pictures / "encoder_decoder.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"frozen": totals[0], "together": totals[1]}


if __name__ == "__main__":
    main()
