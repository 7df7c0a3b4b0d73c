from __future__ import annotations

import numpy as np
import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.schema import N_GRAMS
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.split import Splits
from valence.training.distillation import ngram_teacher
from valence.training.distillation.ngram_teacher import NGramTeacher
from valence.training.distillation.teacher import TeacherData
from valence.training.metrics import calibration
from valence.training.runtime.progress import Reporter

LABELS = ("negative", "neutral", "positive")


def fitted(
    train: tuple[Example, ...],
    dev: tuple[Example, ...],
    labels: tuple[str, ...] = LABELS,
    *,
    task: str = "single_label",
    use_shares: bool = False,
) -> NGramTeacher:
    return NGramTeacher(
        TeacherData(train, dev, labels, task, use_shares=use_shares), reporter=Reporter()
    )


def copies(text: str, label: str, count: int) -> list[Example]:
    return [Example(f"{text} {number}", label, "toy") for number in range(count)]


def test_an_ngram_teacher_learns_and_is_calibrated_on_dev(splits: Splits) -> None:
    logits = fitted(splits.train, splits.dev).logits([example.text for example in splits.dev])
    truth = targets.label_indices(splits.dev, labels=LABELS, task="single_label")
    assert logits.dtype == np.float32
    assert (logits.argmax(axis=1) == truth).mean() > 0.9
    left = calibration.fit_temperature(logits.astype(np.float64), truth)
    # if every answer is right, only the lower bound of the temperature is left
    assert left == pytest.approx(1.0, abs=0.01) or (logits.argmax(axis=1) == truth).all()


def test_the_order_of_words_matters() -> None:
    said = {"good not bad": "positive", "bad not good": "negative"}
    train = tuple(one for text, label in said.items() for one in copies(text, label, 20))
    logits = fitted(train, train, ("negative", "positive")).logits(list(said))
    assert logits.argmax(axis=1).tolist() == [1, 0]


def test_a_training_text_is_answered_by_cross_fitting() -> None:
    """The answering model was not fitted on the text."""
    wrong = Example("good good film", "negative", "toy")
    train = (*copies("good film", "positive", 30), *copies("bad film", "negative", 30), wrong)
    one = fitted(train, train, ("negative", "positive"))
    assert one.logits([wrong.text]).argmax() == 1
    # so the answer differs from that of the model fitted on all texts
    assert not np.allclose(one.logits([wrong.text]), one.logits([wrong.text + " "]))


def test_a_text_with_disagreeing_raters_counts_for_both_labels() -> None:
    shares = {"negative": 0.75, "positive": 0.25}
    split = [Example(f"film {n}", "negative", "toy", shares) for n in range(40)]
    train = (*split, *copies("good", "positive", 40))
    model = ngram_teacher._fit(
        [example.text for example in train],
        targets.soft_targets(
            train, labels=("negative", "positive"), task="single_label", use_shares=True
        ),
    )
    [row] = model.logits(["film"])
    odds = 1.0 / (1.0 + np.exp(-row))
    assert odds == pytest.approx([0.75, 0.25], abs=0.1)


def test_two_exclusive_labels_need_one_decision() -> None:
    train = (*copies("good film", "positive", 30), *copies("bad film", "negative", 20))
    texts = [example.text for example in train]
    wanted = targets.soft_targets(
        train, labels=("negative", "positive"), task="single_label", use_shares=False
    )
    both = ngram_teacher._fit(texts, wanted)
    assert both.labels[1].bias == -both.labels[0].bias
    # the result equals that of a decision on each label alone
    has = both.vectorizer.transform(texts)
    second = ngram_teacher._fit_label(has, wanted[:, 1])
    assert both.labels[1].bias == pytest.approx(second.bias, abs=0.01)
    assert both.labels[1].weights == pytest.approx(second.weights, abs=0.01)
    # with a third label, or two labels per text, one label is not the mirror of the other
    with_none = np.concatenate([wanted[:10], np.zeros((40, 2), dtype=np.float32)])
    alone = ngram_teacher._fit(texts, with_none)
    assert not np.allclose(alone.labels[1].weights, -alone.labels[0].weights)


def test_multi_label_decisions_are_independent() -> None:
    train = tuple(
        Example(text, labels, "toy")
        for n in range(30)
        for text, labels in (
            (f"fast car {n}", ("car", "fast")),
            (f"slow car {n}", ("car",)),
            (f"fast horse {n}", ("fast",)),
            (f"slow horse {n}", ()),
        )
    )
    one = fitted(train, train, ("car", "fast", "never"), task="multi_label")
    says = one.logits(["fast car", "slow car", "fast horse", "slow horse"]) > 0
    assert says.tolist() == [
        [True, True, False],
        [True, False, False],
        [False, True, False],
        [False, False, False],
    ]


def test_texts_without_a_common_word_are_refused_with_a_remedy() -> None:
    train = tuple(Example(word, "positive", "toy") for word in ("one", "two", "three"))
    with pytest.raises(ConfigurationError, match=rf"'{N_GRAMS}'.*3 training texts; give more"):
        fitted(train, train)
