"""The network: one-hot characters through recurrent layers to what may follow."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from valence.training.characters.configuration import Cell

State = tuple[Tensor | tuple[Tensor, Tensor], ...]
_CELLS: dict[Cell, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class CharacterModel(nn.Module):
    """``layers`` stacked, one direction; each layer's outputs can be looked at."""

    def __init__(
        self, *, characters: int, cell: Cell, hidden_size: int, layers: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.characters = characters
        self.hidden_size = hidden_size
        # one by one and not stacked by torch, which keeps to itself what lies between
        self.layers = nn.ModuleList(
            _CELLS[cell](characters if layer == 0 else hidden_size, hidden_size)
            for layer in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, characters)

    def outputs(self, characters: Tensor, state: State | None) -> tuple[list[Tensor], State]:
        """What each layer puts out, ``(T, B, H)``, reading ``characters`` ``(T, B)``; new state."""
        below = functional.one_hot(characters, self.characters).to(self.output.weight.dtype)
        found: list[Tensor] = []
        states = []
        for place, layer in enumerate(self.layers):
            below, after = layer(below, None if state is None else state[place])
            found.append(below)
            states.append(after)
            below = self.dropout(below)
        return found, tuple(states)

    def forward(self, characters: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(T, B, characters)`` of the character after each, and the state to go on from.

        ``state`` is what the chunk before left, None at the start of a text.
        """
        found, after = self.outputs(characters, state)
        logits: Tensor = self.output(self.dropout(found[-1]))
        return logits, after


def detach(state: State) -> State:
    """``state`` as values alone: gradients go back no further."""
    return tuple(
        part.detach() if isinstance(part, Tensor) else (part[0].detach(), part[1].detach())
        for part in state
    )


def seeded(model: CharacterModel, seed: int) -> None:
    """Fill ``model`` with starting values that ``seed`` decides.

    Matrices between layers uniform (Glorot and Bengio 2010), recurrent ones orthogonal (Saxe et al.
    2014), an LSTM's forget gate open (Jozefowicz et al. 2015).
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
