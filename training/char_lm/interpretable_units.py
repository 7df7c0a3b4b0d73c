"""Interpretable units: units of a character model that follow a feature of the text.

After Karpathy, Johnson and Fei-Fei, *Visualizing and Understanding Recurrent Networks* (2016). A
unit is chosen by its correlation on the dev text. Its score is computed on the test text: of
hundreds of units, one always fits the dev text somewhat by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.documents import Document, join_documents, take_documents
from valence.training.char_lm.features import Values, compute_features
from valence.training.char_lm.model import CharacterModel, State

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class InterpretableUnit:
    """A feature of the text, and the unit that follows the feature best."""

    feature: str
    layer: int  # from 1, the lowest layer
    unit: int  # from 0
    chosen_correlation: float  # Pearson's, on the dev text, by which the unit was chosen
    correlation: float  # on the test text
    # the area under the ROC curve on the test text; None if the feature is no yes or no
    auc: float | None = None


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
    test = take_documents(test, characters)
    chosen = _correlations(model, alphabet, take_documents(dev, characters))
    scored = _correlations(model, alphabet, test)
    names = sorted(chosen.keys() & scored.keys())
    places = [int(np.argmax(np.abs(chosen[name]))) for name in names]
    activations = compute_activations(model, alphabet, join_documents(test), places)
    features = compute_features(test)
    units = []
    for column, (name, place) in enumerate(zip(names, places, strict=True)):
        layer, unit = divmod(place, model.hidden_size)
        truth = features[name]
        sign = np.sign(chosen[name][place])
        auc = None
        if np.isin(truth, (0.0, 1.0)).all():
            auc = float(roc_auc_score(truth, sign * activations[:, column]))
        units.append(
            InterpretableUnit(
                name,
                layer + 1,
                unit,
                chosen_correlation=float(chosen[name][place]),
                correlation=float(scored[name][place]),
                auc=auc,
            )
        )
    return sorted(units, key=lambda unit: (-abs(unit.correlation), unit.feature))


def compute_activations(
    model: CharacterModel, alphabet: Alphabet, text: str, places: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """What all units, or those at ``places``, hold after each character of ``text``.

    The shape is ``(characters, layers * H)``, or ``(characters, len(places))``.
    """
    columns = slice(None) if places is None else list(places)
    return np.concatenate([chunk[:, columns] for chunk in _read(model, alphabet, text)])


def find_passage(values: Values, length: int) -> slice:
    """The ``length`` characters, among such parts of a text, in which a feature varies most."""
    starts = range(0, max(1, len(values) - length + 1), length)
    best = max(starts, key=lambda start: float(values[start : start + length].std()))
    return slice(best, best + length)


def _read(model: CharacterModel, alphabet: Alphabet, text: str) -> Iterator[NDArray[np.float32]]:
    """What all units hold, ``(at most _CHUNK, layers * H)``, after each character."""
    ids = torch.from_numpy(alphabet.encode(text))
    state: State | None = None
    model.eval()
    with torch.inference_mode():
        for chunk in torch.split(ids, _CHUNK):
            units, state = model.read_units(chunk[:, None], state)
            yield torch.cat(units, dim=2)[:, 0].numpy()


def _correlations(
    model: CharacterModel, alphabet: Alphabet, documents: Sequence[Document]
) -> dict[str, Values]:
    """Pearson's correlation of every unit with every feature that varies."""
    text = join_documents(documents)
    features = {
        name: values - values.mean() for name, values in compute_features(documents).items()
    }
    features = {name: values for name, values in features.items() if values.std() > 0.0}
    table = np.array(list(features.values()))  # (features, characters)
    size = model.hidden_size * len(model.layers)
    total, squares, products = np.zeros(size), np.zeros(size), np.zeros((len(table), size))
    start = 0
    # the sums of a chunk at a time: all units of a long text would not fit into memory
    for chunk in _read(model, alphabet, text):
        units = chunk.astype(np.float64)
        total += units.sum(axis=0)
        squares += (units**2).sum(axis=0)
        products += table[:, start : start + len(units)] @ units
        start += len(units)
    mean = total / len(text)
    deviation = np.sqrt(np.maximum(0.0, squares / len(text) - mean**2))
    deviation[deviation < 1e-7] = np.inf  # a constant unit has a correlation of 0
    spread = table.std(axis=1)
    correlations = products / (len(text) * spread[:, None] * deviation)
    return dict(zip(features, correlations, strict=True))
