from __future__ import annotations

from collections.abc import Callable

import pytest
from valence.training.corpora.catalog import Dropped, Loaded
from valence.training.corpora.example import Example
from valence.training.data.split import Splits


@pytest.fixture(scope="session")
def texts() -> Callable[..., tuple[Example, ...]]:
    """Return a maker of examples with one label: ``texts("one", "two", label="a")``; the n-th is in
    line n.
    """

    def texts(*given: str, label: str | tuple[str, ...] = "a") -> tuple[Example, ...]:
        return tuple(
            Example(text, label, "mine.csv", place=f"line {number}")
            for number, text in enumerate(given, start=1)
        )

    return texts


@pytest.fixture(scope="session")
def loaded() -> Callable[..., Loaded]:
    """Return a maker of loaded data: kept examples, and pairs of a dropped example and its
    original.
    """

    def loaded(kept: tuple[Example, ...], *dropped: tuple[Example, Example | None]) -> Loaded:
        return Loaded(kept, {}, (), tuple(Dropped(*pair) for pair in dropped))

    return loaded


@pytest.fixture(scope="session")
def splits() -> Callable[..., Splits]:
    """Return a maker of splits."""

    def splits(train=(), dev=(), test=(), **others) -> Splits:
        return Splits(tuple(train), tuple(dev), tuple(test), **others)

    return splits
