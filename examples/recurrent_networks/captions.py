"""Images to words: a convolutional network feeds an LSTM that names what it sees.

    python examples/recurrent_networks/captions.py

An image holds one to three digits. The network says their names from left to right and then "end".
One graph goes from the pixels to the words, and all of it is trained together by the words. Two
networks are compared. The first squeezes the image into one vector, the first state of the LSTM.
The second looks at a map of the image anew for each word (soft attention): where it looks is drawn.

Data: the handwritten digits that scikit-learn ships. Picture: docs/images/recurrent_networks.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "recurrent_networks"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "end")
END = len(WORDS) - 1
START = len(WORDS)  # what the LSTM reads before the first word
HEIGHT, WIDTH, MOST = 12, 32, 3
UNITS = 96
FEATURES = 32
STEPS = 1_600
BATCH = 64


def load_pixels() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Digits (N, 8, 8) and their names, to train on and to test on."""
    digits = load_digits()
    pixels = torch.tensor(digits.images / 16.0, dtype=torch.float32)
    names = torch.tensor(digits.target)
    return (pixels[:1400], names[:1400]), (pixels[1400:], names[1400:])


def compose(
    digits: tuple[Tensor, Tensor], count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images (N, 1, HEIGHT, WIDTH) of digits at random places, and their words (N, MOST + 1).

    After the end, the words are -100, which the loss leaves out.
    """
    pixels, names = digits
    images = torch.zeros(count, 1, HEIGHT, WIDTH)
    words = torch.full((count, MOST + 1), -100)
    for image, said in zip(images, words, strict=True):
        number = int(torch.randint(1, MOST + 1, (), generator=generator))
        room = WIDTH - 8 * number
        cuts = torch.randint(room + 1, (number,), generator=generator).sort().values
        for place in range(number):
            chosen = int(torch.randint(len(names), (), generator=generator))
            x = int(cuts[place]) + 8 * place
            y = int(torch.randint(HEIGHT - 7, (), generator=generator))
            image[0, y : y + 8, x : x + 8] = pixels[chosen]
            said[place] = names[chosen]
        said[number] = END
    return images, words


class Captioner(nn.Module):
    """Pixels to a map of features, and the map to words, with attention or without."""

    def __init__(self, *, attends: bool) -> None:
        super().__init__()
        self.attends = attends
        self.eye = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, FEATURES, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        # the map has a row and a column for each 4 x 4 pixels
        self.cells = (HEIGHT // 4) * (WIDTH // 4)
        self.place = nn.Parameter(0.3 * torch.randn(self.cells, FEATURES))
        self.first = nn.Linear(self.cells * FEATURES, 2 * UNITS)
        self.word = nn.Embedding(len(WORDS) + 1, 32)
        self.cell = nn.LSTMCell(32 + (FEATURES if attends else 0), UNITS)
        self.question = nn.Linear(UNITS, 64)
        self.key = nn.Linear(FEATURES, 64)
        self.interest = nn.Linear(64, 1)
        self.output = nn.Linear(UNITS + (FEATURES if attends else 0), len(WORDS))

    def look(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The map (N, cells, FEATURES), and the first state of the LSTM."""
        features = self.eye(images).flatten(2).transpose(1, 2) + self.place
        if self.attends:  # the map says what is there; the state starts empty
            h = c = features.new_zeros(len(images), UNITS)
        else:
            h, c = torch.tanh(self.first(features.flatten(1))).chunk(2, dim=1)
        return features, (h, c)

    def step(
        self, said: Tensor, features: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Scores of the next word, the weights (N, cells) of the attention, and the new state."""
        weights = features.new_zeros(len(features), self.cells)
        inputs = self.word(said)
        seen = []
        if self.attends:
            # how much each cell of the map answers what the state asks (Bahdanau 2015, Xu 2015)
            match = torch.tanh(self.key(features) + self.question(state[0])[:, None])
            weights = self.interest(match)[:, :, 0].softmax(dim=1)
            seen = [(weights[:, :, None] * features).sum(dim=1)]
        state = self.cell(torch.cat([inputs, *seen], dim=1), state)
        return self.output(torch.cat([state[0], *seen], dim=1)), weights, state

    def compute_loss(self, images: Tensor, words: Tensor) -> Tensor:
        """Cross-entropy of each word, given the true words before."""
        features, state = self.look(images)
        said = torch.full((len(images),), START)
        scores = []
        for target in words.T:
            score, _, state = self.step(said, features, state)
            scores.append(score)
            said = target.clamp_min(0)
        return functional.cross_entropy(torch.stack(scores, dim=1).flatten(0, 1), words.flatten())

    @torch.no_grad()
    def describe(
        self, images: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Words (N, MOST + 1) until the end, and the weights (N, MOST + 1, cells) of each.

        The likeliest word, or a word drawn with ``generator``, is the next input.
        """
        features, state = self.look(images)
        said = torch.full((len(images),), START)
        ended = torch.zeros(len(images), dtype=torch.bool)
        words, weights = [], []
        for _ in range(MOST + 1):
            scores, weight, state = self.step(said, features, state)
            if generator is None:
                said = scores.argmax(dim=1)
            else:
                said = torch.multinomial(scores.softmax(dim=1), 1, generator=generator)[:, 0]
            words.append(said.masked_fill(ended, -100))
            weights.append(weight)
            ended |= said == END
        return torch.stack(words, dim=1), torch.stack(weights, dim=1)


def train(model: Captioner, digits: tuple[Tensor, Tensor], steps: int) -> None:
    """Pixels, map, attention and words learn together."""
    generator = torch.Generator().manual_seed(1)
    images, words = compose(digits, 6_000, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.006, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        loss = model.compute_loss(images[chosen], words[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def draw(images: Tensor, said: Tensor, weights: Tensor, path: Path) -> None:
    """Where the network looked for each word, over the image."""
    figure, axes = plt.subplots(
        len(images), MOST + 1, figsize=(11, 1.05 * len(images)), layout="constrained"
    )
    for row, image in enumerate(images):
        for place, axis in enumerate(axes[row]):
            axis.axis("off")
            word = int(said[row, place])
            if word < 0:
                continue
            axis.imshow(image[0].numpy(), cmap="gray_r")
            seen = weights[row, place].reshape(HEIGHT // 4, WIDTH // 4)
            seen = functional.interpolate(seen[None, None], scale_factor=4, mode="bilinear")[0, 0]
            axis.imshow(seen.numpy(), cmap="Reds", alpha=0.55, vmin=0)
            axis.set_title(WORDS[word], fontsize=9, pad=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main(pictures: Path = PICTURES, steps: int = STEPS) -> dict[str, float]:
    """Train both networks, and count the images whose words are all right, the end too."""
    started = time.perf_counter()
    training, testing = load_pixels()
    images, words = compose(testing, 500, torch.Generator().manual_seed(2))
    right = {}
    for name, attends in (("one vector", False), ("attention", True)):
        torch.manual_seed(0)
        model = Captioner(attends=attends)
        train(model, training, steps)
        said, weights = model.describe(images)
        right[name] = (said == words).all(dim=1).double().mean().item()
        print(f"{name:10} {right[name]:.3f} of 500 images are described without a mistake")
    drawn, _ = model.describe(images, torch.Generator().manual_seed(3))
    sampled = (drawn == words).all(dim=1).double().mean().item()
    print(f"{'':10} {sampled:.3f} if each word is drawn by its probability")
    draw(images[:5], said[:5], weights[:5], pictures / "captions.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"vector": right["one vector"], "attention": right["attention"], "sampled": sampled}


if __name__ == "__main__":
    main()
