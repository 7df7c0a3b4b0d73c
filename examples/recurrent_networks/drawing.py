"""DRAW: an image that has no order is drawn step by step.

    python examples/recurrent_networks/drawing.py

After Gregor and others, *DRAW: A Recurrent Neural Network For Image Generation* (2015). At each of
eight steps an encoder reads a window of what is still missing and says in ten numbers z what it
saw. A decoder, which hears only z, adds a patch to the canvas. Both are recurrent, and both aim
their window themselves. The loss is that of a variational autoencoder: what is wrong in the image,
and how many nats z tells. Without an image, z is drawn at random, and the decoder makes up digits.

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
HEIGHT, WIDTH = 10, 18  # room for two digits
POINTS = 6
LOOKS = 8
UNITS = 128
LATENT = 10
PRICE = 0.25  # of a nat that z tells; 1 is exact, and too dear for so short a training
STEPS = 1_700
BATCH = 64


def compose(count: int, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, HEIGHT, WIDTH) of two digits side by side, each at a slightly random place."""
    images = torch.zeros(count, HEIGHT, WIDTH)
    for image in images:
        for left in (0, 9):
            chosen = int(torch.randint(len(pixels), (), generator=generator))
            y = int(torch.randint(HEIGHT - 7, (), generator=generator))
            x = left + int(torch.randint(2, (), generator=generator))
            image[y : y + 8, x : x + 8] = pixels[chosen]
    return images


def make_filters(center: Tensor, stride: Tensor, spread: Tensor, size: int) -> Tensor:
    """Rows (N, POINTS, size): the Gaussian of each point of a window along one axis."""
    points = center[:, None] + (torch.arange(POINTS) - (POINTS - 1) / 2) * stride[:, None]
    distance = torch.arange(size)[None, None] - points[:, :, None]
    filters = torch.exp(-0.5 * (distance / spread[:, None, None]) ** 2)
    return filters / (filters.sum(dim=2, keepdim=True) + 1e-6)


def aim(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The filters of both axes, and how strong the window is, from five numbers of a network."""
    x, y, stride, spread, strength = numbers.unbind(dim=1)
    x, y = (torch.tanh(x) + 1) * (WIDTH - 1) / 2, (torch.tanh(y) + 1) * (HEIGHT - 1) / 2
    stride, spread = torch.exp(stride.clamp(-1.5, 1)), torch.exp(spread.clamp(-1.5, 1))
    rows = make_filters(y, stride, spread, HEIGHT)
    columns = make_filters(x, stride, spread, WIDTH)
    return rows, columns, torch.exp(strength.clamp(-3, 3))[:, None, None]


class Draw(nn.Module):
    """An encoder that reads, and a decoder that writes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTMCell(2 * POINTS**2 + UNITS, UNITS)
        self.decoder = nn.LSTMCell(LATENT, UNITS)
        self.read_aim, self.write_aim = nn.Linear(UNITS, 5), nn.Linear(UNITS, 5)
        self.latent = nn.Linear(UNITS, 2 * LATENT)
        self.patch = nn.Linear(UNITS, POINTS**2)
        self.blank = nn.Parameter(torch.tensor(-2.0))  # the canvas before the first step

    def forward(
        self, images: Tensor | None, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The canvas after each step (LOOKS, N, HEIGHT, WIDTH), and the nats (N,) that z tells.

        Without ``images``, z is drawn from what it looks like on average.
        """
        h_read = c_read = h_write = c_write = torch.zeros(count, UNITS)
        canvas = self.blank.expand(count, HEIGHT, WIDTH)
        canvases, nats = [], torch.zeros(count)
        for _ in range(LOOKS):
            z = torch.randn(count, LATENT, generator=generator)
            if images is not None:
                missing = images - torch.sigmoid(canvas)
                rows, columns, strength = aim(self.read_aim(h_write))
                windows = [
                    (strength * (rows @ image @ columns.transpose(1, 2))).flatten(1)
                    for image in (images, missing)
                ]
                inputs = torch.cat([*windows, h_write], dim=1)
                h_read, c_read = self.encoder(inputs, (h_read, c_read))
                mean, log_spread = self.latent(h_read).chunk(2, dim=1)
                z = mean + torch.exp(log_spread) * z
                nats = nats + 0.5 * (mean**2 + torch.exp(2 * log_spread) - 2 * log_spread - 1).sum(
                    dim=1
                )
            h_write, c_write = self.decoder(z, (h_write, c_write))
            rows, columns, strength = aim(self.write_aim(h_write))
            patch = self.patch(h_write).view(-1, POINTS, POINTS)
            canvas = canvas + (rows.transpose(1, 2) @ patch @ columns) * strength
            canvases.append(torch.sigmoid(canvas))
        return torch.stack(canvases), nats


def train(model: Draw, images: Tensor, steps: int) -> None:
    """The image must come out of z, and z must tell little."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.004, total_steps=steps)
    for step in range(steps):
        chosen = images[torch.randint(len(images), (BATCH,), generator=generator)]
        canvases, nats = model(chosen, BATCH, generator)
        wrong = functional.binary_cross_entropy(canvases[-1], chosen, reduction="sum") / BATCH
        loss = wrong + PRICE * nats.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % (steps // 5) == 0:
            print(f"step {step:5}: {wrong.item():.1f} nats wrong, {nats.mean().item():.1f} told")


def draw(images: Tensor, canvases: Tensor, dreams: Tensor, path: Path) -> None:
    """Reconstruction by steps, the image on the right; below, digits that the decoder made up."""
    figure, axes = plt.subplots(8, LOOKS + 1, figsize=(12, 6.4), layout="constrained")
    for row in range(4):
        for look in range(LOOKS):
            axes[row, look].imshow(canvases[look, row].numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes[row + 4, look].imshow(dreams[look, row].numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes[0, look].set_title(f"step {look + 1}", fontsize=9)
        axes[row, LOOKS].imshow(images[row].numpy(), cmap="gray_r", vmin=0, vmax=1)
    axes[0, LOOKS].set_title("the image", fontsize=9)
    axes[4, 0].set_title("made up", fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for row in range(4, 8):
        axes[row, LOOKS].axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=75)
    plt.close(figure)


def main(pictures: Path = PICTURES, steps: int = STEPS) -> dict[str, float]:
    """Train, and measure the error of the reconstruction of images of other digits, by step."""
    started = time.perf_counter()
    pixels = torch.tensor(load_digits().images / 16.0, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    training = compose(5_000, pixels[:1400], generator)
    testing = compose(500, pixels[1400:], generator)
    torch.manual_seed(0)
    model = Draw()
    train(model, training, steps)
    with torch.no_grad():
        canvases, nats = model(testing, len(testing), generator)
        dreams, _ = model(None, 4, generator)
    errors = [((canvas - testing) ** 2).mean().item() for canvas in canvases]
    average = ((training.mean(dim=0) - testing) ** 2).mean().item()
    print("squared error of a pixel by step: " + " ".join(f"{error:.4f}" for error in errors))
    print(f"of the average image: {average:.4f}; z tells {nats.mean().item():.0f} nats")
    draw(testing[:4], canvases[:, :4], dreams, pictures / "drawing.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"first": errors[0], "last": errors[-1], "average": average}


if __name__ == "__main__":
    main()
