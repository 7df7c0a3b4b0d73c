"""Interpretable units: units of a character model whose outputs follow a feature of the text.

After Karpathy, Johnson and Fei-Fei, *Visualizing and Understanding Recurrent Networks* (2016). A
unit is chosen by its correlation on the dev text. Its score is the correlation on the test text: of
hundreds of units, one always fits the dev text somewhat by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.documents import GAP, Document, join_documents
from valence.training.char_lm.model import CharacterModel, State

Values = NDArray[np.float64]

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class InterpretableUnit:
    """A feature of the text, and the unit whose outputs follow the feature best."""

    feature: str
    layer: int  # from 1, the lowest layer
    unit: int  # from 0
    chosen_correlation: float  # Pearson's, on the dev text, by which the unit was chosen
    correlation: float  # on the test text


def find_units(
    model: CharacterModel,
    alphabet: Alphabet,
    *,
    dev: Sequence[Document],
    test: Sequence[Document],
    characters: int,
) -> list[InterpretableUnit]:
    """The best unit for each of :func:`compute_features`, by falling correlation.

    The first ``characters`` of each split are read. A feature that is constant in a split is left
    out.
    """
    chosen = _correlations(model, alphabet, dev, characters)
    scored = _correlations(model, alphabet, test, characters)
    units = []
    for name in chosen.keys() & scored.keys():
        index = int(np.argmax(np.abs(chosen[name])))
        layer, unit = divmod(index, model.hidden_size)
        chosen_by, score = float(chosen[name][index]), float(scored[name][index])
        units.append(InterpretableUnit(name, layer + 1, unit, chosen_by, score))
    return sorted(units, key=lambda unit: (-abs(unit.correlation), unit.feature))


def compute_activations(
    model: CharacterModel, alphabet: Alphabet, text: str
) -> NDArray[np.float32]:
    """The outputs ``(characters, layers * H)`` of all units after each character of ``text``."""
    ids = torch.from_numpy(alphabet.encode(text))
    state: State | None = None
    model.eval()
    chunks = []
    with torch.inference_mode():
        for chunk in torch.split(ids, _CHUNK):
            outputs, state = model.outputs(chunk[:, None], state)
            chunks.append(torch.cat(outputs, dim=2)[:, 0].numpy())
    return np.concatenate(chunks)


def compute_features(documents: Sequence[Document]) -> dict[str, Values]:
    """The value, in [0, 1], of each feature at each character of the joined ``documents``."""
    text = join_documents(documents)
    features = {name: measure(text) for name, measure in _FEATURES.items()}
    for label in sorted({document.label for document in documents if document.label is not None}):
        features[f"label {label}"] = _measure_label(documents, label)
    return features


def _correlations(
    model: CharacterModel, alphabet: Alphabet, documents: Sequence[Document], characters: int
) -> dict[str, Values]:
    """Pearson's correlation of every unit with every feature that varies."""
    features: Mapping[str, Values] = compute_features(documents)
    units = compute_activations(model, alphabet, join_documents(documents)[:characters]).astype(
        np.float64
    )
    units -= units.mean(axis=0)
    deviation = units.std(axis=0)
    deviation[deviation == 0.0] = np.inf  # a constant unit has a correlation of 0
    correlations = {}
    for name, whole in features.items():
        values = whole[: len(units)]
        if (spread := float(values.std())) > 0.0:
            correlations[name] = (
                (values - values.mean()) @ units / (len(units) * spread * deviation)
            )
    return correlations


def _measure_quotes(text: str) -> Values:
    """1 within double quotes. A quotation without an end stops at the end of its line."""
    inside = False
    values = np.zeros(len(text))
    for index, character in enumerate(text):
        if character == "\n":
            inside = False
        elif character in '"\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}':
            inside = not inside
        values[index] = inside
    return values


def _measure_brackets(text: str) -> Values:
    depth = 0
    values = np.zeros(len(text))
    for index, character in enumerate(text):
        if character == "\n":
            depth = 0
        elif character in "([":
            depth += 1
        elif character in ")]" and depth:
            depth -= 1
        values[index] = depth > 0
    return values


def _measure_line_position(text: str) -> Values:
    """Characters since the start of the line, divided by the longest line."""
    breaks = np.array([character == "\n" for character in text])
    indices = np.arange(len(text))
    starts = np.maximum.accumulate(np.where(breaks, indices, 0))
    position: Values = (indices - starts).astype(np.float64)
    position /= max(1.0, float(position.max()))
    return position


def _measure_word_position(text: str) -> Values:
    """Letters since the start of the word, at most twelve, divided by twelve."""
    values = np.zeros(len(text))
    run = 0
    for index, character in enumerate(text):
        run = run + 1 if character.isalpha() else 0
        values[index] = min(run, 12) / 12
    return values


def _measure_characters(test: Callable[[str], bool]) -> Callable[[str], Values]:
    return lambda text: np.array([float(test(character)) for character in text])


_FEATURES: dict[str, Callable[[str], Values]] = {
    "within quotes": _measure_quotes,
    "within brackets": _measure_brackets,
    "place in the line": _measure_line_position,
    "place in the word": _measure_word_position,
    "digit": _measure_characters(str.isdigit),
    "capital letter": _measure_characters(str.isupper),
    "space": _measure_characters(str.isspace),
}


def _measure_label(documents: Sequence[Document], label: str) -> Values:
    """1 within a document of ``label``. The gap after a document belongs to the document."""
    parts = [
        np.full(len(document.text) + len(GAP), float(document.label == label))
        for document in documents
    ]
    return np.concatenate(parts)[: -len(GAP)]
