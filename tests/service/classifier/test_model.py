from __future__ import annotations

import itertools
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from valence.service.classifier.architecture import Architecture, Cell, Pooling
from valence.service.classifier.model import RecurrentClassifier, load_tensors, tensors

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
SHAPES = list(itertools.product(get_args(Cell), get_args(Pooling), [True, False], [1, 2, 3]))


def build(cell: Cell, pooling: Pooling, bidirectional: bool, layers: int) -> RecurrentClassifier:
    torch.manual_seed(7)
    model = RecurrentClassifier(
        Architecture(
            vocabulary_size=20,
            embedding_size=5,
            hidden_size=4,
            layers=layers,
            cell=cell,
            bidirectional=bidirectional,
            pooling=pooling,
            labels=3,
        )
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.6)
    return model.eval()


def documents(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(0, 20, (length,), generator=generator) for length in lengths]


def run(model: RecurrentClassifier, texts: list[Tensor], *, padding: int = 0) -> Tensor:
    lengths = torch.tensor([len(text) for text in texts])
    ids = pad_sequence(texts, batch_first=True, padding_value=padding)
    with torch.inference_mode():
        return model(ids if ids.shape[1] else ids.new_zeros((len(texts), 1)), lengths)


def reference_logits(model: RecurrentClassifier, text: Tensor) -> Tensor:
    """Compute the definition: torch's own stacked recurrence over a packed sequence, pooled by
    hand.
    """
    architecture = model.architecture
    recurrent = CELLS[architecture.cell](
        architecture.embedding_size,
        architecture.hidden_size,
        num_layers=architecture.layers,
        bidirectional=architecture.bidirectional,
        batch_first=True,
    )
    named = tensors(model)
    recurrent.load_state_dict(
        {
            name.removeprefix("recurrent."): value
            for name, value in named.items()
            if name.startswith("recurrent.")
        }
    )
    with torch.inference_mode():
        words = named["embedding.weight"][text][None]
        packed = pack_padded_sequence(words, [len(text)], batch_first=True)
        output, state = recurrent(packed)
        hidden = pad_packed_sequence(output, batch_first=True)[0][0]  # (T, D)
        match architecture.pooling:
            case "last":
                final = state[0] if architecture.cell == "lstm" else state
                pooled = final[-architecture.directions :, 0].reshape(-1)
            case "max":
                pooled = hidden.max(dim=0).values
            case "mean":
                pooled = hidden.mean(dim=0)
            case "max_mean":
                pooled = torch.cat([hidden.max(dim=0).values, hidden.mean(dim=0)])
            case "attention":
                weights = torch.softmax(torch.tanh(hidden) @ named["attention"], dim=0)
                pooled = weights @ hidden
        return named["output.weight"] @ pooled + named["output.bias"]


@pytest.mark.parametrize(("cell", "pooling", "bidirectional", "layers"), SHAPES)
def test_logits_equal_those_of_torchs_packed_recurrence(
    cell: Cell, pooling: Pooling, bidirectional: bool, layers: int
) -> None:
    model = build(cell, pooling, bidirectional, layers)
    texts = documents(7, 1, 4, 2)
    expected = torch.stack([reference_logits(model, text) for text in texts])
    torch.testing.assert_close(run(model, texts), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("cell", "pooling", "bidirectional", "layers"), SHAPES)
def test_padding_never_changes_a_prediction(
    cell: Cell, pooling: Pooling, bidirectional: bool, layers: int
) -> None:
    """A text alone and in a padded batch gets the same logits, whatever the padding holds."""
    model = build(cell, pooling, bidirectional, layers)
    texts = documents(3, 0, 11, 1, 6)
    alone = torch.cat([run(model, [text]) for text in texts])
    for padding in (0, 13):
        together = run(model, texts, padding=padding)
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_an_empty_document_gets_the_output_bias(pooling: Pooling) -> None:
    model = build("lstm", pooling, True, 2)
    for texts in (documents(0), documents(0, 5)):
        assert torch.equal(run(model, texts)[0], model.output.bias)


class RecordingDropout:
    """Dropout that halves the values at one place, and records the places it was called for."""

    def __init__(self, halved: str = "") -> None:
        self.halved = halved
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    def _at(self, place: str, values: Tensor) -> Tensor:
        self.asked.append((place, tuple(values.shape)))
        return values / 2 if place == self.halved else values

    def embedded(self, values: Tensor) -> Tensor:
        return self._at("embedded", values)

    def between_layers(self, values: Tensor) -> Tensor:
        return self._at("between layers", values)

    def pooled(self, values: Tensor) -> Tensor:
        return self._at("pooled", values)


def test_dropout_acts_on_embeddings_layers_and_pooled_vectors() -> None:
    model = build("lstm", "max_mean", True, 3).train()
    ids, lengths = torch.stack(documents(6, 6)), torch.tensor([6, 3])
    nothing = RecordingDropout()
    with torch.inference_mode():
        whole = model(ids, lengths)
        assert torch.equal(model(ids, lengths, nothing), whole)
        for place in ("embedded", "between layers", "pooled"):
            assert not torch.equal(model(ids, lengths, RecordingDropout(place)), whole)
    assert nothing.asked == [
        ("embedded", (2, 6, 5)),
        ("between layers", (2, 6, 8)),
        ("between layers", (2, 6, 8)),
        ("pooled", (2, 16)),
    ]


def test_a_network_is_rebuilt_from_its_tensors() -> None:
    model = build("gru", "attention", True, 2)
    other = RecurrentClassifier(model.architecture).eval()
    load_tensors(other, {name: value.clone() for name, value in tensors(model).items()})
    texts = documents(4, 9)
    assert torch.equal(run(model, texts), run(other, texts))


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_padding_gets_no_gradient(pooling: Pooling) -> None:
    model = build("lstm", pooling, True, 2).train()
    ids = torch.tensor([[1, 2, 9, 9], [3, 4, 5, 6], [9, 9, 9, 9]])
    model(ids, torch.tensor([2, 4, 0])).sum().backward()
    gradient = model.embedding.weight.grad
    assert torch.isfinite(gradient).all()
    assert not gradient[9].any()
    assert gradient[[1, 2, 3, 4, 5, 6]].any(dim=1).all()
