"""A character-level recurrent network in NumPy, forward and backward by hand.

    python examples/recurrent_networks/min_char_rnn.py

The network reads one-hot characters in chunks of 25, carries its state from chunk to chunk, and
learns to predict the next character, with Adagrad and clipped gradients. The gradients by hand are
compared with those of torch's autograd.

Data: the manual pages that Python ships for `help()`. Picture: docs/images/recurrent_networks.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "recurrent_networks"
UNITS = 100
CHUNK = 25
RATE = 0.1
LIMIT = 5.0  # a gradient is clipped to [-LIMIT, LIMIT]
CHUNKS = 48_000
Weights = dict[str, np.ndarray]


def read_text() -> str:
    """The manual, page after page; characters outside ASCII are left out."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    return text.encode("ascii", "ignore").decode()


def make_weights(characters: int, generator: np.random.Generator) -> Weights:
    """Small random matrices and zero biases."""
    return {
        "Wxh": generator.normal(0.0, 0.01, (UNITS, characters)),
        "Whh": generator.normal(0.0, 0.01, (UNITS, UNITS)),
        "Why": generator.normal(0.0, 0.01, (characters, UNITS)),
        "bh": np.zeros(UNITS),
        "by": np.zeros(characters),
    }


def compute_gradients(
    weights: Weights, inputs: np.ndarray, targets: np.ndarray, state: np.ndarray
) -> tuple[float, Weights, np.ndarray]:
    """The loss of a chunk in nats, its gradients, and the state after the chunk."""
    # forward: h[t] = tanh(Wxh x[t] + Whh h[t-1] + bh), p[t] = softmax(Why h[t] + by)
    # x[t] is one-hot, so Wxh x[t] is a column of Wxh
    states = np.empty((len(inputs) + 1, UNITS))
    states[0] = state
    for t, character in enumerate(inputs):
        states[t + 1] = np.tanh(
            weights["Wxh"][:, character] + weights["Whh"] @ states[t] + weights["bh"]
        )
    scores = states[1:] @ weights["Why"].T + weights["by"]
    scores -= scores.max(axis=1, keepdims=True)
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    places = np.arange(len(inputs))
    loss = -np.log(probabilities[places, targets]).sum()

    # backward: the gradient of softmax and cross-entropy is the probability minus the truth
    by_scores = probabilities
    by_scores[places, targets] -= 1.0
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    gradients["Why"] = by_scores.T @ states[1:]
    gradients["by"] = by_scores.sum(axis=0)
    from_next = np.zeros(UNITS)
    for t in reversed(range(len(inputs))):
        by_state = weights["Why"].T @ by_scores[t] + from_next
        by_sum = (1.0 - states[t + 1] ** 2) * by_state  # through tanh
        gradients["bh"] += by_sum
        gradients["Wxh"][:, inputs[t]] += by_sum
        gradients["Whh"] += np.outer(by_sum, states[t])
        from_next = weights["Whh"].T @ by_sum
    return float(loss), gradients, states[-1]


def compare_with_autograd() -> float:
    """The largest relative difference between a gradient by hand and torch's."""
    generator = np.random.default_rng(1)
    weights = {name: weight * 30 for name, weight in make_weights(11, generator).items()}
    inputs, targets = generator.integers(0, 11, (2, CHUNK))
    state = generator.normal(0.0, 0.5, UNITS)
    _, gradients, _ = compute_gradients(weights, inputs, targets, state)
    tensors = {name: torch.tensor(weight, requires_grad=True) for name, weight in weights.items()}
    h, loss = torch.tensor(state), torch.zeros((), dtype=torch.float64)
    for character, target in zip(inputs.tolist(), targets.tolist(), strict=True):
        h = torch.tanh(tensors["Wxh"][:, character] + tensors["Whh"] @ h + tensors["bh"])
        loss = loss - torch.log_softmax(tensors["Why"] @ h + tensors["by"], dim=0)[target]
    loss.backward()
    return max(
        float(np.abs(gradients[name] - tensor.grad.numpy()).max() / tensor.grad.abs().max())
        for name, tensor in tensors.items()
    )


def sample(
    weights: Weights, state: np.ndarray, start: int, length: int, generator: np.random.Generator
) -> list[int]:
    """Characters drawn one after another; each is the next input."""
    drawn = []
    for _ in range(length):
        state = np.tanh(weights["Wxh"][:, start] + weights["Whh"] @ state + weights["bh"])
        scores = weights["Why"] @ state + weights["by"]
        probabilities = np.exp(scores - scores.max())
        start = int(generator.choice(len(scores), p=probabilities / probabilities.sum()))
        drawn.append(start)
    return drawn


def train(
    ids: np.ndarray, alphabet: list[str], chunks: int
) -> tuple[list[float], dict[int, str], Weights]:
    """Bits per character of each chunk, samples on the way, and the weights."""
    generator = np.random.default_rng(0)
    weights = make_weights(len(alphabet), generator)
    memory = {name: np.zeros_like(weight) for name, weight in weights.items()}
    state, start = np.zeros(UNITS), 0
    bits, samples = [], {}
    for number in range(1, chunks + 1):
        if start + CHUNK + 1 > len(ids):
            state, start = np.zeros(UNITS), 0
        inputs, targets = ids[start : start + CHUNK], ids[start + 1 : start + CHUNK + 1]
        start += CHUNK
        loss, gradients, state = compute_gradients(weights, inputs, targets, state)
        for name, gradient in gradients.items():
            np.clip(gradient, -LIMIT, LIMIT, out=gradient)
            memory[name] += gradient**2  # Adagrad: often changed weights get smaller steps
            weights[name] -= RATE * gradient / np.sqrt(memory[name] + 1e-8)
        bits.append(loss / CHUNK / math.log(2.0))
        if number in (chunks // 100, chunks // 10, chunks):
            drawn = sample(weights, state, int(targets[-1]), 200, generator)
            samples[number] = "".join(alphabet[index] for index in drawn)
    return bits, samples, weights


def measure_bits(weights: Weights, ids: np.ndarray) -> float:
    """Bits per character of a text that was not trained on."""
    state, total, chunks = np.zeros(UNITS), 0.0, (len(ids) - 1) // CHUNK
    for start in range(0, chunks * CHUNK, CHUNK):
        inputs, targets = ids[start : start + CHUNK], ids[start + 1 : start + CHUNK + 1]
        loss, _, state = compute_gradients(weights, inputs, targets, state)
        total += loss
    return total / (chunks * CHUNK) / math.log(2.0)


def draw(bits: list[float], samples: dict[int, str], path: Path) -> None:
    """The falling loss, and what the network wrote on the way."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.2), width_ratios=(2, 3), layout="constrained"
    )
    width = max(1, len(bits) // 100)
    smooth = np.convolve(bits, np.ones(width) / width, mode="valid")
    left.plot(np.arange(len(smooth)) * CHUNK / 1000, smooth)
    left.set(xlabel="thousand characters read", ylabel="bits per character")
    right.axis("off")
    for place, (number, text) in enumerate(samples.items()):
        lines = "\n".join(text.replace("$", r"\$").splitlines()[:7])
        right.text(
            0.0,
            1.0 - place / 3,
            f"after {number * CHUNK:,} characters",
            va="top",
            weight="bold",
            fontsize=9,
        )
        right.text(0.0, 0.93 - place / 3, lines, va="top", family="monospace", fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(pictures: Path = PICTURES, chunks: int = CHUNKS) -> dict[str, float]:
    """Check the gradients, train, sample, draw."""
    started = time.perf_counter()
    error = compare_with_autograd()
    print(f"largest relative difference to autograd: {error:.1e}")
    text = read_text()
    alphabet = sorted(set(text))
    number_of = {character: index for index, character in enumerate(alphabet)}
    ids = np.array([number_of[character] for character in text])
    held_out = ids[-20_000:]
    bits, samples, weights = train(ids[:-20_000], alphabet, chunks)
    reached = measure_bits(weights, held_out)
    counts = np.bincount(ids, minlength=len(alphabet)) / len(ids)
    entropy = float(-(counts[counts > 0] * np.log2(counts[counts > 0])).sum())
    print(f"{len(text):,} characters of {len(alphabet)} kinds; {chunks * CHUNK:,} were read")
    print(f"held-out text: {reached:.2f} bits per character; by frequency alone {entropy:.2f}")
    print(samples[chunks])
    draw(bits, samples, pictures / "min_char_rnn.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"gradient_error": error, "bits": reached, "frequency_bits": entropy}


if __name__ == "__main__":
    main()
