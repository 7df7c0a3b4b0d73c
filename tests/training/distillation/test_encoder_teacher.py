from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from valence.service.errors import ConfigurationError
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.split import Splits
from valence.training.distillation import encoder_teacher, fine_tuning
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.distillation.fine_tuning import Pieces
from valence.training.metrics import calibration
from valence.training.runtime.progress import Reporter

pytestmark = pytest.mark.integration

LABELS = ("negative", "neutral", "positive")
Make = Callable[..., EncoderTeacher]


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the texts that each network was fine-tuned on."""
    seen: list[list[str]] = []
    cut, tune = encoder_teacher.Pieces, encoder_teacher.fine_tune

    class RecordingPieces(cut):
        def __init__(self, tokenizer: object, texts: list[str], **rest: int) -> None:
            super().__init__(tokenizer, texts, **rest)
            self.texts = texts

    def watched(network: object, pieces: RecordingPieces, *given: object, **rest: object) -> None:
        seen.append(pieces.texts)
        tune(network, pieces, *given, **rest)

    monkeypatch.setattr(encoder_teacher, "Pieces", RecordingPieces)
    monkeypatch.setattr(encoder_teacher, "fine_tune", watched)
    return seen


def texts_of(examples: tuple[Example, ...]) -> list[str]:
    return [example.text for example in examples]


def test_each_network_learns_exactly_the_training_texts(
    teacher: Make, splits: Splits, tuned: list[list[str]]
) -> None:
    logits = teacher(networks=3, epochs=4).logits(texts_of(splits.train))
    truth = targets.label_indices(splits.train, labels=LABELS, task="single_label")
    assert (logits.argmax(axis=1) == truth).mean() > 0.9
    assert tuned == [texts_of(splits.train)] * 3


def test_the_answer_combines_networks_of_several_seeds(teacher: Make, splits: Splits) -> None:
    texts = texts_of(splits.dev)
    one, three = (teacher(networks=networks, epochs=1).logits(texts) for networks in (1, 3))
    of_each = [teacher(networks=3, epochs=1)._network_logits(number, texts) for number in range(3)]
    np.testing.assert_allclose(three, np.mean(of_each, axis=0), atol=1e-6)
    assert np.array_equal(one, of_each[0])
    assert not np.allclose(of_each[0], of_each[1])
    assert not np.allclose(of_each[1], of_each[2])


def test_a_network_is_calibrated_on_the_dev_texts(teacher: Make, splits: Splits) -> None:
    # trained too little to be always right, so that a best temperature exists
    logits = teacher(epochs=1, learning_rate=0.002).logits(texts_of(splits.dev))
    truth = targets.label_indices(splits.dev, labels=LABELS, task="single_label")
    left = calibration.fit_temperature(logits.astype(np.float64), truth)
    assert left == pytest.approx(1.0, abs=0.01)


class FakeTokenizer:
    """Tokenizer whose pieces are numbers between the marks 101 and 102."""

    pad_token_id = 0

    def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [[101, *map(int, text.split()), 102] for text in texts]}


def test_the_beginning_and_end_of_a_long_text_are_read() -> None:
    pieces = Pieces(FakeTokenizer(), ["1 2 3 4 5 6 7", "1 2 3", "1 2 3 4"], longest=5)
    ids, mask = pieces.batch(np.array([0, 1, 2]), torch.device("cpu"))
    assert ids.tolist() == [[101, 1, 2, 7, 102], [101, 1, 2, 3, 102], [101, 1, 2, 4, 102]]
    assert mask.all()


def test_a_text_is_answered_only_once(
    teacher: Make, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = texts_of(splits.train)
    first = teacher(epochs=1).logits(texts[:50])
    answer, rows_asked = encoder_teacher.compute_logits, []

    def watched(network: object, pieces: object, rows: np.ndarray, device: object) -> np.ndarray:
        rows_asked.append(len(rows))
        return answer(network, pieces, rows, device)

    monkeypatch.setattr(encoder_teacher, "compute_logits", watched)
    monkeypatch.setattr(encoder_teacher, "fine_tune", None)
    again = teacher(epochs=1).logits(texts[:60])
    assert np.array_equal(again[:50], first)
    assert sum(rows_asked) == 10
    monkeypatch.setattr(encoder_teacher, "compute_logits", None)
    assert np.array_equal(teacher(epochs=1).logits(texts[:60]), again)


def test_damaged_answers_are_computed_again(teacher: Make, splits: Splits, tmp_path: Path) -> None:
    texts = texts_of(splits.dev)
    first = teacher(epochs=1).logits(texts)
    for path in (tmp_path / "teachers").glob("*-logits*"):
        path.write_bytes(path.read_bytes()[:-3])
    assert np.array_equal(teacher(epochs=1).logits(texts), first)


def test_other_settings_or_texts_give_another_teacher(
    teacher: Make, splits: Splits, tuned: list[list[str]]
) -> None:
    texts = texts_of(splits.dev[:3])
    for settings in (
        {},
        {"learning_rate": 0.02},
        {"seed": 1},
        {"train": splits.train[1:]},
        {"epochs": 2},
    ):
        teacher(**({"epochs": 1} | settings)).logits(texts)
    assert len(tuned) == 5
    # settings of the student alone do not need another teacher
    for settings in ({}, {"weight": 0.1}, {"copies": 7}, {"temperature": 2.0}):
        teacher(**({"epochs": 1} | settings)).logits(texts)
    assert len(tuned) == 5


def test_resumed_fine_tuning_ends_with_the_same_weights(
    teacher: Make,
    splits: Splits,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(fine_tuning, "_SAVE_SECONDS", 0.0)
    texts = texts_of(splits.dev)
    chosen = {"epochs": 2}
    whole = teacher(**chosen, folder="whole").logits(texts)
    broken = silent(stop_at=20)
    with pytest.raises(KeyboardInterrupt):
        teacher(**chosen, reporter=broken).logits(texts)
    going_on = silent()
    assert np.array_equal(teacher(**chosen, reporter=going_on).logits(texts), whole)
    assert any("continuing after 19 of" in said for said in going_on.said)
    assert not list((tmp_path / "teachers").glob("*unfinished*"))
    assert not list((tmp_path / "teachers").glob("*.lock"))


def test_the_remaining_time_is_reported(
    teacher: Make, splits: Splits, silent: type[Reporter]
) -> None:
    reporter = silent()
    teacher(networks=2, epochs=2, reporter=reporter).logits(texts_of(splits.dev))
    told = "\n".join(reporter.said)
    assert "teacher 1/2: 100%, loss " in told
    assert "pieces/s, 0:00:00 left" in told
    assert "teacher 2/2 answers: 100%, 0:00:00 left" in told
    assert [(title, done) for title, _, done, _ in reporter.bars] == [
        ("teacher 1/2", 0),
        ("teacher 2/2", 0),
    ]


def test_a_folder_without_an_encoder_is_refused(teacher: Make, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigurationError, match=r"distillation\.teacher: .*none"):
        teacher(teacher=str(tmp_path / "none")).logits(["one"])
