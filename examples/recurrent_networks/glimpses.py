"""A fixed image, read as a sequence: a window that moves from digit to digit.

    python examples/recurrent_networks/glimpses.py

The network sees the image only through a window of 8 x 8 points, and coarsely at the start. After
each look it names a digit and says where to look next, until it says "end". The window is a grid of
Gaussians, as in DRAW (Gregor and others 2015): its place and its width have a gradient, so that
where to look is learned from the names alone.

Data: the handwritten digits that scikit-learn ships. Picture: docs/images/recurrent_networks.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "recurrent_networks"
HEIGHT, WIDTH, MOST = 12, 36, 3
POINTS = 8  # the window has POINTS x POINTS of them
END = 10
UNITS = 128
STEPS = 2_000
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
    """Images (N, HEIGHT, WIDTH) of one to MOST digits, and names (N, MOST + 1) from left to right.

    After the end, the names are -100, which the loss leaves out.
    """
    pixels, names = digits
    images = torch.zeros(count, HEIGHT, WIDTH)
    words = torch.full((count, MOST + 1), -100)
    for image, said in zip(images, words, strict=True):
        number = int(torch.randint(1, MOST + 1, (), generator=generator))
        cuts = torch.randint(WIDTH - 8 * number + 1, (number,), generator=generator).sort().values
        for place in range(number):
            chosen = int(torch.randint(len(names), (), generator=generator))
            x, y = (
                int(cuts[place]) + 8 * place,
                int(torch.randint(HEIGHT - 7, (), generator=generator)),
            )
            image[y : y + 8, x : x + 8] = pixels[chosen]
            said[place] = names[chosen]
        said[number] = END
    return images, words


def make_filters(center: Tensor, stride: Tensor, spread: Tensor, size: int) -> Tensor:
    """Rows (N, POINTS, size): the Gaussian that each point of the window sees, along one axis.

    Points lie ``stride`` pixels apart around ``center``; ``spread`` is their standard deviation.
    """
    points = center[:, None] + (torch.arange(POINTS) - (POINTS - 1) / 2) * stride[:, None]
    distance = torch.arange(size)[None, None] - points[:, :, None]
    filters = torch.exp(-0.5 * (distance / spread[:, None, None]) ** 2)
    return filters / (filters.sum(dim=2, keepdim=True) + 1e-6)


class Reader(nn.Module):
    """A look, a name, the next place to look at."""

    def __init__(self) -> None:
        super().__init__()
        coarse = (HEIGHT // 3) * (WIDTH // 3)
        self.overview = nn.Sequential(nn.Linear(coarse, 64), nn.ReLU(), nn.Linear(64, UNITS))
        self.aim = nn.Linear(UNITS, 4)
        self.glimpse = nn.Sequential(nn.Linear(POINTS**2, 128), nn.ReLU(), nn.Linear(128, 64))
        self.cell = nn.LSTMCell(64 + 4, UNITS)
        self.output = nn.Sequential(nn.Linear(UNITS + 64, 64), nn.ReLU(), nn.Linear(64, END + 1))
        nn.init.normal_(self.aim.weight, std=0.02)
        nn.init.zeros_(self.aim.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, MOST + 1, 11) of the names, and windows (N, MOST + 1, 3): x, y, stride."""
        coarse = functional.avg_pool2d(images[:, None], 3).flatten(1)
        h = torch.tanh(self.overview(coarse))
        c = torch.zeros_like(h)
        scores, windows = [], []
        for _ in range(MOST + 1):
            x, y, stride, spread = self.aim(h).unbind(dim=1)
            x = (torch.tanh(x) + 1) * (WIDTH - 1) / 2
            y = (torch.tanh(y) + 1) * (HEIGHT - 1) / 2
            stride, spread = torch.exp(stride.clamp(-1, 1)), torch.exp(spread.clamp(-1.5, 1))
            rows = make_filters(y, stride, spread, HEIGHT)
            columns = make_filters(x, stride, spread, WIDTH)
            window = rows @ images @ columns.transpose(1, 2)  # (N, POINTS, POINTS)
            place = torch.stack([x / WIDTH, y / HEIGHT, stride, spread], dim=1)
            seen = self.glimpse(window.flatten(1))
            h, c = self.cell(torch.cat([seen, place], dim=1), (h, c))
            scores.append(self.output(torch.cat([h, seen], dim=1)))
            windows.append(torch.stack([x, y, stride], dim=1))
        return torch.stack(scores, dim=1), torch.stack(windows, dim=1)


def read_names(scores: Tensor) -> Tensor:
    """The likeliest names until the end; -100 after it."""
    names = scores.argmax(dim=2)
    ended = (names == END).cumsum(dim=1) - (names == END).long()
    return names.masked_fill(ended > 0, -100)


def train(model: Reader, digits: tuple[Tensor, Tensor], steps: int) -> None:
    """The names are all that the network is told; nobody says where a digit is."""
    generator = torch.Generator().manual_seed(1)
    images, words = compose(digits, 10_000, generator)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        scores, _ = model(images[chosen])
        loss = functional.cross_entropy(scores.flatten(0, 1), words[chosen].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % (steps // 5) == 0:
            print(f"step {step:5}: loss {loss.item():.3f}")


def draw(images: Tensor, said: Tensor, windows: Tensor, path: Path) -> None:
    """The window of each look over the image, with the name that followed."""
    figure, axes = plt.subplots(
        len(images), MOST + 1, figsize=(10, 1.15 * len(images)), layout="constrained"
    )
    for row, image in enumerate(images):
        for place, axis in enumerate(axes[row]):
            axis.axis("off")
            name = int(said[row, place])
            if name < 0:
                continue
            axis.imshow(image.numpy(), cmap="gray_r")
            x, y, stride = windows[row, place].tolist()
            half = stride * POINTS / 2
            axis.add_patch(
                Rectangle((x - half, y - half), 2 * half, 2 * half, fill=False, color="red", lw=2)
            )
            axis.set_xlim(-0.5, WIDTH - 0.5)
            axis.set_ylim(HEIGHT - 0.5, -0.5)
            axis.set_title("end" if name == END else str(name), fontsize=9, pad=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main(pictures: Path = PICTURES, steps: int = STEPS) -> dict[str, float]:
    """Train, and count the images whose digits are all read in their order."""
    started = time.perf_counter()
    training, testing = load_pixels()
    torch.manual_seed(0)
    model = Reader()
    train(model, training, steps)
    images, words = compose(testing, 500, torch.Generator().manual_seed(2))
    with torch.no_grad():
        scores, windows = model(images)
    said = read_names(scores)
    whole = (said == words).all(dim=1).double().mean().item()
    each = (said == words)[(words >= 0) & (words != END)].double().mean().item()
    print(
        f"{whole:.3f} of 500 images are read in order without a mistake, {each:.3f} of the digits"
    )
    most = [row for row in range(len(words)) if words[row, MOST] == END][:5]
    draw(images[most], said[most], windows[most], pictures / "glimpses.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"images": whole, "digits": each}


if __name__ == "__main__":
    main()
