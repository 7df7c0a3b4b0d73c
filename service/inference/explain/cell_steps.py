"""One step of each recurrent cell, forward and back, for the attributions.

The step takes the text and the baseline at once: from the gates' inputs and recurrent products
``(2, gates, H)`` and the states ``(2, H)`` before, to h and c ``(2, H)`` and the factors
``(factors, H)``. The step back goes from the factors and the multipliers of h and c ``(H,)`` to the
multipliers of the gates' inputs and recurrent products ``(gates, H)``, of c before, and of h before
where h does not pass through a product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Below this, a difference of two values of a function has lost digits that a series still has.
_SMALL = 0.05


def lstm(
    inputs: Floats, recurrent: Floats, _hidden: Floats, memory: Floats
) -> tuple[Floats, Floats, Floats]:
    """The step of an LSTM."""
    gates = inputs + recurrent
    i, f, o = (_sigmoid(gates[:, gate]) for gate in (0, 1, 3))
    g = np.tanh(gates[:, 2])
    new = f * memory + i * g
    squashed = np.tanh(new)
    factors = [
        _mean(g) * _sigmoid_secant(i, gates[:, 0]),
        _mean(memory) * _sigmoid_secant(f, gates[:, 1]),
        _mean(i) * tanh_secant(g, gates[:, 2]),
        _mean(squashed) * _sigmoid_secant(o, gates[:, 3]),
        _mean(f),
        _mean(o) * tanh_secant(squashed, new),
    ]
    return o * squashed, new, np.stack(factors)


def lstm_back(
    factors: Floats, hidden: Floats, memory: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """The step back of an LSTM."""
    memory = memory + hidden * factors[5]
    gates = factors[:4] * np.stack([memory, memory, memory, hidden])
    return gates, gates, memory * factors[4], np.zeros_like(hidden)


def gru(
    inputs: Floats, recurrent: Floats, hidden: Floats, _memory: Floats
) -> tuple[Floats, Floats, Floats]:
    """The step of a GRU."""
    gates = inputs + recurrent
    r, z = _sigmoid(gates[:, 0]), _sigmoid(gates[:, 1])
    # the reset gate multiplies the recurrent product
    candidate = inputs[:, 2] + r * recurrent[:, 2]
    n = np.tanh(candidate)
    factors = [
        _mean(recurrent[:, 2]) * _sigmoid_secant(r, gates[:, 0]),
        _mean(hidden - n) * _sigmoid_secant(z, gates[:, 1]),
        (1 - _mean(z)) * tanh_secant(n, candidate),
        _mean(r),
        _mean(z),
    ]
    new = n + z * (hidden - n)
    return new, new, np.stack(factors)


def gru_back(
    factors: Floats, hidden: Floats, memory: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """The step back of a GRU."""
    candidate = hidden * factors[2]
    r, z = candidate * factors[0], hidden * factors[1]
    return (
        np.stack([r, z, candidate]),
        np.stack([r, z, candidate * factors[3]]),
        memory,
        hidden * factors[4],
    )


def rnn(
    inputs: Floats, recurrent: Floats, _hidden: Floats, _memory: Floats
) -> tuple[Floats, Floats, Floats]:
    """The step of a plain recurrent cell."""
    gate = (inputs + recurrent)[:, 0]
    new = np.tanh(gate)
    return new, new, tanh_secant(new, gate)[np.newaxis]


def rnn_back(
    factors: Floats, hidden: Floats, memory: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """The step back of a plain recurrent cell."""
    gate = (hidden * factors[0])[np.newaxis]
    return gate, gate, memory, np.zeros_like(hidden)


def _sigmoid(x: Floats) -> Floats:
    values: Floats = 0.5 * np.tanh(0.5 * x) + 0.5
    return values


def _mean(pair: Floats) -> Floats:
    mean: Floats = 0.5 * (pair[0] + pair[1])
    return mean


def _sigmoid_secant(values: Floats, at: Floats) -> Floats:
    """The slope between sigmoid's two ``values`` ``(2, H)``, taken ``at`` ``(2, H)``."""
    s, s0 = values
    d = at[0] - at[1]
    # sigmoid(x) - sigmoid(y) = tanh((x - y) / 2) (s + s0 - 2 s s0)
    series = (0.5 - d * d / 24) * (s + s0 - 2 * s * s0)
    return quotient(s - s0, d, series)


def tanh_secant(values: Floats, at: Floats) -> Floats:
    """The slope between tanh's two ``values`` ``(2, H)``, taken ``at`` ``(2, H)``."""
    t, t0 = values
    d = at[0] - at[1]
    # tanh(x) - tanh(y) = tanh(x - y) (1 - t t0)
    return quotient(t - t0, d, (1 - d * d / 3) * (1 - t * t0))


def quotient(rise: Floats, run: Floats, series: Floats) -> Floats:
    """``rise / run``, or ``series`` where ``run`` is too small for the quotient."""
    small = np.abs(run) < _SMALL
    slope: Floats = np.where(small, series, rise / np.where(small, 1.0, run))
    return slope
