from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from training.batches import Batch
from training.configuration import Regularization
from training.dropout import Dropout
from training.pretraining.model import LanguageModel, starting_weights

Make = Callable[..., RecurrentClassifier]


def padded(texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, texts))
    ids = torch.tensor([text + [7] * (longest - len(text)) for text in texts])
    return ids, torch.tensor([len(text) for text in texts])


@pytest.mark.parametrize("shape", [{}, {"cell": "gru", "layers": 2}, {"bidirectional": False}])
def test_each_direction_tells_the_words_that_follow_in_it(
    network: Make, shape: dict[str, object]
) -> None:
    made = network(**shape)
    model = LanguageModel(made, cutoffs=[4, 9])
    texts = [[3, 1, 4, 1, 5], [9], [2, 6, 0]]
    expected = 0.0
    for text in texts:
        for recurrence, read in (
            (made.left_to_right[0], text),
            *[(one, text[::-1]) for one in list(made.right_to_left)[:1]],
        ):
            for place in range(1, len(read)):
                states = recurrence(made.embedding(torch.tensor([read[:place]])))[0][:, -1]
                expected -= model.softmax.log_prob(states)[0, read[place]].item()
    assert model(*padded(texts)).item() == pytest.approx(expected, rel=1e-5)


def test_texts_of_one_word_tell_nothing(network: Make) -> None:
    model = LanguageModel(network(), cutoffs=[4])
    nats = model(*padded([[3], [5]]))
    nats.backward()
    assert nats.item() == 0.0


def test_it_trains_the_very_modules_of_the_classifier(network: Make, words: Vocabulary) -> None:
    made = network(layers=2)
    before = starting_weights(made)
    model = LanguageModel(made, cutoffs=[4])
    model(*padded([[3, 1, 4], [2, 6, 0]])).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    after = starting_weights(made)
    assert {name.rpartition(".")[0] for name in before} == {
        "embedding",
        "left_to_right.0",
        "right_to_left.0",
    }
    assert before.keys() < made.state_dict().keys()
    assert before["embedding.weight"].shape == (len(words), 10)
    for name, value in after.items():
        assert torch.equal(value, made.state_dict()[name])
        assert not torch.equal(value, before[name])


def test_dropout_acts_on_what_is_read_and_on_what_tells(network: Make) -> None:
    model = LanguageModel(network(), cutoffs=[4])
    ids, lengths = padded([[3, 1, 4], [2, 6, 0]])
    batch = Batch(ids, lengths, torch.zeros(2, 0), (2, 3))

    def nats(**noise: float) -> float:
        chosen = Regularization(**({"embedding_dropout": 0.0, "recurrent_dropout": 0.0} | noise))
        dropout = Dropout(chosen, batch, seed=0, step=0, device=torch.device("cpu"))
        return float(model(ids, lengths, dropout).item())

    plain = model(ids, lengths).item()
    told = [nats(), nats(embedding_dropout=0.5), nats(recurrent_dropout=0.5)]
    assert told[0] == pytest.approx(plain)
    assert len(np.unique(np.round(told, 6))) == 3
