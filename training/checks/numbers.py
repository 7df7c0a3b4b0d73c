"""Check for texts of numbers, which the model reads as one word unless numbers are words."""

from __future__ import annotations

from collections.abc import Sequence

from valence.training.checks.finding import Finding, make_finding
from valence.training.config.schema import Numbers
from valence.training.corpora.example import Example
from valence.training.data.vocabulary import holds_mostly_numbers


def find_alike_numbers(examples: Sequence[Example], numbers: Numbers) -> list[Finding]:
    """The texts whose words are mostly numbers, if the setting makes all numbers one word."""
    if numbers == "own" or not holds_mostly_numbers(example.text for example in examples):
        return []
    found = [example for example in examples if holds_mostly_numbers([example.text])]
    message = (
        "texts of numbers, and all numbers are one word to the model; set "
        '`numbers = "own"` in [text], which makes frequent numbers words'
    )
    return [make_finding("numbers", "warning", found, len(examples), message)]
