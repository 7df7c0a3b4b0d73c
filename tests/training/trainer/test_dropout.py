from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from valence.training.config.schema import Regularization
from valence.training.data.batches import Batch
from valence.training.runtime import distributed
from valence.training.trainer.dropout import Dropout

TEXTS, LONGEST, SIZE = 7, 9, 5
LENGTHS = torch.arange(LONGEST, LONGEST - TEXTS, -1)
EVERY = Regularization(
    word_dropout=0.3, embedding_dropout=0.4, recurrent_dropout=0.5, output_dropout=0.6
)


def step(regularization: Regularization = EVERY, *, seed: int = 0, number: int = 0) -> Dropout:
    """Return the dropout of this process's part of a batch of seven texts, longest first."""
    lengths = LENGTHS[distributed.rank_slice()]
    empty = torch.zeros(0)
    batch = Batch(ids=empty, lengths=lengths, targets=empty, whole=(TEXTS, LONGEST))
    return Dropout(regularization, batch, seed=seed, step=number, device=torch.device("cpu"))


def dropped_ones(dropout: Dropout) -> list[Tensor]:
    """Apply dropout to ones in the way of a network of three layers."""
    lengths = LENGTHS[distributed.rank_slice()]
    texts, longest = len(lengths), int(lengths.max())
    return [
        dropout.words(torch.ones(texts, longest, dtype=torch.int64)),
        dropout.embedded(torch.ones(texts, longest, SIZE)),
        dropout.between_layers(torch.ones(texts, longest, 2 * SIZE)),
        dropout.between_layers(torch.ones(texts, longest, 2 * SIZE)),
        dropout.pooled(torch.ones(texts, 4 * SIZE)),
    ]


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_dropout_does_not_depend_on_the_number_of_processes(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    whole = dropped_ones(step())
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    for rank in range(processes):
        monkeypatch.setenv("RANK", str(rank))
        for part, every in zip(dropped_ones(step()), whole, strict=True):
            mine = every[rank::processes, : part.shape[1]]
            assert torch.equal(part, mine)


def test_seed_and_step_determine_the_dropped_units() -> None:
    first = dropped_ones(step())
    assert all(map(torch.equal, first, dropped_ones(step())))
    for other in (step(seed=1), step(number=1)):
        assert not any(map(torch.equal, first, dropped_ones(other)))
    _, _, between, again, _ = first
    assert not torch.equal(between, again)


@pytest.mark.parametrize(
    ("ask", "probability"),
    [
        (lambda dropout, ones: dropout.words(ones.long()), 0.3),
        (lambda dropout, ones: dropout.embedded(ones), 0.4),
        (lambda dropout, ones: dropout.between_layers(ones), 0.5),
        (lambda dropout, ones: dropout.pooled(ones), 0.6),
    ],
    ids=["words", "embedded", "between layers", "pooled"],
)
def test_the_configured_share_is_dropped_and_units_are_scaled(
    ask: Callable[[Dropout, Tensor], Tensor], probability: float
) -> None:
    ones = torch.ones(100, 1000)
    empty = torch.zeros(0)
    batch = Batch(ids=empty, lengths=empty, targets=empty, whole=(100, 1000))
    device = torch.device("cpu")
    kept = ask(Dropout(EVERY, batch, seed=0, step=0, device=device), ones)
    # five standard deviations of the share are 0.008
    assert (kept == 0).float().mean().item() == pytest.approx(probability, abs=0.01)
    if kept.is_floating_point():
        assert kept.max().item() == pytest.approx(1 / (1 - probability))
    nothing = Regularization(
        word_dropout=0.0, embedding_dropout=0.0, recurrent_dropout=0.0, output_dropout=0.0
    )
    assert torch.equal(ask(Dropout(nothing, batch, seed=0, step=0, device=device), ones), ones)


def test_values_in_half_precision_stay_in_half_precision() -> None:
    values = torch.ones(TEXTS, LONGEST, SIZE, dtype=torch.bfloat16)
    kept = step().embedded(values)
    assert kept.dtype == torch.bfloat16
    # the random draws equal those of full precision
    assert torch.equal(kept == 0, step().embedded(values.float()) == 0)
