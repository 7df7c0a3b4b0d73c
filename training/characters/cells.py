"""Units one can read: which of a character model's units follow something a person would name.

After Karpathy, Johnson and Fei-Fei, *Visualizing and Understanding Recurrent Networks* (2016). A
unit is chosen by its correlation on the dev text and judged by that on the test text, which it was
not chosen by: of hundreds of units one always fits somewhat by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training.characters.alphabet import Alphabet
from valence.training.characters.model import CharacterModel, State
from valence.training.characters.text import GAP, Document, join

Values = NDArray[np.float64]

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Found:
    """A feature of the text and the unit that follows it best."""

    feature: str
    layer: int  # from 1, as read upwards
    unit: int  # from 0
    chosen_correlation: float  # Pearson's, on the text it was chosen by
    correlation: float  # on the other


def find(
    model: CharacterModel,
    alphabet: Alphabet,
    *,
    dev: Sequence[Document],
    test: Sequence[Document],
    characters: int,
) -> list[Found]:
    """For each of :func:`features` the best unit, those that can be read most surely first.

    Of each part the first ``characters`` are read. A feature that a part holds nothing of, or
    nothing else, is left out.
    """
    chosen = _correlations(model, alphabet, dev, characters)
    judged = _correlations(model, alphabet, test, characters)
    found = []
    for name in chosen.keys() & judged.keys():
        place = int(np.argmax(np.abs(chosen[name])))
        layer, unit = divmod(place, model.hidden_size)
        found.append(
            Found(name, layer + 1, unit, float(chosen[name][place]), float(judged[name][place]))
        )
    return sorted(found, key=lambda one: (-abs(one.correlation), one.feature))


def activations(model: CharacterModel, alphabet: Alphabet, text: str) -> NDArray[np.float32]:
    """Outputs of all units ``(characters, layers * H)`` after each character of ``text``."""
    numbers = torch.from_numpy(alphabet.encode(text))
    state: State | None = None
    model.eval()
    pieces = []
    with torch.inference_mode():
        for part in torch.split(numbers, _CHUNK):
            outputs, state = model.outputs(part[:, None], state)
            pieces.append(torch.cat(outputs, dim=2)[:, 0].numpy())
    return np.concatenate(pieces)


def features(documents: Sequence[Document]) -> dict[str, Values]:
    """What may be followed, at each character of ``documents`` joined: 0 to 1."""
    text = join(documents)
    found = {name: measure(text) for name, measure in _FEATURES.items()}
    for label in sorted({document.label for document in documents if document.label is not None}):
        found[f"label {label}"] = _labelled(documents, label)
    return found


def _correlations(
    model: CharacterModel, alphabet: Alphabet, documents: Sequence[Document], characters: int
) -> dict[str, Values]:
    """Pearson's correlation of every unit with every feature that varies."""
    measured: Mapping[str, Values] = features(documents)
    units = activations(model, alphabet, join(documents)[:characters]).astype(np.float64)
    units -= units.mean(axis=0)
    deviation = units.std(axis=0)
    deviation[deviation == 0.0] = np.inf  # a unit that never moves follows nothing
    found = {}
    for name, whole in measured.items():
        values = whole[: len(units)]
        if (spread := float(values.std())) > 0.0:
            found[name] = (values - values.mean()) @ units / (len(units) * spread * deviation)
    return found


def _quoted(text: str) -> Values:
    """Within double quotes; one that is never closed ends with its line."""
    inside = False
    found = np.zeros(len(text))
    for place, character in enumerate(text):
        if character == "\n":
            inside = False
        elif character in '"\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}':
            inside = not inside
        found[place] = inside
    return found


def _bracketed(text: str) -> Values:
    depth = 0
    found = np.zeros(len(text))
    for place, character in enumerate(text):
        if character == "\n":
            depth = 0
        elif character in "([":
            depth += 1
        elif character in ")]" and depth:
            depth -= 1
        found[place] = depth > 0
    return found


def _line_position(text: str) -> Values:
    """Characters since the line began, of the longest line."""
    breaks = np.array([character == "\n" for character in text])
    places = np.arange(len(text))
    starts = np.maximum.accumulate(np.where(breaks, places, 0))
    position: Values = (places - starts).astype(np.float64)
    position /= max(1.0, float(position.max()))
    return position


def _word_position(text: str) -> Values:
    """Letters since the word began, up to twelve of them."""
    found = np.zeros(len(text))
    run = 0
    for place, character in enumerate(text):
        run = run + 1 if character.isalpha() else 0
        found[place] = min(run, 12) / 12
    return found


def _where(test: Callable[[str], bool]) -> Callable[[str], Values]:
    return lambda text: np.array([float(test(character)) for character in text])


_FEATURES: dict[str, Callable[[str], Values]] = {
    "within quotes": _quoted,
    "within brackets": _bracketed,
    "place in the line": _line_position,
    "place in the word": _word_position,
    "digit": _where(str.isdigit),
    "capital letter": _where(str.isupper),
    "space": _where(str.isspace),
}


def _labelled(documents: Sequence[Document], label: str) -> Values:
    """Within a document of ``label``; the gap after it is still its own."""
    parts = [
        np.full(len(document.text) + len(GAP), float(document.label == label))
        for document in documents
    ]
    return np.concatenate(parts)[: -len(GAP)]
