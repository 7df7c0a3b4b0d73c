"""A fitted linear model: what it learns, and how honest its dev logits are."""

from __future__ import annotations

import numpy as np
import pytest
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import NGramSection, Text
from valence.training.corpora.example import Example
from valence.training.data.batches import EncodedTexts
from valence.training.data.targets import balance_labels
from valence.training.data.vocabulary import build_vocabulary
from valence.training.linear import ngram_model
from valence.training.linear.ngram_model import fit_ngram_model, fit_with_dev

LABELS = ("no", "yes")


def make_vocabulary(*texts: str) -> Vocabulary:
    return build_vocabulary(texts, Text(minimum_count=1, misspelled="unknown"))


def encode(texts: list[str], labels: list[str], words: Vocabulary) -> EncodedTexts:
    examples = [Example(text, label, "toy") for text, label in zip(texts, labels, strict=True)]
    return EncodedTexts(examples, words, labels=LABELS, max_tokens=20, use_shares=False)


def test_the_order_of_words_is_learnt() -> None:
    texts, labels = ["good not bad", "bad not good"] * 10, ["yes", "no"] * 10
    words = make_vocabulary(*texts)
    model = fit_ngram_model(encode(texts, labels, words), words, NGramSection())
    logits = model.compute_logits(encode(texts[:2], labels[:2], words))
    assert logits.argmax(axis=1).tolist() == [1, 0]


def test_a_word_without_a_text_is_read_by_its_characters() -> None:
    texts = ["delightful", "delighted", "awfulness", "awfully"] * 5
    labels = ["yes", "yes", "no", "no"] * 5
    words = make_vocabulary(*texts, "delightfully", "awfulnesses")
    unseen = encode(["delightfully", "awfulnesses"], ["yes", "no"], words)
    model = fit_ngram_model(encode(texts, labels, words), words, NGramSection())
    assert model.compute_logits(unseen).argmax(axis=1).tolist() == [1, 0]
    without = NGramSection(characters=False)
    blind = fit_ngram_model(encode(texts, labels, words), words, without).compute_logits(unseen)
    np.testing.assert_allclose(blind[0], blind[1], atol=1e-6)


def test_a_word_without_a_text_is_read_by_its_vector() -> None:
    texts, labels = ["good", "bad"] * 10, ["yes", "no"] * 10
    words = make_vocabulary(*texts, "superb", "vile", "odd")
    near = {"good": (1.0, 0.0), "superb": (3.0, 0.1), "bad": (0.0, 1.0), "vile": (0.1, 3.0)}
    vectors = np.array([near.get(word, (0.0, 0.0)) for word in words], dtype=np.float32)
    settings = NGramSection(characters=False)
    model = fit_ngram_model(encode(texts, labels, words), words, settings, vectors)
    unseen = encode(["superb", "vile", "odd"], ["yes", "no", "no"], words)
    logits = model.compute_logits(unseen)
    assert logits[:2].argmax(axis=1).tolist() == [1, 0]
    # a word without a vector says nothing
    np.testing.assert_allclose(logits[2], model.bias, atol=1e-6)


def test_balanced_labels_weigh_the_same() -> None:
    """A word that all texts have leans to the frequent label, unless labels are balanced."""
    texts, labels = ["same"] * 20, ["no"] * 18 + ["yes"] * 2
    words = make_vocabulary(*texts)
    given = encode(texts, labels, words)
    weights = balance_labels(given.truth, 2)
    np.testing.assert_allclose(weights, [20 / 36, 5.0])
    plain = fit_ngram_model(given, words, NGramSection()).compute_logits(given)[0]
    even = fit_ngram_model(given.weighted(weights), words, NGramSection()).compute_logits(given)[0]
    assert plain[0] - plain[1] > 1.0
    assert abs(even[0] - even[1]) < 0.05
    np.testing.assert_array_equal(given.weighted(weights).truth, given.truth)


def test_few_dev_texts_are_learnt_and_answered_by_others() -> None:
    """The label of each dev word is known from that dev text alone."""
    train = encode(["same", "other"] * 10, ["no", "yes"] * 10, words := make_vocabulary(
        "same other", *(f"zq{chr(97 + number)}" for number in range(10))
    ))  # fmt: skip
    texts = [f"zq{chr(97 + number)}" for number in range(10)]
    dev = encode(texts, ["no", "yes"] * 5, words)
    settings = NGramSection(characters=False)
    model, logits = fit_with_dev(train, dev, words, settings)
    learnt = model.compute_logits(dev)
    assert learnt.argmax(axis=1).tolist() == [0, 1] * 5
    # no model has learnt the word of the text that it answers
    assert np.ptp(logits[:, 0] - logits[:, 1]) < 0.5 * np.ptp(learnt[:, 0] - learnt[:, 1])


def test_many_dev_texts_are_not_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_model, "MANY_DEV_TEXTS", 2)
    words = make_vocabulary("same other new word")
    train = encode(["same", "other"] * 10, ["no", "yes"] * 10, words)
    dev = encode(["new", "word"], ["no", "yes"], words)
    model, logits = fit_with_dev(train, dev, words, NGramSection(characters=False))
    np.testing.assert_array_equal(logits, model.compute_logits(dev))
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-6)
