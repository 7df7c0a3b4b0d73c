"""One formula, four cells: what a recurrent network remembers.

    python examples/recurrent_networks/recurrence.py

A recurrent network applies the same function at each step: new state = f(old state, input). This
file writes f for four cells, compares them with those of torch, measures how far a gradient gets
back, and lets each cell read a digit row by row, wait, and then name the digit.

Data: the handwritten digits that scikit-learn ships. Picture: docs/images/recurrent_networks.
"""

from __future__ import annotations

import math
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
UNITS = 48
GAP = 80  # steps between the last row of a digit and the question
DISTANCES = 60
STEPS = 800
OPEN = 3.0  # a gate starts by keeping sigmoid(3) = 0.95 of the old state
BATCH = 64
State = tuple[Tensor, ...]


# --- one formula -----------------------------------------------------------------------------
# W (gates * H, inputs), U (gates * H, H) and b (gates * H) are all that a cell learns.


def vanilla(x: Tensor, state: State, weights: nn.RNN) -> State:
    """The new state is squashed anew at each step, so old states fade."""
    (h,) = state
    W, U, b = unpack(weights)
    return (torch.tanh(x @ W.T + h @ U.T + b),)


def rectified(x: Tensor, state: State, weights: nn.RNN) -> State:
    """ReLU has slope 1 where it is open: the matrix U alone decides what fades or explodes."""
    (h,) = state
    W, U, b = unpack(weights)
    return (torch.relu(x @ W.T + h @ U.T + b),)


def gru(x: Tensor, state: State, weights: nn.GRU) -> State:
    """The gate z keeps a part of the old state as it is."""
    (h,) = state
    weight_x, weight_h = weights.weight_ih_l0, weights.weight_hh_l0
    from_x = (x @ weight_x.T + weights.bias_ih_l0).chunk(3, dim=-1)
    from_h = (h @ weight_h.T + weights.bias_hh_l0).chunk(3, dim=-1)
    r = torch.sigmoid(from_x[0] + from_h[0])
    z = torch.sigmoid(from_x[1] + from_h[1])
    n = torch.tanh(from_x[2] + r * from_h[2])
    return ((1 - z) * n + z * h,)


def lstm(x: Tensor, state: State, weights: nn.LSTM) -> State:
    """A memory c beside the output h: gates multiply it and add to it, and nothing squashes it."""
    h, c = state
    W, U, b = unpack(weights)
    i, f, g, o = (x @ W.T + h @ U.T + b).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def unpack(weights: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """The two matrices and the sum of the two biases."""
    return weights.weight_ih_l0, weights.weight_hh_l0, weights.bias_ih_l0 + weights.bias_hh_l0


CELLS = {
    "vanilla (tanh)": vanilla,
    "ReLU": rectified,
    "ReLU, U = 1.1 I": rectified,
    "GRU": gru,
    "LSTM": lstm,
}


def build_cell(name: str, inputs: int) -> nn.Module:
    """The weights of a cell, and torch's own implementation of the same formula."""
    torch.manual_seed(0)
    if name == "LSTM":
        cell = nn.LSTM(inputs, UNITS)
        nn.init.constant_(cell.bias_ih_l0.data[UNITS : 2 * UNITS], OPEN)  # the forget gate
        return cell
    if name == "GRU":
        cell = nn.GRU(inputs, UNITS)
        nn.init.constant_(cell.bias_ih_l0.data[UNITS : 2 * UNITS], OPEN)  # z
        return cell
    cell = nn.RNN(inputs, UNITS, nonlinearity="tanh" if name.startswith("vanilla") else "relu")
    if name.endswith("I"):
        cell.weight_hh_l0.data = 1.1 * torch.eye(UNITS)
    return cell


def run(name: str, cell: nn.Module, inputs: Tensor) -> list[State]:
    """The states after each of ``inputs`` (T, B, inputs), by the formula above."""
    parts = 2 if name == "LSTM" else 1
    state = tuple(torch.zeros(inputs.shape[1], UNITS) for _ in range(parts))
    states = []
    for x in inputs:
        state = CELLS[name](x, state, cell)
        states.append(state)
    return states


def compare_with_torch() -> float:
    """The largest difference between a formula of this file and torch's cell."""
    inputs = torch.randn(12, 3, 5, generator=torch.Generator().manual_seed(1))
    worst = 0.0
    for name in CELLS:
        cell = build_cell(name, 5)
        by_formula = torch.stack([state[0] for state in run(name, cell, inputs)])
        worst = max(worst, (by_formula - cell(inputs)[0]).abs().max().item())
    return worst


# --- how far a gradient gets back ------------------------------------------------------------


def measure_gradients(name: str) -> list[float]:
    """The norm of the gradient of the last output to the state k steps before, k = 0, 1, ..."""
    inputs = torch.randn(DISTANCES + 1, 16, 8, generator=torch.Generator().manual_seed(2))
    states = run(name, build_cell(name, 8), inputs)
    for state in states:
        for part in state:
            part.retain_grad()
    direction = torch.randn(UNITS, generator=torch.Generator().manual_seed(3))
    (states[-1][0] @ direction).sum().backward()
    norms = []
    for state in reversed(states):
        squares = sum(part.grad.square().sum() for part in state if part.grad is not None)
        norms.append(math.sqrt(float(squares)))
    return [norm / norms[0] for norm in norms]


# --- a digit, a gap, a name ------------------------------------------------------------------


def load_rows() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Digits as sequences (T, N, 8): eight rows of pixels, then GAP empty rows; and their names."""
    digits = load_digits()
    rows = torch.tensor(digits.images / 16.0, dtype=torch.float32).transpose(0, 1)
    rows = torch.cat([rows, torch.zeros(GAP, rows.shape[1], 8)])
    names = torch.tensor(digits.target)
    return rows[:, :1400], names[:1400], rows[:, 1400:], names[1400:]


def train(name: str, data: tuple[Tensor, Tensor, Tensor, Tensor]) -> float:
    """The accuracy on digits that were not trained on."""
    rows, names, test_rows, test_names = data
    cell = build_cell(name, 8)
    output = nn.Linear(UNITS, 10)
    parameters = [*cell.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.003)
    generator = torch.Generator().manual_seed(4)
    for _ in range(STEPS):
        chosen = torch.randint(rows.shape[1], (BATCH,), generator=generator)
        states, _ = cell(rows[:, chosen])
        loss = functional.cross_entropy(output(states[-1]), names[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    with torch.no_grad():
        answers = output(cell(test_rows)[0][-1]).argmax(dim=1)
    return (answers == test_names).double().mean().item()


# --- picture ---------------------------------------------------------------------------------


def draw(gradients: dict[str, list[float]], accuracies: dict[str, float], path: Path) -> None:
    """The gradients on the left, what each cell could name on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, norms in gradients.items():
        left.semilogy(range(len(norms)), [max(norm, 1e-12) for norm in norms], label=name)
    left.set(
        xlabel="steps back",
        ylabel="gradient, last step = 1",
        title="How far a gradient gets back (before training)",
    )
    left.legend(fontsize=8)
    bars = right.barh(list(accuracies), list(accuracies.values()), color="tab:blue")
    right.bar_label(bars, fmt="%.2f", padding=3)
    right.axvline(0.1, color="gray", linestyle=":")
    right.invert_yaxis()
    right.set(
        xlim=(0, 1.12), xlabel="accuracy (dotted: chance)", title=f"A digit named {GAP} steps later"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(pictures: Path = PICTURES) -> dict[str, float]:
    """Run everything; the figures are those that the page and the test state."""
    started = time.perf_counter()
    difference = compare_with_torch()
    print(f"largest difference between the formulas and torch: {difference:.1e}")
    gradients = {name: measure_gradients(name) for name in CELLS}
    data = load_rows()
    accuracies = {}
    for name in CELLS:
        accuracies[name] = train(name, data)
        print(
            f"{name:16} gradient {DISTANCES} steps back {gradients[name][-1]:9.1e}, "
            f"digits named after {GAP} steps {accuracies[name]:.3f}"
        )
    draw(gradients, accuracies, pictures / "recurrence.png")
    print(f"{time.perf_counter() - started:.0f} s")
    return {
        "difference": difference,
        "vanilla": accuracies["vanilla (tanh)"],
        "lstm": accuracies["LSTM"],
        "gru": accuracies["GRU"],
        "vanilla_gradient": gradients["vanilla (tanh)"][-1],
        "relu_gradient": gradients["ReLU, U = 1.1 I"][-1],
    }


if __name__ == "__main__":
    main()
