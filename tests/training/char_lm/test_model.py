from __future__ import annotations

import pytest
import torch
from torch import Tensor
from valence.training.char_lm.config import Cell
from valence.training.char_lm.model import CharacterModel, detach_state, initialize_weights


def made(cell: Cell = "lstm", *, layers: int = 3) -> CharacterModel:
    model = CharacterModel(characters=7, cell=cell, hidden_size=5, layers=layers)
    initialize_weights(model, 0)
    return model


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_carrying_the_state_over_pieces_equals_one_pass(cell: Cell) -> None:
    model = made(cell).double()
    text = torch.randint(7, (50, 2), generator=torch.Generator().manual_seed(0))
    whole, _ = model(text)
    first, state = model(text[:20])
    second, _ = model(text[20:], detach_state(state))
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_gradients_stop_at_a_detached_state() -> None:
    model = made()
    text = torch.zeros((4, 1), dtype=torch.int64)
    _, state = model(text)
    parts = [part for pair in detach_state(state) for part in pair]
    assert len(parts) == 6
    assert not any(isinstance(part, Tensor) and part.requires_grad for part in parts)


def test_states_of_every_layer_are_returned() -> None:
    outputs, _ = made().outputs(torch.zeros((4, 2), dtype=torch.int64), None)
    assert [tuple(output.shape) for output in outputs] == [(4, 2, 5)] * 3


def test_the_seed_sets_the_weights_and_forget_gates_start_open() -> None:
    one, same, other = made(), made(), made()
    initialize_weights(other, 1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.output.weight, other.output.weight)
    biases = dict(one.named_parameters())["layers.0.bias_ih_l0"]
    assert biases.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def test_what_an_lstm_holds_is_its_memory_within_tanh() -> None:
    model = made().double()
    text = torch.randint(7, (9, 2), generator=torch.Generator().manual_seed(0))
    _, before = model.outputs(text[:4], None)
    state, expected = before, []
    for character in text[4:]:
        _, state = model.outputs(character[None], state)
        expected.append([memory.tanh() for _, memory in state])
    units, after = model.read_units(text[4:], before)
    for layer in range(3):
        wanted = torch.cat([step[layer] for step in expected])
        torch.testing.assert_close(units[layer], wanted)
        torch.testing.assert_close(after[layer][1], state[layer][1])
    # without a state before
    first, _ = model.read_units(text[:1], None)
    _, start = model.outputs(text[:1], None)
    torch.testing.assert_close(first[2], start[2][1].tanh())


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_what_another_cell_holds_is_its_output(cell: Cell) -> None:
    model = made(cell)
    text = torch.randint(7, (9, 2), generator=torch.Generator().manual_seed(0))
    for units, outputs in zip(
        model.read_units(text, None)[0], model.outputs(text, None)[0], strict=True
    ):
        torch.testing.assert_close(units, outputs)
