"""The network: from one-hot characters through recurrent layers to logits of the next character."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from valence.training.char_lm.config import Cell

State = tuple[Tensor | tuple[Tensor, Tensor], ...]
_CELLS: dict[Cell, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class CharacterModel(nn.Module):
    """``layers`` stacked unidirectional layers, whose outputs can be inspected."""

    def __init__(
        self, *, characters: int, cell: Cell, hidden_size: int, layers: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.characters = characters
        self.hidden_size = hidden_size
        # one module for each layer: a stacked torch module does not return the inner outputs
        self.layers = nn.ModuleList(
            _CELLS[cell](characters if layer == 0 else hidden_size, hidden_size)
            for layer in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, characters)

    def outputs(self, characters: Tensor, state: State | None) -> tuple[list[Tensor], State]:
        """The outputs ``(T, B, H)`` of each layer for ids ``(T, B)``, and the new state."""
        inputs = functional.one_hot(characters, self.characters).to(self.output.weight.dtype)
        outputs: list[Tensor] = []
        states = []
        for index, layer in enumerate(self.layers):
            inputs, after = layer(inputs, None if state is None else state[index])
            outputs.append(inputs)
            states.append(after)
            inputs = self.dropout(inputs)
        return outputs, tuple(states)

    def read_units(self, characters: Tensor, state: State | None) -> tuple[list[Tensor], State]:
        """What the units ``(T, B, H)`` of each layer hold for ids ``(T, B)``, and the new state.

        The memory of an LSTM, within tanh; the output of another cell. The output of an LSTM hides
        the memory while its gate is closed. The gate depends on what the layer reads, and the
        output is the gate times the memory: so the memory is the output divided by the gate.
        """
        outputs, after = self.outputs(characters, state)
        if not isinstance(self.layers[0], nn.LSTM):
            return outputs, after
        memories = []
        inputs = functional.one_hot(characters, self.characters).to(outputs[0].dtype)
        for index, layer in enumerate(self.layers):
            weights = dict(layer.named_parameters())
            first = outputs[index].new_zeros(outputs[index][:1].shape)
            before = first if state is None else state[index][0]
            earlier = torch.cat([before, outputs[index][:-1]])
            rows = slice(3 * self.hidden_size, None)  # the output gate is the last of four
            gate = functional.linear(
                inputs, weights["weight_ih_l0"][rows], weights["bias_ih_l0"][rows]
            ) + functional.linear(
                earlier, weights["weight_hh_l0"][rows], weights["bias_hh_l0"][rows]
            )
            # a gate below 1e-30 would lose the memory in rounding
            memory = outputs[index] / gate.sigmoid().clamp_min(1e-30)
            memories.append(memory.clamp(-1.0, 1.0))
            inputs = outputs[index]
        return memories, after

    def forward(self, characters: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(T, B, characters)`` of each next character, and the new state.

        ``state`` is the state after the previous chunk; None at the start of a text.
        """
        outputs, after = self.outputs(characters, state)
        logits: Tensor = self.output(self.dropout(outputs[-1]))
        return logits, after


def detach_state(state: State) -> State:
    """``state`` without its graph, so that gradients stop here."""
    return tuple(
        part.detach() if isinstance(part, Tensor) else (part[0].detach(), part[1].detach())
        for part in state
    )


def initialize_weights(model: CharacterModel, seed: int) -> None:
    """Fill ``model`` with initial weights that depend on ``seed``.

    Matrices between layers are uniform (Glorot and Bengio 2010). Recurrent matrices are orthogonal
    (Saxe et al. 2014). The forget gate of an LSTM is open (Jozefowicz et al. 2015).
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            nn.init.zeros_(parameter)
        elif "weight_hh" in name:
            for gate in torch.split(parameter.data, model.hidden_size):
                nn.init.orthogonal_(gate, generator=generator)
        else:
            nn.init.xavier_uniform_(parameter, generator=generator)
    for layer in model.layers:
        if isinstance(layer, nn.LSTM):
            size = model.hidden_size
            nn.init.ones_(dict(layer.named_parameters())["bias_ih_l0"][size : 2 * size])
