"""The contribution of each token to the logit of a label, in NumPy: the reference for the kernel.

A text is compared with a baseline of as many ``<unk>``. Each operation of the network distributes
its difference over its inputs by an exact rule, so the contributions of all tokens sum to
``logit - baseline logit``. That is DeepLIFT (A. Shrikumar, P. Greenside,
A. Kundaje, *Learning Important Features Through Propagating Activation Differences*, ICML 2017),
with the Aumann-Shapley rule for each operation of several inputs:

* linear: the weight;
* ``sigmoid``, ``tanh``: the secant, ``(f(x) - f(x0)) / (x - x0)`` (their rescale rule);
* a product ``a b``: ``(b + b0) / 2`` and ``(a + a0) / 2``;
* the maximum over time: for each token, the share of the way from ``h0`` to ``h`` along which it
  is the largest;
* softmax: as its gradient, with the logarithmic mean of ``p`` and ``p0`` in place of ``p``.

One walk over the text and its baseline records, for each cell, the factors by which a difference
passes on. A walk backwards multiplies these factors. Integrated gradients (Sundararajan et al.
2017) would take twenty to a hundred such walks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.architecture import GATES
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.vocabulary import UNKNOWN_ID, WordIds
from valence.service.inference.explain.cell_steps import (
    Floats,
    gru,
    gru_back,
    lstm,
    lstm_back,
    quotient,
    rnn,
    rnn_back,
    tanh_secant,
)


class Contributions(NamedTuple):
    """``contributions`` ``(tokens,)`` sum to ``logit - baseline_logit``, up to rounding."""

    contributions: NDArray[np.float32]
    logit: float
    baseline_logit: float


class NumpyAttributor:
    """Attributions and activations of one classifier's network, in fp64.

    Memory is linear in the text.
    """

    cost = 100  # measured: see Attributor

    def __init__(self, artifact: Artifact) -> None:
        self._architecture = artifact.manifest.architecture
        self._tensors = artifact.tensors
        self._layers = [
            [
                _Direction(artifact, layer=layer, direction=direction)
                for direction in range(self._architecture.directions)
            ]
            for layer in range(self._architecture.layers)
        ]

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """The contribution of each of ``ids`` ``(tokens,)`` to the logit of label ``label``."""
        weights = self._tensors["output.weight"][label].astype(np.float64)  # (P,)
        bias = float(self._tensors["output.bias"][label])
        if len(ids) == 0:
            return Contributions(np.empty(0, dtype=np.float32), bias, bias)
        embedded, walks = self._walk(ids)
        hidden = np.concatenate([walk.hidden for walk in walks[-1]], axis=2)  # (T, 2, D)
        pooled, multipliers = self._pool(hidden, weights)  # (2, P), (T, D)
        units = self._architecture.hidden_size
        for layer, directions in zip(reversed(self._layers), reversed(walks), strict=True):
            below = [
                direction.walk_back(walk, multipliers[:, index * units : (index + 1) * units])
                for index, (direction, walk) in enumerate(zip(layer, directions, strict=True))
            ]
            multipliers = np.sum(below, axis=0)
        contributions = (multipliers * (embedded[:, 0] - embedded[:, 1])).sum(axis=1)  # (T,)
        logit, baseline = (pooled @ weights + bias).tolist()
        return Contributions(contributions.astype(np.float32), logit, baseline)

    def activations(self, ids: WordIds) -> NDArray[np.float32]:
        """The hidden states of the last layer, ``(tokens, directions, units)``, in text order."""
        architecture = self._architecture
        shape = (len(ids), architecture.directions, architecture.hidden_size)
        if len(ids) == 0:
            return np.empty(shape, dtype=np.float32)
        _, walks = self._walk(ids)
        return np.stack([walk.hidden[:, 0] for walk in walks[-1]], axis=1).astype(np.float32)

    def _walk(self, ids: WordIds) -> tuple[Floats, list[list[_Walk]]]:
        """The embedded text and baseline ``(T, 2, E)``, and each layer's walks over them."""
        pairs = np.stack([ids, np.full_like(ids, UNKNOWN_ID)], axis=1)  # (T, 2)
        embedded = hidden = self._tensors["embedding.weight"][pairs].astype(np.float64)
        walks: list[list[_Walk]] = []
        for layer in self._layers:
            walks.append([direction.walk(hidden) for direction in layer])
            hidden = np.concatenate([walk.hidden for walk in walks[-1]], axis=2)  # (T, 2, D)
        return embedded, walks

    def _pool(self, hidden: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """The pooled text and baseline ``(2, P)``, and the multipliers ``(T, D)`` of ``hidden``."""
        tokens, _, width = hidden.shape
        match self._architecture.pooling:
            case "last":
                units = self._architecture.hidden_size
                pooled = np.concatenate([hidden[-1, :, :units], hidden[0, :, units:]], axis=1)
                multipliers = np.zeros((tokens, width))
                multipliers[-1, :units] = weights[:units]
                multipliers[0, units:] = weights[units:]
            case "max":
                pooled, multipliers = hidden.max(axis=0), _max_shares(hidden) * weights
            case "mean":
                pooled = hidden.mean(axis=0)
                multipliers = np.tile(weights / tokens, (tokens, 1))
            case "max_mean":
                pooled = np.concatenate([hidden.max(axis=0), hidden.mean(axis=0)], axis=1)
                multipliers = _max_shares(hidden) * weights[:width] + weights[width:] / tokens
            case "attention":
                attention = self._tensors["attention"].astype(np.float64)  # (D,)
                pooled, multipliers = _attend(hidden, attention, weights)
        return pooled, multipliers


class _Walk(NamedTuple):
    """The states of one direction over text and baseline, tokens in the order of the text.

    ``factors`` are the factors by which a step passes differences on; each cell has its own.
    """

    hidden: Floats  # (T, 2, H)
    factors: Floats  # (T, factors, H)


class _Direction:
    """One direction of one layer."""

    def __init__(self, artifact: Artifact, *, layer: int, direction: int) -> None:
        architecture = artifact.manifest.architecture
        suffix = f"l{layer}{('', '_reverse')[direction]}"
        # converted to fp64 once, not at every step
        self._input, self._recurrent, self._input_bias, self._recurrent_bias = (
            artifact.tensors[f"recurrent.{kind}_{suffix}"].astype(np.float64)
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        self._step = {"lstm": lstm, "gru": gru, "rnn": rnn}[architecture.cell]
        self._step_back = {"lstm": lstm_back, "gru": gru_back, "rnn": rnn_back}[architecture.cell]
        self._gates = GATES[architecture.cell]
        self._units = architecture.hidden_size
        self._order = slice(None, None, -1 if direction else 1)

    def walk(self, inputs: Floats) -> _Walk:
        """Read ``inputs`` ``(T, 2, columns)``, text and baseline side by side."""
        shape = (len(inputs), 2, self._gates, self._units)
        gates = (inputs @ self._input.T + self._input_bias).reshape(shape)[self._order]
        hidden = np.zeros((2, self._units))
        memory = hidden
        states, factors = [], []
        for row in gates:
            recurrent = (hidden @ self._recurrent.T + self._recurrent_bias).reshape(row.shape)
            hidden, memory, passed = self._step(row, recurrent, hidden, memory)
            states.append(hidden)
            factors.append(passed)
        return _Walk(np.stack(states)[self._order], np.stack(factors)[self._order])

    def walk_back(self, walk: _Walk, multipliers: Floats) -> Floats:
        """The multipliers ``(T, columns)`` of the inputs, from those of the states ``(T, H)``."""
        carried_hidden = np.zeros(self._units)
        carried_memory = carried_hidden
        rows = []
        for factors, pooled in zip(
            walk.factors[self._order][::-1], multipliers[self._order][::-1], strict=True
        ):
            of_input, of_recurrent, carried_memory, direct = self._step_back(
                factors, pooled + carried_hidden, carried_memory
            )
            carried_hidden = of_recurrent.reshape(-1) @ self._recurrent + direct
            rows.append(of_input.reshape(-1))
        return np.stack(rows[::-1])[self._order] @ self._input


def _max_shares(hidden: Floats) -> Floats:
    """For each unit, the shares ``(T, D)`` of the way on which each token is the largest.

    On the way ``h0 + a (h - h0)``, ``a`` from 0 to 1, each token is a line. The largest token
    follows the upper envelope of the lines: from the highest line at 0 always to the line that
    crosses next.
    """
    slopes = hidden[:, 0] - hidden[:, 1]  # (T, D)
    lines = hidden[:, 1]
    shares = np.zeros_like(slopes)
    every = np.arange(slopes.shape[1])
    highest = lines.max(axis=0)
    top = np.where(lines == highest, slopes, -np.inf).argmax(axis=0)  # (D,)
    at = np.zeros(slopes.shape[1])
    while (at < 1).any():
        steeper = slopes - slopes[top, every]
        gap = np.maximum(lines[top, every] - lines, 0.0)
        crossings = np.where(steeper > 0, gap / np.where(steeper > 0, steeper, 1.0), np.inf)
        crossing = np.maximum(crossings.min(axis=0), at)
        until = np.minimum(crossing, 1.0)
        shares[top, every] += until - at
        # of the lines that cross there, the steepest stays on top
        first = np.where(crossings <= crossing, slopes, -np.inf).argmax(axis=0)
        top = np.where(crossing < 1, first, top)
        at = until
    return shares


def _attend(hidden: Floats, attention: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Attention's pooled text and baseline ``(2, D)``, and the multipliers ``(T, D)``."""
    squashed = np.tanh(hidden)  # (T, 2, D)
    scores = squashed @ attention  # (T, 2)
    scores = scores - scores.max(axis=0)
    scores -= np.log(np.exp(scores).sum(axis=0))
    shares = np.exp(scores)
    pooled = np.einsum("tb,tbd->bd", shares, hidden)
    of_share = 0.5 * (hidden.sum(axis=1) @ weights)  # (T,)
    # the logarithmic mean: the secant of exp
    d = scores[:, 0] - scores[:, 1]
    series = np.sqrt(shares[:, 0] * shares[:, 1]) * (1 + d * d / 24)
    between = quotient(shares[:, 0] - shares[:, 1], d, series)  # (T,)
    # shares sum to 1 on both sides, which determines the difference of the normalizer
    of_score = between * (of_share - between @ of_share / between.sum())
    secants = tanh_secant(squashed.swapaxes(0, 1), hidden.swapaxes(0, 1))
    multipliers = shares.mean(axis=1)[:, None] * weights + of_score[:, None] * attention * secants
    return pooled, multipliers
