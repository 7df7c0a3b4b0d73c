from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.errors import ConfigurationError
from training import calibration, targets
from training.corpora import Example
from training.distillation import folds
from training.distillation import teacher as teachers
from training.distillation.folds import ALL, Teacher
from training.progress import Reporter
from training.split import Splits

LABELS = ("negative", "neutral", "positive")
Make = Callable[..., Teacher]


@pytest.fixture(autouse=True)
def _few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough batches of the toy texts to learn from."""
    monkeypatch.setattr(teachers, "_BATCH_PIECES", 128)


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts that each network was tuned on."""
    seen: list[list[str]] = []
    cut, tune = folds.Pieces, folds.fine_tune

    class Remembered(cut):
        def __init__(self, tokenizer: object, texts: list[str], **rest: int) -> None:
            super().__init__(tokenizer, texts, **rest)
            self.texts = texts

    def watched(network: object, pieces: Remembered, *given: object, **rest: object) -> None:
        seen.append(pieces.texts)
        tune(network, pieces, *given, **rest)

    monkeypatch.setattr(folds, "Pieces", Remembered)
    monkeypatch.setattr(folds, "fine_tune", watched)
    return seen


def asked(teacher: Teacher, examples: tuple[Example, ...]) -> tuple[list[str], list[int]]:
    texts = [example.text for example in examples]
    return texts, [teacher.fold(text) for text in texts]


def test_each_network_learns_and_answers_for_the_texts_it_has_not_seen(
    teacher: Make, splits: Splits, tuned: list[list[str]]
) -> None:
    one = teacher(folds=3, epochs=4)
    texts, of = asked(one, splits.train)
    logits = one.logits(texts, of)
    truth = targets.truth(splits.train, labels=LABELS, task="single_label")
    assert (logits.argmax(axis=1) == truth).mean() > 0.9
    assert len(tuned) == 3
    for number, seen in enumerate(tuned):
        own = {text for text, fold in zip(texts, of, strict=True) if fold == number}
        assert own
        assert set(seen) == set(texts) - own
        assert not set(seen) & {example.text for example in (*splits.dev, *splits.test)}


def test_all_networks_answer_for_a_text_that_none_has_seen(teacher: Make, splits: Splits) -> None:
    one = teacher(epochs=1)
    texts = [example.text for example in splits.dev]
    both = [one.logits(texts, [number] * len(texts)) for number in (0, 1)]
    np.testing.assert_allclose(
        one.logits(texts, [ALL] * len(texts)), np.mean(both, axis=0), atol=1e-6
    )
    assert not np.allclose(*both)


def test_one_network_is_tuned_on_all_texts_and_calibrated_on_the_dev_texts(
    teacher: Make, splits: Splits, tuned: list[list[str]]
) -> None:
    # learnt too little to be right of all, so that there is a best temperature
    one = teacher(folds=1, epochs=1, learning_rate=0.002)
    texts, of = asked(one, splits.dev)
    assert set(of) == {0}
    logits = one.logits(texts, of)
    assert tuned == [[example.text for example in splits.train]]
    truth = targets.truth(splits.dev, labels=LABELS, task="single_label")
    left = calibration.fit_temperature(logits.astype(np.float64), truth)
    assert left == pytest.approx(1.0, abs=0.01)


def test_a_text_is_answered_once(
    teacher: Make, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, of = asked(teacher(), splits.train)
    first = teacher(epochs=1).logits(texts[:50], of[:50])
    answer, rows_asked = folds.answers, []

    def watched(network: object, pieces: object, rows: np.ndarray, device: object) -> np.ndarray:
        rows_asked.append(len(rows))
        return answer(network, pieces, rows, device)

    monkeypatch.setattr(folds, "answers", watched)
    monkeypatch.setattr(folds, "fine_tune", None)
    again = teacher(epochs=1).logits(texts[:60], of[:60])
    assert np.array_equal(again[:50], first)
    assert sum(rows_asked) == 10
    monkeypatch.setattr(folds, "answers", None)
    assert np.array_equal(teacher(epochs=1).logits(texts[:60], of[:60]), again)


def test_answers_that_were_damaged_are_given_anew(
    teacher: Make, splits: Splits, tmp_path: Path
) -> None:
    texts, of = asked(teacher(), splits.dev)
    first = teacher(epochs=1).logits(texts, of)
    for path in (tmp_path / "teachers").glob("*-logits*"):
        path.write_bytes(path.read_bytes()[:-3])
    assert np.array_equal(teacher(epochs=1).logits(texts, of), first)


def test_other_settings_or_texts_are_another_teacher(
    teacher: Make, splits: Splits, tuned: list[list[str]]
) -> None:
    texts, of = asked(teacher(), splits.dev[:3])
    for settings in (
        {},
        {"learning_rate": 0.02},
        {"seed": 1},
        {"train": splits.train[1:]},
        {"epochs": 2},
    ):
        teacher(**({"epochs": 1, "folds": 1} | settings)).logits(texts, [ALL] * len(of))
    assert len(tuned) == 5
    # what the student alone depends on asks for no other
    for settings in ({}, {"weight": 0.1}, {"copies": 7}, {"temperature": 2.0}):
        teacher(**({"epochs": 1, "folds": 1} | settings)).logits(texts, [ALL] * len(of))
    assert len(tuned) == 5


def test_tuning_that_was_interrupted_ends_with_the_weights_it_would_have_had(
    teacher: Make,
    splits: Splits,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(teachers, "_SAVED_SECONDS", 0.0)
    texts, of = asked(teacher(folds=1), splits.dev)
    chosen = {"epochs": 2, "folds": 1}
    whole = teacher(**chosen, folder="whole").logits(texts, of)
    broken = silent(stop_at=20)
    with pytest.raises(KeyboardInterrupt):
        teacher(**chosen, reporter=broken).logits(texts, of)
    going_on = silent()
    assert np.array_equal(teacher(**chosen, reporter=going_on).logits(texts, of), whole)
    assert any("continuing after 19 of" in said for said in going_on.said)
    assert not list((tmp_path / "teachers").glob("*unfinished*"))
    assert not list((tmp_path / "teachers").glob("*.lock"))


def test_what_is_left_is_told(teacher: Make, splits: Splits, silent: type[Reporter]) -> None:
    reporter = silent()
    teacher(epochs=2, reporter=reporter).logits(*asked(teacher(), splits.dev))
    told = "\n".join(reporter.said)
    assert "teacher 1/2: 50%, loss " in told
    assert "pieces/s, 0:00:00 left" in told
    assert "teacher 2/2 answers: 100%, 0:00:00 left" in told
    assert [(title, done) for title, _, done, _ in reporter.bars] == [
        ("teacher 1/2", 0),
        ("teacher 2/2", 0),
    ]


def test_a_folder_that_holds_no_encoder_is_refused(teacher: Make, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigurationError, match=r"distillation\.teacher: .*none"):
        teacher(teacher=str(tmp_path / "none")).logits(["one"], [ALL])


def test_a_teacher_that_is_neither_published_nor_a_folder_is_refused(teacher: Make) -> None:
    with pytest.raises(
        ConfigurationError, match=r"distillation\.teacher 'no-such-model' is no folder"
    ):
        teacher(teacher="no-such-model")
