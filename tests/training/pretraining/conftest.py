"""A small language model of the corpus ``toy``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from service.classifier.architecture import Architecture
from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from training import vocabulary
from training.corpora import Example
from training.initialization import initialize
from training.split import Splits, split


@pytest.fixture(scope="session")
def splits(examples: list[Example]) -> Splits:
    return split(examples)


@pytest.fixture(scope="session")
def words(splits: Splits) -> Vocabulary:
    return vocabulary.build(
        (one.text for one in splits.train), minimum_count=1, maximum_words=1_000
    )


@pytest.fixture
def network(words: Vocabulary) -> Callable[..., RecurrentClassifier]:
    """Makes classifiers, alike but for what is given."""

    def make(*, seed: int = 0, **shape: object) -> RecurrentClassifier:
        chosen = {
            "vocabulary_size": len(words),
            "embedding_size": 10,
            "hidden_size": 8,
            "labels": 3,
        }
        made = RecurrentClassifier(Architecture.model_validate(chosen | shape))
        initialize(made, None, seed=seed)
        torch.manual_seed(seed)
        return made

    return make
